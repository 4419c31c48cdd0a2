// Package umbral is the Umbral threshold proxy re-encryption scheme over secp256k1, byte for byte as
// @nucypher/umbral-pre 0.10.0 and the Rust crate umbral-pre 0.5 to 0.11 (but not pyUmbral 0.3).
//
// The owner of a delegating key encrypts once. Later, for one receiving key, it makes key fragments (kfrags) and gives
// one to each of several proxies. Each proxy turns the capsule of a ciphertext into a capsule fragment (cfrag) without
// learning anything; the receiver opens the ciphertext with any threshold of them.
//
//	artist (a, A; signs with s, VK)        proxies                       listener (b, B)
//	───────────────────────────────        ───────                       ───────────────
//	Encrypt(A, plaintext)
//	  -> capsule, ciphertext ───────────────────────────────────────────────> (public)
//	GenerateKeyFrags(a, B, s, m of n)
//	  -> kfrag 1..n ─────────────────> ParseKeyFrag, Verify(VK, A, B)
//	                                         │
//	                     capsule ────> Reencrypt(capsule, kfrag)
//	                                     -> cfrag ─────────────> ParseCapsuleFrag, Verify(capsule, VK, A, B)
//	                                                                     │ m of them
//	                                                             DecryptReencrypted(b, A, capsule, cfrags, ciphertext)
//
// What comes from outside is a KeyFrag or a CapsuleFrag and can do nothing but be verified; only a VerifiedKeyFrag
// re-encrypts and only VerifiedCapsuleFrags decrypt. A Capsule is checked when it is parsed.
//
// The scheme is for sealing small secrets (content keys), not for bulk data. Its limits:
//
//   - Threshold many proxies together with the receiver can compute the delegating secret key a. A delegating key must
//     therefore never protect more than what the receiver was granted, and must never be an identity key.
//   - Revocation (forgetting a kfrag) stops future re-encryption and takes nothing back that was opened.
//   - It is not post-quantum.
//
// Decoding is stricter than the reference: points are 33 bytes with tag 02 or 03 and never the identity; scalars are
// below the order; MessagePack has one form; the parameter point U inside a kfrag must be the constant; signatures are
// low-S; both signatures of a kfrag are checked when both keys are signed; 1 <= threshold <= shares.
//
// All work on secrets (keys, nonces, polynomials, shared points, and what is derived from them) is constant time in
// those secrets. Not constant time: rejection of malformed or false input, the rejection sampling of scalars (it shows
// only how many draws were made), and everything computed from public values alone: checks of capsules, signatures and
// proofs use variable-time arithmetic. Secrets are not erased from memory: Go's collector gives no means to.
//
// Source of all formulas: the Umbral paper by D. Núñez, and the byte layouts of rust-umbral, confirmed by replaying its
// vectors (media/pre/testdata).
package umbral
