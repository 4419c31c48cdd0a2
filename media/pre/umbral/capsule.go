package umbral

import (
	"bytes"
	"fmt"
	"io"

	"github.com/cloudflare/circl/group"
)

const (
	// CapsuleSize is the length in bytes of a Capsule's simple encoding, the one on the wire.
	CapsuleSize = 2*pointSize + scalarSize
	// CapsuleMessagePackSize is the length in bytes of a Capsule's MessagePack encoding.
	CapsuleMessagePackSize = CapsuleSize + 1 + 3*2
)

// Capsule seals the key of one ciphertext to a delegating key: the points E and V and the scalar S with
// S*G = V + H(E, V)*E. It is public. A Capsule has always passed that check: Encrypt makes it so and parsing checks it.
type Capsule struct {
	e, v point
	s    group.Scalar
	enc  [CapsuleSize]byte
}

func newCapsule(e, v point, s group.Scalar) *Capsule {
	c := &Capsule{e: e, v: v, s: s}
	sb := encodeScalar(s)
	copy(c.enc[:], bytes.Join([][]byte{e.enc[:], v.enc[:], sb[:]}, nil))
	return c
}

// ParseCapsule decodes the simple encoding, 98 bytes: E (33), V (33), S (32). Errors are ErrEncoding and ErrCapsule.
func ParseCapsule(b []byte) (*Capsule, error) { return readCapsule(&reader{rest: b}) }

// ParseCapsuleMessagePack decodes the MessagePack encoding, 105 bytes. Errors are ErrEncoding and ErrCapsule.
func ParseCapsuleMessagePack(b []byte) (*Capsule, error) {
	return readCapsule(&reader{rest: b, framed: true})
}

func readCapsule(r *reader) (*Capsule, error) {
	r.array(3)
	e, v, s := r.point(), r.point(), r.scalar()
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("capsule: %w", err)
	}
	c := newCapsule(e, v, s)
	return c, c.check()
}

// check also refuses V = -E. Anyone can make such a capsule pass the equation, and its key would be the identity.
func (c *Capsule) check() error {
	if c.e.enc[0] != c.v.enc[0] && bytes.Equal(c.e.enc[1:], c.v.enc[1:]) {
		return fmt.Errorf("%w: key is the identity", ErrCapsule)
	}
	minusH := curve.NewScalar().Neg(c.hash())
	if !curve.GenMulAddVartime(c.s, minusH, c.e.e).IsEqual(c.v.e) {
		return ErrCapsule
	}
	return nil
}

func (c *Capsule) hash() group.Scalar {
	return hashToScalar([]byte(tagCapsulePoints), c.e.enc[:], c.v.enc[:])
}

// Bytes returns the simple encoding, 98 bytes.
func (c *Capsule) Bytes() []byte { return bytes.Clone(c.enc[:]) }

// MessagePack returns the encoding that the reference calls toBytes, 105 bytes.
func (c *Capsule) MessagePack() []byte {
	b := appendArray(make([]byte, 0, CapsuleMessagePackSize), 3)
	b = appendBin(b, c.e.enc[:])
	b = appendBin(b, c.v.enc[:])
	return appendBin(b, c.enc[2*pointSize:])
}

// Equal returns whether both are the same capsule.
func (c *Capsule) Equal(other *Capsule) bool { return c.enc == other.enc }

// Encrypt seals plaintext to a delegating public key. The ciphertext is CiphertextOverhead bytes longer than the
// plaintext and bound to the capsule. From rand it draws two scalars (32 bytes each, again if out of range) and then a
// nonce of 24 bytes.
func Encrypt(rand io.Reader, delegating *PublicKey, plaintext []byte) (*Capsule, []byte, error) {
	r, err := drawScalar(rand)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	u, err := drawScalar(rand)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	e, err := mulGen(r)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	v, err := mulGen(u)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	h := hashToScalar([]byte(tagCapsulePoints), e.enc[:], v.enc[:])
	s := curve.NewScalar().Mul(r, h)
	s.Add(s, u)
	capsule := newCapsule(e, v, s)

	seed, err := mulPoint(r.Add(r, u), delegating.p)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	ciphertext, err := sealData(rand, seed, plaintext, capsule)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	return capsule, ciphertext, nil
}

// DecryptOriginal opens a ciphertext with the delegating secret key itself, without any proxy. The error is
// ErrCiphertext when key, capsule and ciphertext do not belong together.
func DecryptOriginal(delegating *SecretKey, capsule *Capsule, ciphertext []byte) ([]byte, error) {
	sum, err := newPoint(curve.NewElement().Add(capsule.e.e, capsule.v.e))
	if err != nil {
		return nil, fmt.Errorf("decrypt original: %w", err)
	}
	seed, err := mulPoint(delegating.k, sum)
	if err != nil {
		return nil, fmt.Errorf("decrypt original: %w", err)
	}
	return openData(seed, ciphertext, capsule)
}
