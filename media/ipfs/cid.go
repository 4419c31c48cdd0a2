package ipfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
)

// CID is a content identifier in its one accepted spelling: CIDv1, multibase base32 in lower case, codec raw or
// dag-pb, multihash sha2-256. A CID that came from outside is made by ParseCID; the zero value names nothing.
type CID string

// Codec says how the bytes behind a CID are to be read.
type Codec byte

const (
	// Raw is the codec of a block that is nothing but bytes (multicodec 0x55).
	Raw Codec = 0x55
	// DagPB is the codec of a UnixFS node, the root of a file of many blocks (multicodec 0x70).
	DagPB Codec = 0x70
)

// ErrBadCID is returned for text that is not a CID in the accepted spelling.
var ErrBadCID = errors.New("not an accepted cid")

// cidLen is "b" and the base32 of version, codec, hash function, hash length and 32 bytes of hash.
const cidLen = 1 + 58

// ParseCID reads a CID strictly: any other version, base, codec or hash function, an identity hash, upper case,
// a path or trailing bits are ErrBadCID.
func ParseCID(s string) (CID, error) {
	if len(s) != cidLen || s[0] != 'b' {
		return "", fmt.Errorf("%w: %.80q", ErrBadCID, s)
	}
	raw, err := base32Lower().DecodeString(s[1:])
	if err != nil || len(raw) != 4+sha256.Size {
		return "", fmt.Errorf("%w: %.80q", ErrBadCID, s)
	}
	codec := Codec(raw[1])
	if !bytes.HasPrefix(raw, prefix(codec)) || codec != Raw && codec != DagPB {
		return "", fmt.Errorf("%w: %.80q", ErrBadCID, s)
	}
	c := newCID(codec, [sha256.Size]byte(raw[4:]))
	if string(c) != s { // the decoder forgives line breaks and stray trailing bits
		return "", fmt.Errorf("%w: %.80q", ErrBadCID, s)
	}
	return c, nil
}

// CIDOf is the CID of block as one raw block.
func CIDOf(block []byte) CID {
	return newCID(Raw, sha256.Sum256(block))
}

// Codec is the codec of a parsed CID, and 0 for a CID that ParseCID would refuse.
func (c CID) Codec() Codec {
	raw := c.Bytes()
	if raw == nil {
		return 0
	}
	return Codec(raw[1])
}

// Bytes is the binary form of a parsed CID (36 bytes), and nil for a CID that ParseCID would refuse.
func (c CID) Bytes() []byte {
	if _, err := ParseCID(string(c)); err != nil {
		return nil
	}
	raw, _ := base32Lower().DecodeString(string(c[1:])) // ParseCID decoded the same bytes
	return raw
}

// Matches reports whether block hashes to c.
func (c CID) Matches(block []byte) bool {
	raw := c.Bytes()
	sum := sha256.Sum256(block)
	return raw != nil && bytes.Equal(raw[4:], sum[:])
}

func newCID(codec Codec, sum [sha256.Size]byte) CID {
	return CID("b" + base32Lower().EncodeToString(append(prefix(codec), sum[:]...)))
}

// prefix is CIDv1, the codec, sha2-256 and the hash's length.
func prefix(codec Codec) []byte {
	return []byte{0x01, byte(codec), 0x12, sha256.Size}
}

func base32Lower() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}
