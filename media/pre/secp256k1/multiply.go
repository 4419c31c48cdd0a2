package secp256k1

import (
	"github.com/cloudflare/circl/group"
	voi "gitlab.com/yawning/secp256k1-voi"
)

// MultiMul returns the sum of scalars[i] * elements[i] in constant time (only the count shows).
// It panics when the lengths differ.
func (Curve) MultiMul(scalars []group.Scalar, elements []group.Element) group.Element {
	e := newElement()
	e.p.MultiScalarMult(unwrap(scalars, elements))
	return e
}

// MultiMulVartime is MultiMul in variable time: every input must be public.
func (Curve) MultiMulVartime(scalars []group.Scalar, elements []group.Element) group.Element {
	e := newElement()
	e.p.MultiScalarMultVartime(unwrap(scalars, elements))
	return e
}

// GenMulAddVartime returns a * G + b * x in variable time: every input must be public.
func (Curve) GenMulAddVartime(a, b group.Scalar, x group.Element) group.Element {
	e := newElement()
	e.p.DoubleScalarMultBasepointVartime(&scalar(a).s, &scalar(b).s, &element(x).p)
	return e
}

func unwrap(scalars []group.Scalar, elements []group.Element) ([]*voi.Scalar, []*voi.Point) {
	ss, ps := make([]*voi.Scalar, len(scalars)), make([]*voi.Point, len(elements))
	for i, s := range scalars {
		ss[i] = &scalar(s).s
	}
	for i, e := range elements {
		ps[i] = &element(e).p
	}
	return ss, ps
}
