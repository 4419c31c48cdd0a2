package secp256k1

import (
	"log/slog"
	"math/big"

	"github.com/cloudflare/circl/group"
	voi "gitlab.com/yawning/secp256k1-voi"
	"golang.org/x/crypto/cryptobyte"
)

// Scalar is an integer modulo the group order. The zero value is zero. Scalars are mostly secrets, so they print and
// log as [redacted]; MarshalBinary gives the value.
type Scalar struct{ s voi.Scalar }

// scalar panics on a scalar of another group: mixing groups is a fault of the program, never of its input.
func scalar(x group.Scalar) *Scalar {
	s, ok := x.(*Scalar)
	if !ok {
		panic(group.ErrType)
	}
	return s
}

// Group returns secp256k1.
func (s *Scalar) Group() group.Group { return Group }

// String returns "[redacted]".
func (s *Scalar) String() string { return "[redacted]" }

// LogValue keeps the scalar out of logs.
func (s *Scalar) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Set sets the receiver to x, and returns the receiver.
func (s *Scalar) Set(x group.Scalar) group.Scalar {
	s.s.Set(&scalar(x).s)
	return s
}

// Copy returns a new scalar equal to the receiver.
func (s *Scalar) Copy() group.Scalar { return new(Scalar).Set(s) }

// IsZero returns whether the receiver is zero.
func (s *Scalar) IsZero() bool { return s.s.IsZero() == 1 }

// IsEqual returns whether the receiver equals x.
func (s *Scalar) IsEqual(x group.Scalar) bool { return s.s.Equal(&scalar(x).s) == 1 }

// IsHigh returns whether the receiver is greater than (n-1)/2, in constant time.
func (s *Scalar) IsHigh() bool { return s.s.IsGreaterThanHalfN() == 1 }

// SetUint64 sets the receiver to x, and returns the receiver.
func (s *Scalar) SetUint64(x uint64) group.Scalar {
	s.s.Set(voi.NewScalarFromUint64(x))
	return s
}

// SetBigInt sets the receiver to b modulo the order, and returns the receiver. It is not constant time.
func (s *Scalar) SetBigInt(b *big.Int) group.Scalar {
	var enc [ScalarSize]byte
	new(big.Int).Mod(b, order()).FillBytes(enc[:])
	s.s.SetBytes(&enc)
	return s
}

// CMov sets the receiver to x if b is 1 and leaves it if b is 0; it panics on another b.
func (s *Scalar) CMov(b int, x group.Scalar) group.Scalar {
	s.s.ConditionalSelect(&s.s, &scalar(x).s, selector(b))
	return s
}

// CSelect sets the receiver to x if b is 1 and to y if b is 0; it panics on another b.
func (s *Scalar) CSelect(b int, x, y group.Scalar) group.Scalar {
	s.s.ConditionalSelect(&scalar(y).s, &scalar(x).s, selector(b))
	return s
}

// Add sets the receiver to x + y, and returns the receiver.
func (s *Scalar) Add(x, y group.Scalar) group.Scalar {
	s.s.Add(&scalar(x).s, &scalar(y).s)
	return s
}

// Sub sets the receiver to x - y, and returns the receiver.
func (s *Scalar) Sub(x, y group.Scalar) group.Scalar {
	s.s.Subtract(&scalar(x).s, &scalar(y).s)
	return s
}

// Mul sets the receiver to x * y, and returns the receiver.
func (s *Scalar) Mul(x, y group.Scalar) group.Scalar {
	s.s.Multiply(&scalar(x).s, &scalar(y).s)
	return s
}

// Neg sets the receiver to -x, and returns the receiver.
func (s *Scalar) Neg(x group.Scalar) group.Scalar {
	s.s.Negate(&scalar(x).s)
	return s
}

// Inv sets the receiver to 1/x, and returns the receiver. The inverse of zero is zero.
func (s *Scalar) Inv(x group.Scalar) group.Scalar {
	s.s.Invert(&scalar(x).s)
	return s
}

// MarshalBinary returns the 32-byte big-endian encoding; the error is always nil.
func (s *Scalar) MarshalBinary() ([]byte, error) { return s.s.Bytes(), nil }

// UnmarshalBinary sets the receiver from exactly 32 bytes below the order; on an error the receiver is unchanged.
func (s *Scalar) UnmarshalBinary(b []byte) error {
	if len(b) != ScalarSize {
		return ErrScalar
	}
	if _, err := s.s.SetCanonicalBytes((*[ScalarSize]byte)(b)); err != nil {
		return ErrScalar
	}
	return nil
}

// Marshal appends the 32-byte encoding to b.
func (s *Scalar) Marshal(b *cryptobyte.Builder) error {
	b.AddBytes(s.s.Bytes())
	return nil
}

// Unmarshal reads a 32-byte encoding from str and returns whether there was a strict one.
func (s *Scalar) Unmarshal(str *cryptobyte.String) bool {
	var b []byte
	return str.ReadBytes(&b, ScalarSize) && s.UnmarshalBinary(b) == nil
}

// order returns n, as n-1 is the encoding of -1.
func order() *big.Int {
	minusOne := new(voi.Scalar).Negate(new(voi.Scalar).One())
	n := new(big.Int).SetBytes(minusOne.Bytes())
	return n.Add(n, big.NewInt(1))
}
