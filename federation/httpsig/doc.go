// Package httpsig signs and verifies HTTP requests between servers.
//
// Outgoing requests are signed after draft-cavage-http-signatures, which every server reads; incoming ones may use
// that or RFC 9421. The requests that a listener's own key signs (re-encryption) are RFC 9421 too, but have one exact
// form of their own: see Message.
//
// It does not remember requests: a repeated request verifies again, and the inbox tells it by the activity's id, the
// re-encryption handler by the nonce. It does not say whether the owner of a key may do what the body asks. It does
// not verify object proofs; that is vocab/proof.
//
// Begin with Verifier.Verify for what arrives and Sign for what leaves.
//
// # Which library does what
//
// Signing is github.com/go-fed/httpsig. Its parser for incoming headers lets the last of two equal parameters win and
// reads the wall clock, so the incoming draft-cavage header is parsed here, strictly, and the signing string is
// rebuilt here. For RFC 9421 the signature base and the check come from github.com/yaronf/httpsign:
// github.com/remitly-oss/httpsig-go 1.2.0 derives @target-uri without the path of an ordinary URL and without the
// question mark, which no peer does. httpsign trusts its caller with component parameters and the scheme, so
// everything is checked against our rules before it is asked, and it is given a request with the public URL filled in.
package httpsig
