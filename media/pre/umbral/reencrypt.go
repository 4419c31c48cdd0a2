package umbral

import (
	"fmt"
	"io"

	"github.com/cloudflare/circl/group"
)

// Reencrypt is the proxy's work: it turns the capsule into a cfrag for the receiver of the kfrag. From rand it draws
// one scalar (32 bytes, again if out of range), which must never repeat: two proofs with one scalar give the share away.
func Reencrypt(rand io.Reader, capsule *Capsule, frag *VerifiedKeyFrag) (*VerifiedCapsuleFrag, error) {
	t, err := drawScalar(rand)
	if err != nil {
		return nil, fmt.Errorf("re-encrypt: %w", err)
	}
	kf := &frag.f
	f := capsuleFrag{
		id:        kf.id,
		precursor: kf.precursor,
		proof:     proof{u1: kf.commitment, forReceiver: kf.forReceiver},
	}
	for _, product := range []struct {
		to   *point
		by   group.Scalar
		base point
	}{
		{&f.e1, kf.key, capsule.e},
		{&f.v1, kf.key, capsule.v},
		{&f.proof.e2, t, capsule.e},
		{&f.proof.v2, t, capsule.v},
		{&f.proof.u2, t, parameterPoint()},
	} {
		if *product.to, err = mulPoint(product.by, product.base); err != nil {
			return nil, fmt.Errorf("re-encrypt: %w", err)
		}
	}
	// z = t + h * rk
	f.proof.z = f.hash(capsule)
	f.proof.z.Mul(f.proof.z, kf.key)
	f.proof.z.Add(f.proof.z, t)
	return &VerifiedCapsuleFrag{f}, nil
}
