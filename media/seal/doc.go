// Package seal encrypts what leaves the artist's hands: the segments of a
// rendition, and whole files kept at rest.
//
// A track has one content key of 32 random bytes. Everything else is derived
// from it, so opening one capsule opens the whole track and nothing more:
//
//	ContentKey ──HKDF-SHA256, info "hls/aac128"──▶ SegmentKey  AES-128-CBC, PKCS#7, a random IV per segment
//	           ──HKDF-SHA256, info "dl/flac"─────▶ FileKey     64 KiB AEAD chunks
//	           ──SHA-256, prefixed───────────────▶ ContentKeyHash, published with the track
//
// Segments use AES-128-CBC because that is METHOD=AES-128 of RFC 8216, which
// every HLS player can open. CBC does not authenticate; a segment's integrity
// comes from its CID. Files use the STREAM construction (Hoang, Reyhanitabar,
// Rogaway and Vizár, CRYPTO 2015) with ChaCha20-Poly1305 in the layout that age
// made common, with additional data in every chunk.
//
// It is not for messages or small secrets, and it keeps no keys. AES runs in
// constant time where the processor has AES instructions, and not otherwise.
//
// Start with [NewContentKey], then [Key] and [Encrypt] for segments, or
// [NewWriter] and [NewReader] for files.
package seal
