// Package httpx is the one way out: a guarded HTTP client for addresses that came from strangers.
//
// It refuses to connect to anything that is not on the public internet, looking at the address that was
// actually resolved and not at the URL; it speaks only https; it checks every redirect like a first request;
// and it bounds the time, the header and the decoded body of each answer. It never uses a proxy from the
// environment, because the guard would then see only the proxy's address.
//
// It is not for services that the admin configured (a Raiden node, Kubo, a database): these live on private
// addresses on purpose and have clients of their own.
//
// Begin with New, then Client.Do.
package httpx
