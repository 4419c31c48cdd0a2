// Package fabricdev runs the smallest network of Hyperledger Fabric that is worth the name on this machine: an orderer
// and one peer for each of two organizations (or more), all on loopback, with the ledger's contract running on it.
// Newcomers look at it with `antiphon fabric dev`, and tests hold payments/ledger/fabric to the real thing.
//
// It is not for production: it makes every organization's keys itself, one person runs them all, and nothing outlives
// [Network.Close] but files. How operators make a network among themselves is told in docs/fabric.md.
//
// Fabric's programs are not part of this one: [Programs] finds them. Begin with [Start], then [Network.Deploy]; what an
// instance is told to use a peer is [Network.Member].
package fabricdev
