package umbral

import "errors"

// The classes of failure. Every error of this package wraps one of them, or the error of the source of randomness.
var (
	// ErrEncoding: bytes are not the one canonical encoding of a key, a signature, a capsule or a fragment.
	ErrEncoding = errors.New("umbral: malformed encoding")
	// ErrCapsule: a capsule is well formed and fails its own check.
	ErrCapsule = errors.New("umbral: capsule check failed")
	// ErrSignature: a signature does not verify.
	ErrSignature = errors.New("umbral: signature check failed")
	// ErrCommitment: the key inside a kfrag is not the one that was committed to.
	ErrCommitment = errors.New("umbral: kfrag commitment check failed")
	// ErrProof: a cfrag is not the honest re-encryption of the capsule.
	ErrProof = errors.New("umbral: re-encryption proof check failed")
	// ErrKeys: keys are missing, or one key is used in two roles, or a key is a constant of the scheme.
	ErrKeys = errors.New("umbral: unfit keys")
	// ErrUnbound: a kfrag is not signed for both its delegating and its receiving key.
	ErrUnbound = errors.New("umbral: kfrag is not bound to both keys")
	// ErrThreshold: not 1 <= threshold <= shares <= MaxShares.
	ErrThreshold = errors.New("umbral: threshold out of range")
	// ErrFragments: the cfrags given together are none, repeated, or of different sets of kfrags.
	ErrFragments = errors.New("umbral: cfrags do not fit together")
	// ErrOpen: the cfrags are too few, or are of another capsule, delegating key or receiving key.
	ErrOpen = errors.New("umbral: capsule does not open")
	// ErrCiphertext: the ciphertext is too short or was changed, or the key is not its own.
	ErrCiphertext = errors.New("umbral: ciphertext does not decrypt")
)
