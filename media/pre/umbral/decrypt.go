package umbral

import (
	"fmt"

	"github.com/cloudflare/circl/group"
)

// DecryptParams is what the receiver has in hand. The cfrags must be of one set and of this capsule; at least as many
// as the threshold, and all of them are used.
type DecryptParams struct {
	Receiving    *SecretKey // b
	Delegating   *PublicKey // A
	Capsule      *Capsule
	CapsuleFrags []*VerifiedCapsuleFrag
	Ciphertext   []byte
}

// DecryptReencrypted opens a ciphertext with re-encrypted capsule fragments. Errors: ErrFragments, ErrOpen,
// ErrCiphertext.
func DecryptReencrypted(p DecryptParams) ([]byte, error) {
	seed, err := p.open()
	if err != nil {
		return nil, fmt.Errorf("decrypt re-encrypted: %w", err)
	}
	plaintext, err := openData(seed, p.Ciphertext, p.Capsule)
	if err != nil {
		return nil, fmt.Errorf("decrypt re-encrypted: %w", err)
	}
	return plaintext, nil
}

// open returns the shared point K = d*(E' + V'), where E' and V' are interpolated from the cfrags with coefficients
// lambda_i and d is the shared scalar. With mu_i = d*lambda_i:
//
//	K   = sum of mu_i * (E1_i + V1_i)
//	S*A = d*(h*E' + V') = (h-1) * sum of mu_i * E1_i + K
//
// The second line is the scheme's check (S/d)*A = h*E' + V', times d; so written it costs one multiplication a cfrag
// instead of four.
func (p DecryptParams) open() (point, error) {
	if len(p.CapsuleFrags) == 0 {
		return point{}, fmt.Errorf("%w: none", ErrFragments)
	}
	precursor := p.CapsuleFrags[0].f.precursor
	for _, c := range p.CapsuleFrags {
		if c.f.precursor.enc != precursor.enc {
			return point{}, fmt.Errorf("%w: of different sets", ErrFragments)
		}
	}
	dh, err := mulPoint(p.Receiving.k, precursor)
	if err != nil {
		return point{}, err
	}
	shared := sharedSecret{precursor: precursor, receiving: p.Receiving.PublicKey().p, dh: dh}
	arguments := make([]group.Scalar, len(p.CapsuleFrags))
	for i, c := range p.CapsuleFrags {
		arguments[i] = shared.argument(c.f.id)
	}
	lambdas, err := lagrange(arguments)
	if err != nil {
		return point{}, err
	}

	d := shared.scalar()
	hMinusOne := p.Capsule.hash()
	hMinusOne.Sub(hMinusOne, curve.NewScalar().SetUint64(1))
	n := len(lambdas)
	muScalars, sums := make([]group.Scalar, n), make([]group.Element, n)
	// the check as one sum that must be K: S*A - (h-1)*sum
	checkScalars, checkElements := make([]group.Scalar, n+1), make([]group.Element, n+1)
	for i, c := range p.CapsuleFrags {
		muScalars[i] = lambdas[i].Mul(lambdas[i], d)
		sums[i] = curve.NewElement().Add(c.f.e1.e, c.f.v1.e)
		checkScalars[i] = curve.NewScalar().Mul(muScalars[i], hMinusOne)
		checkScalars[i].Neg(checkScalars[i])
		checkElements[i] = c.f.e1.e
	}
	checkScalars[n], checkElements[n] = p.Capsule.s, p.Delegating.p.e

	k := curve.MultiMul(muScalars, sums)
	if !curve.MultiMul(checkScalars, checkElements).IsEqual(k) {
		return point{}, ErrOpen
	}
	seed, err := newPoint(k)
	if err != nil {
		return point{}, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return seed, nil
}

// lagrange returns the coefficients that interpolate at zero: lambda_i = product over j != i of x_j / (x_j - x_i).
// Equal arguments are ErrFragments.
func lagrange(x []group.Scalar) ([]group.Scalar, error) {
	lambdas := make([]group.Scalar, len(x))
	for i := range x {
		numerator, denominator := curve.NewScalar().SetUint64(1), curve.NewScalar().SetUint64(1)
		for j := range x {
			if i == j {
				continue
			}
			numerator.Mul(numerator, x[j])
			denominator.Mul(denominator, curve.NewScalar().Sub(x[j], x[i]))
		}
		if denominator.IsZero() {
			return nil, fmt.Errorf("%w: repeated", ErrFragments)
		}
		lambdas[i] = numerator.Mul(numerator, denominator.Inv(denominator))
	}
	return lambdas, nil
}
