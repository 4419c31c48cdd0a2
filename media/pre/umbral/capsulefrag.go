package umbral

import (
	"crypto/sha256"
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
	if !f.proves(capsule) {
		return nil, fmt.Errorf("verify cfrag: %w", ErrProof)
	}
	return &VerifiedCapsuleFrag{*f}, nil
}

// proves checks the proof's three equations
//
//	z*E - h*E1 = E2    z*V - h*V1 = V2    z*U - h*U1 = U2
//
// as one: with the weights 1, w and w' they are added up. The weights are hashed from everything that the equations
// speak of, so a false equation passes by chance alone, 2^-128. One sum of eight products costs two thirds of three
// sums of two.
func (f *capsuleFrag) proves(capsule *Capsule) bool {
	digest := sha256.New()
	digest.Write([]byte(tagProofWeights))
	digest.Write(capsule.enc[:])
	digest.Write(f.bytes())
	half := digest.Sum(nil)
	var low [2][scalarSize]byte
	copy(low[0][scalarSize/2:], half[:scalarSize/2])
	copy(low[1][scalarSize/2:], half[scalarSize/2:])
	wV, _ := curve.ReduceScalar(&low[0])
	wU, _ := curve.ReduceScalar(&low[1])

	z, minusH := f.proof.z, curve.NewScalar().Neg(f.hash(capsule))
	times := func(a, b group.Scalar) group.Scalar { return curve.NewScalar().Mul(a, b) }
	minus := func(p point) group.Element { return curve.NewElement().Neg(p.e) } // so that the weights stay short
	return curve.MultiMulVartime(
		[]group.Scalar{z, minusH, times(z, wV), times(minusH, wV), wV, times(z, wU), times(minusH, wU), wU},
		[]group.Element{
			capsule.e.e, f.e1.e,
			capsule.v.e, f.v1.e, minus(f.proof.v2),
			parameterPoint().e, f.proof.u1.e, minus(f.proof.u2),
		},
	).IsEqual(f.proof.e2.e)
}

// hash is the challenge of the proof.
func (f *capsuleFrag) hash(capsule *Capsule) group.Scalar {
	return hashToScalar([]byte(tagCapsuleFrag),
		capsule.e.enc[:], f.e1.enc[:], f.proof.e2.enc[:],
		capsule.v.enc[:], f.v1.enc[:], f.proof.v2.enc[:],
		parameterEncoding[:], f.proof.u1.enc[:], f.proof.u2.enc[:],
	)
}
