package secp256k1

import (
	"fmt"

	"github.com/cloudflare/circl/group"
	voi "gitlab.com/yawning/secp256k1-voi"
)

// Element is a point of the curve. Make one with Group.NewElement: the zero value is not usable.
type Element struct{ p voi.Point }

func newElement() *Element {
	e := new(Element)
	e.p.Identity()
	return e
}

// element panics on an element of another group: mixing groups is a fault of the program, never of its input.
func element(x group.Element) *Element {
	e, ok := x.(*Element)
	if !ok {
		panic(group.ErrType)
	}
	return e
}

// Group returns secp256k1.
func (e *Element) Group() group.Group { return Group }

// String returns the element's encoding in hexadecimal.
func (e *Element) String() string { return fmt.Sprintf("%x", e.p.CompressedBytes()) }

// Set sets the receiver to x, and returns the receiver.
func (e *Element) Set(x group.Element) group.Element {
	e.p.Set(&element(x).p)
	return e
}

// Copy returns a new element equal to the receiver.
func (e *Element) Copy() group.Element { return newElement().Set(e) }

// IsIdentity returns whether the receiver is the identity.
func (e *Element) IsIdentity() bool { return e.p.IsIdentity() == 1 }

// IsEqual returns whether the receiver equals x.
func (e *Element) IsEqual(x group.Element) bool { return e.p.Equal(&element(x).p) == 1 }

// CMov sets the receiver to x if b is 1 and leaves it if b is 0; it panics on another b.
func (e *Element) CMov(b int, x group.Element) group.Element {
	e.p.ConditionalSelect(&e.p, &element(x).p, selector(b))
	return e
}

// CSelect sets the receiver to x if b is 1 and to y if b is 0; it panics on another b.
func (e *Element) CSelect(b int, x, y group.Element) group.Element {
	e.p.ConditionalSelect(&element(y).p, &element(x).p, selector(b))
	return e
}

// Add sets the receiver to x + y, and returns the receiver.
func (e *Element) Add(x, y group.Element) group.Element {
	e.p.Add(&element(x).p, &element(y).p)
	return e
}

// Dbl sets the receiver to 2x, and returns the receiver.
func (e *Element) Dbl(x group.Element) group.Element {
	e.p.Double(&element(x).p)
	return e
}

// Neg sets the receiver to -x, and returns the receiver.
func (e *Element) Neg(x group.Element) group.Element {
	e.p.Negate(&element(x).p)
	return e
}

// Mul sets the receiver to s * x, and returns the receiver.
func (e *Element) Mul(x group.Element, s group.Scalar) group.Element {
	e.p.ScalarMult(&scalar(s).s, &element(x).p)
	return e
}

// MulGen sets the receiver to s * G, and returns the receiver.
func (e *Element) MulGen(s group.Scalar) group.Element {
	e.p.ScalarBaseMult(&scalar(s).s)
	return e
}

// MarshalBinary returns the 33-byte compressed encoding, or ErrElement for the identity, which has none.
func (e *Element) MarshalBinary() ([]byte, error) {
	b := e.p.CompressedBytes()
	if len(b) != ElementSize {
		return nil, fmt.Errorf("%w: identity", ErrElement)
	}
	return b, nil
}

// MarshalBinaryCompress is MarshalBinary: there is one encoding.
func (e *Element) MarshalBinaryCompress() ([]byte, error) { return e.MarshalBinary() }

// UnmarshalBinary sets the receiver from exactly 33 bytes with tag 02 or 03; on an error the receiver is unchanged.
func (e *Element) UnmarshalBinary(b []byte) error {
	if _, err := e.p.SetCompressedBytes(b); err != nil {
		return fmt.Errorf("%w: %w", ErrElement, err)
	}
	return nil
}

// selector turns the 0 or 1 of circl's interface into the backend's control word.
func selector(b int) uint64 {
	if b != 0 && b != 1 {
		panic(group.ErrSelector)
	}
	return uint64(b)
}
