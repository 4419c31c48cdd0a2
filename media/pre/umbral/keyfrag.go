package umbral

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/group"
)

const (
	// KeyFragSize is the length in bytes of an encoded KeyFrag (MessagePack, its only encoding).
	KeyFragSize = 310
	// MaxShares is the largest number of kfrags that GenerateKeyFrags makes at once.
	MaxShares = 255

	idSize = 32
)

// KeyFrag is a key fragment as it came from outside: decoded, not verified, of no use but to be verified. It holds one
// proxy's secret; it prints and logs as [redacted].
//
// Encoding (offsets of the data, after MessagePack's headers): U 4, id 39, rk 73, X 107, C 143, signature for the proxy
// 178, signature for the receiver 244, delegating key signed 308, receiving key signed 309.
type KeyFrag struct{ f keyFrag }

// VerifiedKeyFrag is a key fragment that was verified, or made here; it can re-encrypt. It prints and logs as
// [redacted].
type VerifiedKeyFrag struct{ f keyFrag }

type keyFrag struct {
	id               [idSize]byte
	key              group.Scalar // rk, the share
	precursor        point        // X
	commitment       point        // C = rk*U
	forProxy         *Signature
	forReceiver      *Signature
	delegatingSigned bool
	receivingSigned  bool
}

// ParseKeyFrag decodes exactly 310 bytes of canonical MessagePack, in which the parameter point must be the constant U;
// anything else is ErrEncoding.
func ParseKeyFrag(b []byte) (*KeyFrag, error) {
	r := &reader{rest: b, framed: true}
	var f keyFrag
	r.array(5)
	r.array(1)
	if u := r.bin(pointSize); !bytes.Equal(u, parameterEncoding[:]) {
		r.fail("foreign parameter point")
	}
	f.id = r.id()
	f.key = r.scalar()
	f.precursor = r.point()
	r.array(5)
	f.commitment = r.point()
	f.forProxy = r.signature()
	f.forReceiver = r.signature()
	f.delegatingSigned = r.bool()
	f.receivingSigned = r.bool()
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("kfrag: %w", err)
	}
	return &KeyFrag{f}, nil
}

func (f *keyFrag) bytes() []byte {
	key := encodeScalar(f.key)
	b := appendArray(make([]byte, 0, KeyFragSize), 5)
	b = appendArray(b, 1)
	b = appendBin(b, parameterEncoding[:])
	b = appendBin(b, f.id[:])
	b = appendBin(b, key[:])
	b = appendBin(b, f.precursor.enc[:])
	b = appendArray(b, 5)
	b = appendBin(b, f.commitment.enc[:])
	b = appendBin(b, f.forProxy.enc[:])
	b = appendBin(b, f.forReceiver.enc[:])
	b = appendBool(b, f.delegatingSigned)
	return appendBool(b, f.receivingSigned)
}

// Bytes returns the 310-byte encoding. It holds the proxy's secret.
func (k *KeyFrag) Bytes() []byte { return k.f.bytes() }

// Bytes returns the 310-byte encoding. It holds the proxy's secret. Read back, it is a KeyFrag and must be verified
// again.
func (k *VerifiedKeyFrag) Bytes() []byte { return k.f.bytes() }

// Format prints [redacted] whatever the verb.
func (k *KeyFrag) Format(f fmt.State, _ rune) { redact(f) }

// LogValue keeps the fragment out of logs.
func (k *KeyFrag) LogValue() slog.Value { return redacted() }

// Format prints [redacted] whatever the verb.
func (k *VerifiedKeyFrag) Format(f fmt.State, _ rune) { redact(f) }

// LogValue keeps the fragment out of logs.
func (k *VerifiedKeyFrag) LogValue() slog.Value { return redacted() }

