package umbral

import (
	"fmt"

	"github.com/cloudflare/circl/group"
)

const (
	// CapsuleFragSize is the length in bytes of a CapsuleFrag's simple encoding, the one on the wire.
	CapsuleFragSize = 359
	// CapsuleFragMessagePackSize is the length in bytes of a CapsuleFrag's MessagePack encoding.
	CapsuleFragMessagePackSize = CapsuleFragSize + 2 + 10*2
)

// CapsuleFrag is a capsule fragment as it came from a proxy: decoded, not verified, of no use but to be verified.
//
// Simple encoding: E1 0, V1 33, id 66, X 98, E2 131, V2 164, U1 197, U2 230, z 263, signature for the receiver 295.
type CapsuleFrag struct{ f capsuleFrag }

// VerifiedCapsuleFrag is a capsule fragment that was verified, or made here. Nothing in it is secret, but any threshold
// of them opens the capsule for the receiver.
type VerifiedCapsuleFrag struct{ f capsuleFrag }

type capsuleFrag struct {
	e1, v1    point
	id        [idSize]byte
	precursor point // X
	proof     proof
}

// proof shows that E1, V1 and the kfrag's commitment U1 have the same factor to E, V and U.
type proof struct {
	e2, v2, u1, u2 point
	z              group.Scalar
	forReceiver    *Signature
}

// ParseCapsuleFrag decodes the simple encoding, exactly 359 bytes; anything else is ErrEncoding.
func ParseCapsuleFrag(b []byte) (*CapsuleFrag, error) { return readCapsuleFrag(&reader{rest: b}) }

// ParseCapsuleFragMessagePack decodes exactly 381 bytes of canonical MessagePack; anything else is ErrEncoding.
func ParseCapsuleFragMessagePack(b []byte) (*CapsuleFrag, error) {
	return readCapsuleFrag(&reader{rest: b, framed: true})
}

func readCapsuleFrag(r *reader) (*CapsuleFrag, error) {
	var f capsuleFrag
	r.array(5)
	f.e1, f.v1 = r.point(), r.point()
	f.id = r.id()
	f.precursor = r.point()
	r.array(6)
	f.proof.e2, f.proof.v2 = r.point(), r.point()
	f.proof.u1, f.proof.u2 = r.point(), r.point()
	f.proof.z = r.scalar()
	f.proof.forReceiver = r.signature()
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("cfrag: %w", err)
	}
	return &CapsuleFrag{f}, nil
}

// fields lists the encoded fields in their order; before the fifth, MessagePack opens the array of the proof.
func (f *capsuleFrag) fields() [10][]byte {
	z := encodeScalar(f.proof.z)
	return [10][]byte{
		f.e1.enc[:], f.v1.enc[:], f.id[:], f.precursor.enc[:],
		f.proof.e2.enc[:], f.proof.v2.enc[:], f.proof.u1.enc[:], f.proof.u2.enc[:], z[:], f.proof.forReceiver.enc[:],
	}
}

func (f *capsuleFrag) bytes() []byte {
	b := make([]byte, 0, CapsuleFragSize)
	for _, field := range f.fields() {
		b = append(b, field...)
	}
	return b
}

func (f *capsuleFrag) messagePack() []byte {
	b := appendArray(make([]byte, 0, CapsuleFragMessagePackSize), 5)
	for i, field := range f.fields() {
		if i == 4 {
			b = appendArray(b, 6)
		}
		b = appendBin(b, field)
	}
	return b
}

// Bytes returns the simple encoding, 359 bytes.
func (c *CapsuleFrag) Bytes() []byte { return c.f.bytes() }

// MessagePack returns the encoding that the reference calls toBytes, 381 bytes.
func (c *CapsuleFrag) MessagePack() []byte { return c.f.messagePack() }

// Bytes returns the simple encoding, 359 bytes. Read back, it is a CapsuleFrag and must be verified again.
func (c *VerifiedCapsuleFrag) Bytes() []byte { return c.f.bytes() }

// MessagePack returns the encoding that the reference calls toBytes, 381 bytes.
func (c *VerifiedCapsuleFrag) MessagePack() []byte { return c.f.messagePack() }

// Verify is the receiver's check that the cfrag comes from a kfrag signed under these keys and is the honest
// re-encryption of this capsule. Errors: ErrKeys, ErrSignature, ErrProof.
func (c *CapsuleFrag) Verify(capsule *Capsule, keys Keys) (*VerifiedCapsuleFrag, error) {
	if err := keys.Check(); err != nil {
		return nil, fmt.Errorf("verify cfrag: %w", err)
	}
	f := &c.f
	message := fragMessage(f.id, f.proof.u1, f.precursor, keys.Delegating, keys.Receiving)
	if err := keys.Verifying.Verify(message, f.proof.forReceiver); err != nil {
		return nil, fmt.Errorf("verify cfrag: %w", err)
	}
	minusH := curve.NewScalar().Neg(f.hash(capsule))
	for _, equation := range []struct{ base, image, nonce point }{
		{capsule.e, f.e1, f.proof.e2},
		{capsule.v, f.v1, f.proof.v2},
		{parameterPoint(), f.proof.u1, f.proof.u2},
	} {
		// z*base - h*image = nonce
		got := curve.MultiMulVartime(
			[]group.Scalar{f.proof.z, minusH},
			[]group.Element{equation.base.e, equation.image.e},
		)
		if !got.IsEqual(equation.nonce.e) {
			return nil, fmt.Errorf("verify cfrag: %w", ErrProof)
		}
	}
	return &VerifiedCapsuleFrag{*f}, nil
}

// hash is the challenge of the proof.
func (f *capsuleFrag) hash(capsule *Capsule) group.Scalar {
	return hashToScalar([]byte(tagCapsuleFrag),
		capsule.e.enc[:], f.e1.enc[:], f.proof.e2.enc[:],
		capsule.v.enc[:], f.v1.enc[:], f.proof.v2.enc[:],
		parameterEncoding[:], f.proof.u1.enc[:], f.proof.u2.enc[:],
	)
}
