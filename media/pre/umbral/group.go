package umbral

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/cloudflare/circl/group"

	"antiphon/media/pre/secp256k1"
)

const (
	pointSize  = secp256k1.ElementSize
	scalarSize = secp256k1.ScalarSize
)

// curve is the group of the scheme. The scheme itself is written over circl's interfaces; from the adapter it needs
// beyond them a scalar drawn or reduced in constant time, and sums of products.
var curve = secp256k1.Group

// point is an element other than the identity with its encoding, which is hashed and sent far more often than computed.
type point struct {
	e   group.Element
	enc [pointSize]byte
}

func newPoint(e group.Element) (point, error) {
	b, err := e.MarshalBinaryCompress()
	if err != nil || len(b) != pointSize {
		return point{}, fmt.Errorf("%w: identity", ErrEncoding)
	}
	return point{e: e, enc: [pointSize]byte(b)}, nil
}

func parsePoint(b []byte) (point, error) {
	e := curve.NewElement()
	if err := e.UnmarshalBinary(b); err != nil {
		return point{}, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	return point{e: e, enc: [pointSize]byte(b)}, nil
}

func parseScalar(b []byte) (group.Scalar, error) {
	s := curve.NewScalar()
	if err := s.UnmarshalBinary(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	return s, nil
}

func mulPoint(s group.Scalar, p point) (point, error) {
	return newPoint(curve.NewElement().Mul(p.e, s))
}

func mulGen(s group.Scalar) (point, error) {
	return newPoint(curve.NewElement().MulGen(s))
}

// encodeScalar relies on MarshalBinary of the adapter, which has no failure.
func encodeScalar(s group.Scalar) [scalarSize]byte {
	b, _ := s.MarshalBinary()
	return [scalarSize]byte(b)
}

// drawScalar draws 32 bytes until they stand for a scalar in [1, n-1].
func drawScalar(rand io.Reader) (group.Scalar, error) {
	for {
		s, err := curve.DrawScalar(rand)
		if err != nil {
			return nil, fmt.Errorf("draw scalar: %w", err)
		}
		if !s.IsZero() {
			return s, nil
		}
	}
}

// hashToScalar is the scheme's only hash to a scalar:
// 1 + (SHA-256(be32(len(tag)) || tag || parts...) mod (n - 1)), hence in [1, n-1].
func hashToScalar(tag []byte, parts ...[]byte) group.Scalar {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(tag))))
	h.Write(tag)
	for _, p := range parts {
		h.Write(p)
	}
	var digest [sha256.Size]byte
	h.Sum(digest[:0])

	// Modulo n - 1 from modulo n: when the digest is not below n, one more is left over; and n - 1 goes to zero.
	reduced, over := curve.ReduceScalar(&digest)
	one := curve.NewScalar().SetUint64(1)
	s := reduced.Add(reduced, one)
	next := s.Copy().Add(s, one)
	s.CMov(over, next)
	isZero := 0
	if s.IsZero() { // probability 2^-256; a branch on it tells nothing
		isZero = 1
	}
	return s.CMov(isZero, one)
}

// parameterPoint returns U, the second generator: hash_to_curve of RFC 9380, suite secp256k1_XMD:SHA-256_SSWU_RO_, of
// "POINT_U" under "PARAMETERS". Nobody knows its logarithm. A test derives it again.
var parameterPoint = sync.OnceValue(func() point {
	p, err := parsePoint(parameterEncoding[:])
	if err != nil {
		panic(err) // a constant of the program
	}
	return p
})

var parameterEncoding = [pointSize]byte{
	0x03, 0x07, 0x93, 0x90, 0xd0, 0xfb, 0xe2, 0x20, 0xfc, 0x34, 0xaa, 0xb8, 0xec, 0xbf, 0x49, 0x09, 0x80,
	0x98, 0x03, 0x68, 0x20, 0xfa, 0xdb, 0x98, 0xc0, 0x31, 0x43, 0xe5, 0x5d, 0xb8, 0xec, 0x73, 0xcd,
}