// Verify is the proxy's check. It demands a kfrag that is bound to both keys, and checks the commitment and both of its
// signatures. Errors: ErrKeys, ErrUnbound, ErrCommitment, ErrSignature.
func (k *KeyFrag) Verify(keys Keys) (*VerifiedKeyFrag, error) {
	if err := keys.Check(); err != nil {
		return nil, fmt.Errorf("verify kfrag: %w", err)
	}
	if !k.f.delegatingSigned || !k.f.receivingSigned {
		return nil, fmt.Errorf("verify kfrag: %w", ErrUnbound)
	}
	return k.VerifyAsFlagged(keys)
}

// VerifyAsFlagged is the reference's check, for fragments of other software: it follows the kfrag's own flags on which
// keys are signed, and needs Delegating and Receiving only if they are. The signature for the receiver can be checked,
// and is, only when both are. Errors: ErrKeys, ErrCommitment, ErrSignature.
func (k *KeyFrag) VerifyAsFlagged(keys Keys) (*VerifiedKeyFrag, error) {
	f := &k.f
	if keys.Verifying == nil || f.delegatingSigned && keys.Delegating == nil || f.receivingSigned && keys.Receiving == nil {
		return nil, fmt.Errorf("verify kfrag: %w: a key is missing", ErrKeys)
	}
	commitment, err := mulPoint(f.key, parameterPoint())
	if err != nil || subtle.ConstantTimeCompare(commitment.enc[:], f.commitment.enc[:]) != 1 {
		return nil, fmt.Errorf("verify kfrag: %w", ErrCommitment)
	}
	var delegating, receiving *PublicKey
	if f.delegatingSigned {
		delegating = keys.Delegating
	}
	if f.receivingSigned {
		receiving = keys.Receiving
	}
	message := fragMessage(f.id, f.commitment, f.precursor, delegating, receiving)
	if err := keys.Verifying.Verify(message, f.forProxy); err != nil {
		return nil, fmt.Errorf("verify kfrag for the proxy: %w", err)
	}
	if delegating != nil && receiving != nil {
		if err := keys.Verifying.Verify(message, f.forReceiver); err != nil {
			return nil, fmt.Errorf("verify kfrag for the receiver: %w", err)
		}
	}
	return &VerifiedKeyFrag{*f}, nil
}

// KeyFragParams says for whom kfrags are made.
type KeyFragParams struct {
	Delegating *SecretKey // a: what may be opened
	Receiving  *PublicKey // B: by whom
	Signing    *SecretKey // s: must not be the delegating key
	Threshold  int        // cfrags needed to open, at least 1
	Shares     int        // kfrags to make, from Threshold to MaxShares

	// OmitDelegatingKey and OmitReceivingKey leave the key out of the signature for the proxy. Such kfrags do not pass
	// KeyFrag.Verify; they exist for other software.
	OmitDelegatingKey, OmitReceivingKey bool
}

func (p KeyFragParams) check() error {
	if p.Delegating == nil || p.Signing == nil {
		return fmt.Errorf("%w: a key is missing", ErrKeys)
	}
	keys := Keys{Verifying: p.Signing.PublicKey(), Delegating: p.Delegating.PublicKey(), Receiving: p.Receiving}
	if err := keys.Check(); err != nil {
		return err
	}
	if p.Threshold < 1 || p.Shares < p.Threshold || p.Shares > MaxShares {
		return fmt.Errorf("%w: %d of %d", ErrThreshold, p.Threshold, p.Shares)
	}
	return nil
}

// GenerateKeyFrags makes one kfrag per proxy. Those of one call belong together: cfrags of different calls do not
// combine. From rand it draws the precursor's scalar, Threshold-1 coefficients, and for each kfrag 32 bytes of id and
// twice 32 bytes of signing entropy. Errors: ErrKeys, ErrThreshold.
func GenerateKeyFrags(rand io.Reader, p KeyFragParams) ([]*VerifiedKeyFrag, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("generate kfrags: %w", err)
	}
	frags, err := p.generate(rand)
	if err != nil {
		return nil, fmt.Errorf("generate kfrags: %w", err)
	}
	return frags, nil
}

