package umbral

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/cloudflare/circl/group"

	"antiphon/media/pre/secp256k1"
)

// SignatureSize is the length in bytes of an encoded Signature.
const SignatureSize = 2 * scalarSize

// Signature is ECDSA over secp256k1 and SHA-256, with s at most (n-1)/2.
type Signature struct {
	r, s group.Scalar
	enc  [SignatureSize]byte
}

// ParseSignature decodes r and s, 32 bytes big-endian each, both in [1, n-1] and s low; anything else is ErrEncoding.
func ParseSignature(b []byte) (*Signature, error) {
	if len(b) != SignatureSize {
		return nil, fmt.Errorf("signature: %w: %d bytes", ErrEncoding, len(b))
	}
	r, err := parseScalar(b[:scalarSize])
	if err != nil {
		return nil, fmt.Errorf("signature r: %w", err)
	}
	s, err := parseScalar(b[scalarSize:])
	if err != nil {
		return nil, fmt.Errorf("signature s: %w", err)
	}
	if r.IsZero() || s.IsZero() {
		return nil, fmt.Errorf("signature: %w: zero", ErrEncoding)
	}
	if isHigh(s) {
		return nil, fmt.Errorf("signature: %w: high s", ErrEncoding)
	}
	return &Signature{r: r, s: s, enc: [SignatureSize]byte(b)}, nil
}

// Bytes returns r || s, 64 bytes.
func (s *Signature) Bytes() []byte { return append([]byte(nil), s.enc[:]...) }

// Sign signs SHA-256(message). The nonce is RFC 6979's with 32 bytes of rand as additional data (section 3.6), so that
// neither a bad rand nor a fault in repetition alone gives the key away.
func (k *SecretKey) Sign(rand io.Reader, message []byte) (*Signature, error) {
	var entropy [scalarSize]byte
	if _, err := io.ReadFull(rand, entropy[:]); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	z, _ := digestScalar(message)
	nonces := newNonceSource(k.k, z, entropy[:])
	for {
		nonce := nonces.next()
		point, err := mulGen(nonce)
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		r := xScalar(point)
		// s = (z + r * key) / nonce
		s := curve.NewScalar().Mul(r, k.k)
		s.Add(s, z)
		s.Mul(s, curve.NewScalar().Inv(nonce))
		if r.IsZero() || s.IsZero() {
			continue
		}
		if isHigh(s) {
			s.Neg(s)
		}
		return newSignature(r, s), nil
	}
}

// Verify returns nil if the signature is this key's over SHA-256(message), else ErrSignature. It is not constant time:
// nothing in it is secret.
func (k *PublicKey) Verify(message []byte, sig *Signature) error {
	z, _ := digestScalar(message)
	inverse := curve.NewScalar().Inv(sig.s)
	u1 := curve.NewScalar().Mul(z, inverse)
	u2 := inverse.Mul(sig.r, inverse)
	p, err := newPoint(curve.GenMulAddVartime(u1, u2, k.p.e))
	if err != nil || !xScalar(p).IsEqual(sig.r) {
		return ErrSignature
	}
	return nil
}

func newSignature(r, s group.Scalar) *Signature {
	sig := &Signature{r: r, s: s}
	re, se := encodeScalar(r), encodeScalar(s)
	copy(sig.enc[:], re[:])
	copy(sig.enc[scalarSize:], se[:])
	return sig
}

// isHigh asks the adapter, as circl's interface has no order on scalars.
func isHigh(s group.Scalar) bool { return s.(*secp256k1.Scalar).IsHigh() }

func xScalar(p point) group.Scalar {
	s, _ := curve.ReduceScalar((*[scalarSize]byte)(p.enc[1:]))
	return s
}

func digestScalar(message []byte) (group.Scalar, [sha256.Size]byte) {
	digest := sha256.Sum256(message)
	s, _ := curve.ReduceScalar(&digest)
	return s, digest
}

// nonceSource is the HMAC-DRBG of RFC 6979 section 3.2 over SHA-256.
type nonceSource struct {
	k, v []byte
}

func newNonceSource(key, z group.Scalar, entropy []byte) *nonceSource {
	d := &nonceSource{k: make([]byte, sha256.Size), v: make([]byte, sha256.Size)}
	for i := range d.v {
		d.v[i] = 1
	}
	keyBytes, zBytes := encodeScalar(key), encodeScalar(z)
	for _, step := range []byte{0, 1} {
		d.k = d.mac(d.v, []byte{step}, keyBytes[:], zBytes[:], entropy)
		d.v = d.mac(d.v)
	}
	return d
}

// next returns the next candidate in [1, n-1].
func (d *nonceSource) next() group.Scalar {
	for {
		d.v = d.mac(d.v)
		candidate, err := parseScalar(d.v)
		d.k = d.mac(d.v, []byte{0})
		d.v = d.mac(d.v)
		if err == nil && !candidate.IsZero() {
			return candidate
		}
	}
}

func (d *nonceSource) mac(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, d.k)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
