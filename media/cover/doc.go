// Package cover makes from an uploaded picture what is shown for a track: two
// square JPEGs without any of the upload's metadata, and accent colors for a
// light and a dark page.
//
//	images, err := cover.Make(file)
//	if errors.Is(err, cover.ErrNotPicture) { ... }
//
// JPEG, PNG, GIF and WebP are read, within bounds that are checked before a
// picture is decoded. It stores nothing, and keeps no original.
//
// Start with [Make].
package cover
