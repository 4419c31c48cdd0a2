// Package secp256k1 is the curve secp256k1 as a group of github.com/cloudflare/circl/group, over the constant-time
// arithmetic of gitlab.com/yawning/secp256k1-voi.
//
// It is the only place where the curve's backend is named. It is not a signature library and not for general
// elliptic-curve work: Umbral (media/pre/umbral) and the Ethereum signatures of payments have their own rooms.
// Start with Group:
//
//	g := secp256k1.Group
//	k := g.RandomNonZeroScalar(rand.Reader)
//	p := g.NewElement().MulGen(k)
//
// All operations run in constant time except those whose name ends in Vartime, SetBigInt (math/big), and the
// rejection of malformed encodings. Decoding is strict: an element is 33 bytes with tag 02 or 03 and never the
// identity, a scalar is 32 bytes and below the group order.
package secp256k1

import (
	"crypto"
	_ "crypto/sha256" // for crypto.SHA256
	"errors"
	"io"

	"github.com/cloudflare/circl/expander"
	"github.com/cloudflare/circl/group"
	voi "gitlab.com/yawning/secp256k1-voi"
	"gitlab.com/yawning/secp256k1-voi/secec/h2c"
)

const (
	// ElementSize is the length in bytes of an encoded element (SEC 1 section 2.3.3, compressed).
	ElementSize = voi.CompressedPointSize
	// ScalarSize is the length in bytes of an encoded scalar (big-endian).
	ScalarSize = voi.ScalarSize
)

var (
	// ErrElement says that bytes are not the compressed encoding of an element other than the identity.
	ErrElement = errors.New("secp256k1: malformed element")
	// ErrScalar says that bytes are not 32, or stand for an integer that is not below the group order.
	ErrScalar = errors.New("secp256k1: malformed scalar")
)

// Group is secp256k1, of prime order n and cofactor 1.
var Group = Curve{}

var (
	_ group.Group   = Curve{}
	_ group.Element = (*Element)(nil)
	_ group.Scalar  = (*Scalar)(nil)
)

// Curve implements group.Group. It has no state: all its values are the same group.
type Curve struct{}

// String returns the curve's name.
func (Curve) String() string { return "secp256k1" }

// Params returns the encoded lengths. The element's two lengths are equal, because only the compressed form is used.
func (Curve) Params() *group.Params {
	return &group.Params{ElementLength: ElementSize, CompressedElementLength: ElementSize, ScalarLength: ScalarSize}
}

// NewElement returns a new element set to the identity.
func (Curve) NewElement() group.Element { return newElement() }

// Identity returns a new element set to the identity.
func (Curve) Identity() group.Element { return newElement() }

// Generator returns a new element set to the standard generator G.
func (Curve) Generator() group.Element {
	e := newElement()
	e.p.Generator()
	return e
}

// NewScalar returns a new scalar set to zero.
func (Curve) NewScalar() group.Scalar { return new(Scalar) }

// RandomElement returns a uniform element that nobody knows the discrete logarithm of.
// It panics, as group.Group has no error to return, when rnd fails.
func (c Curve) RandomElement(rnd io.Reader) group.Element {
	var seed [ScalarSize]byte
	if _, err := io.ReadFull(rnd, seed[:]); err != nil {
		panic(err)
	}
	return c.HashToElement(seed[:], []byte("antiphon/secp256k1/random-element"))
}

// RandomScalar returns a uniform scalar: 32 bytes are drawn until they stand for an integer below the order.
// It panics, as group.Group has no error to return, when rnd fails. See DrawScalar.
func (c Curve) RandomScalar(rnd io.Reader) group.Scalar {
	s, err := c.DrawScalar(rnd)
	if err != nil {
		panic(err)
	}
	return s
}

// RandomNonZeroScalar returns a uniform scalar other than zero, drawn like RandomScalar.
func (c Curve) RandomNonZeroScalar(rnd io.Reader) group.Scalar {
	for {
		if s := c.RandomScalar(rnd); !s.IsZero() {
			return s
		}
	}
}

// DrawScalar returns a uniform scalar, or the error of rnd. It draws 32 bytes at a time and draws again when they
// are not below the order, so a replayed rnd gives the same scalar.
func (Curve) DrawScalar(rnd io.Reader) (*Scalar, error) {
	var b [ScalarSize]byte
	for {
		if _, err := io.ReadFull(rnd, b[:]); err != nil {
			return nil, err
		}
		s := new(Scalar)
		if _, err := s.s.SetCanonicalBytes(&b); err == nil {
			return s, nil
		}
	}
}

// ReduceScalar returns the 32-byte big-endian integer b modulo the order, and 1 if b was not below it, else 0.
func (Curve) ReduceScalar(b *[ScalarSize]byte) (*Scalar, int) {
	s := new(Scalar)
	_, over := s.s.SetBytes(b)
	return s, int(over)
}

// HashToElement hashes msg to a uniform element (RFC 9380, secp256k1_XMD:SHA-256_SSWU_RO_).
// It panics when dst is empty, which RFC 9380 section 3.1 forbids.
func (Curve) HashToElement(msg, dst []byte) group.Element {
	p, err := h2c.Secp256k1_XMD_SHA256_SSWU_RO(dst, msg)
	if err != nil {
		panic(err)
	}
	return &Element{p: *p}
}

// HashToElementNonUniform hashes msg to an element (RFC 9380, secp256k1_XMD:SHA-256_SSWU_NU_).
// It panics when dst is empty, which RFC 9380 section 3.1 forbids.
func (Curve) HashToElementNonUniform(msg, dst []byte) group.Element {
	p, err := h2c.Secp256k1_XMD_SHA256_SSWU_NU(dst, msg)
	if err != nil {
		panic(err)
	}
	return &Element{p: *p}
}

// HashToScalar hashes msg to a uniform scalar: hash_to_field of RFC 9380 section 5 modulo the group order, with
// expand_message_xmd over SHA-256 and L = 48. (Umbral's own hash to a scalar is another one: see media/pre/umbral.)
func (c Curve) HashToScalar(msg, dst []byte) group.Scalar {
	const half = 24
	b := expander.NewExpanderMD(crypto.SHA256, dst).Expand(msg, 2*half)
	var high, low, shift [ScalarSize]byte
	copy(high[ScalarSize-half:], b[:half])
	copy(low[ScalarSize-half:], b[half:])
	shift[ScalarSize-half-1] = 1

	hi, _ := c.ReduceScalar(&high)
	lo, _ := c.ReduceScalar(&low)
	by, _ := c.ReduceScalar(&shift)
	return hi.Add(hi.Mul(hi, by), lo)
}