func (p KeyFragParams) generate(rand io.Reader) ([]*VerifiedKeyFrag, error) {
	x, err := drawScalar(rand)
	if err != nil {
		return nil, err
	}
	precursor, err := mulGen(x)
	if err != nil {
		return nil, err
	}
	dh, err := mulPoint(x, p.Receiving.p)
	if err != nil {
		return nil, err
	}
	shared := sharedSecret{precursor: precursor, receiving: p.Receiving.p, dh: dh}

	polynomial := make([]group.Scalar, p.Threshold)
	polynomial[0] = curve.NewScalar().Inv(shared.scalar())
	polynomial[0].Mul(polynomial[0], p.Delegating.k)
	for i := 1; i < len(polynomial); i++ {
		if polynomial[i], err = drawScalar(rand); err != nil {
			return nil, err
		}
	}

	frags := make([]*VerifiedKeyFrag, p.Shares)
	for i := range frags {
		if frags[i], err = p.frag(rand, shared, polynomial); err != nil {
			return nil, err
		}
	}
	return frags, nil
}

func (p KeyFragParams) frag(rand io.Reader, shared sharedSecret, polynomial []group.Scalar) (*VerifiedKeyFrag, error) {
	f := keyFrag{
		precursor:        shared.precursor,
		delegatingSigned: !p.OmitDelegatingKey,
		receivingSigned:  !p.OmitReceivingKey,
	}
	var err error
	if _, err = io.ReadFull(rand, f.id[:]); err != nil {
		return nil, fmt.Errorf("draw id: %w", err)
	}
	f.key = evaluate(polynomial, shared.argument(f.id))
	if f.commitment, err = mulPoint(f.key, parameterPoint()); err != nil {
		return nil, err
	}
	delegating, receiving := p.Delegating.PublicKey(), p.Receiving
	message := fragMessage(f.id, f.commitment, f.precursor, delegating, receiving)
	if f.forReceiver, err = p.Signing.Sign(rand, message); err != nil {
		return nil, err
	}
	if p.OmitDelegatingKey {
		delegating = nil
	}
	if p.OmitReceivingKey {
		receiving = nil
	}
	message = fragMessage(f.id, f.commitment, f.precursor, delegating, receiving)
	if f.forProxy, err = p.Signing.Sign(rand, message); err != nil {
		return nil, err
	}
	return &VerifiedKeyFrag{f}, nil
}

// evaluate returns the polynomial's value at x by Horner's rule; coefficients come lowest first.
func evaluate(coefficients []group.Scalar, x group.Scalar) group.Scalar {
	y := curve.NewScalar()
	for i := len(coefficients) - 1; i >= 0; i-- {
		y.Mul(y, x)
		y.Add(y, coefficients[i])
	}
	return y
}

// sharedSecret is what the delegator and the receiver both know: the Diffie-Hellman point of the precursor and the
// receiving key, with its two public halves.
type sharedSecret struct{ precursor, receiving, dh point }

// scalar is d, which blinds the delegating key in the shares.
func (s sharedSecret) scalar() group.Scalar {
	return hashToScalar([]byte(tagSharedSecret), s.precursor.enc[:], s.receiving.enc[:], s.dh.enc[:])
}

// argument is where the polynomial is evaluated for the kfrag of this id.
func (s sharedSecret) argument(id [idSize]byte) group.Scalar {
	return hashToScalar([]byte(tagPolynomialArg), s.precursor.enc[:], s.receiving.enc[:], s.dh.enc[:], id[:])
}

// fragMessage is what the kfrag's signatures sign: a key that is nil is marked as absent.
func fragMessage(id [idSize]byte, commitment, precursor point, delegating, receiving *PublicKey) []byte {
	m := make([]byte, 0, idSize+2*pointSize+2*(1+pointSize))
	m = append(m, id[:]...)
	m = append(m, commitment.enc[:]...)
	m = append(m, precursor.enc[:]...)
	for _, key := range []*PublicKey{delegating, receiving} {
		if key == nil {
			m = append(m, 0)
			continue
		}
		m = append(append(m, 1), key.p.enc[:]...)
	}
	return m
}
