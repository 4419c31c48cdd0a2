// Package raidendev is the development network: a hub and one Raiden node per party in one process, so that a newcomer
// can pay and be paid with nothing else installed. Each node listens on loopback and answers the REST API of a Raiden
// node in the light dialect, as package payments/raiden speaks it.
//
// Its tokens are worth nothing, and it says so at start and in its answer to GET /status. It is a custodian: one process
// holds every key and one journal, deposits come from a faucet, and no chain stands behind it. What it does as Raiden
// does: secp256k1 keys and EIP-55 addresses, channels with deposits, transfers locked by SHA-256 and mediated by the
// hub, balance proofs in Raiden's packing under EIP-191 signatures that every receiver verifies, expiry of locks, a
// history that lists pending and mediated transfers as well.
//
//	initiator          hub              target
//	    |-LockedTransfer->|-LockedTransfer->|
//	    |<--------------SecretRequest-------|
//	    |---------------RevealSecret------->|
//	    |                 |<--RevealSecret--|
//	    |<--RevealSecret--|------Unlock---->|
//	    |------Unlock---->|                 |      every message is answered by Processed
//
// What it does not do: settle disputes on a chain, charge fees, split a payment over paths, take a payment whose
// secret only the target knows, register tokens, manage connections, user deposits or monitoring. Only the balance
// proof is byte for byte Raiden's; the other messages are signed over a packing of their own.
//
// It is not for production and not for money. Begin with Open, then Serve.
package raidendev
