// Package hls turns an encoded rendition into HTTP Live Streaming (RFC 8216)
// that lives in content-addressed storage: segments cut from fragmented MP4,
// and the playlists that name them by CID.
//
//	init, segments, err := hls.Cut(file, hls.Limits{})
//	for seg, err := range segments { ... seal, store, collect the CIDs ... }
//	playlist, err := hls.Media{Rendition: "aac128", Init: cid, Segments: list}.Marshal()
//
// The profile is narrow on purpose. Every name is a bare, relative CIDv1; the
// init segment is clear (EXT-X-MAP stands before EXT-X-KEY); each segment has an
// IV of its own; the key is named key://antiphon/{rendition} and comes from the
// player, not from the network. A playlist from outside that is anything else
// is refused with a typed error and within bounds.
//
// It is not a general HLS library: no live playlists, no MPEG-TS, no byte
// ranges. It encrypts nothing (see media/seal) and stores nothing.
//
// Start with [Cut] and [Media] to write, [ParseMaster] and [ParseMedia] to read.
package hls
