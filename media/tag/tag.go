// Package tag writes into an audio file what it is: title, artist, cover. It is for files that buyers take away; what
// an upload says of itself is read by media/probe. Begin with Write.
package tag

import (
	"fmt"

	"go.senan.xyz/taglib"
)

// Tags are what is written. Empty ones are left out.
type Tags struct {
	Title, Artist, Album, License string
	// Date is the day of release, as 2006-01-02.
	Date string
	// URL is the address of the track's page.
	URL string
}

// Write writes tags, and cover when it is not empty (JPEG or PNG), into a FLAC, MP3 or Opus file, in place of all
// that it had.
func Write(path string, t Tags, cover []byte) error {
	tags := map[string][]string{}
	for key, value := range map[string]string{
		taglib.Title: t.Title, taglib.Artist: t.Artist, taglib.AlbumArtist: t.Artist, taglib.Album: t.Album, taglib.License: t.License,
		taglib.Date: t.Date, taglib.URL: t.URL,
	} {
		if value != "" {
			tags[key] = []string{value}
		}
	}
	if err := taglib.WriteTags(path, tags, taglib.Clear); err != nil {
		return fmt.Errorf("write tags: %w", err)
	}
	if len(cover) == 0 {
		return nil
	}
	if err := taglib.WriteImage(path, cover); err != nil {
		return fmt.Errorf("write cover: %w", err)
	}
	return nil
}
