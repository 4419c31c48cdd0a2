// Package fabric is the ledger on Hyperledger Fabric: the contract of payments/ledger/contract as a chaincode that runs
// inside of this process, and a client of it, through the gateway of the operator's own peer.
//
//	instance A: client ──> peer A ──> chaincode A      each runs the same contract over its own copy of the state;
//	                         │  └───> peer B ──> B     a transaction needs two organizations with one result
//	                         └──> orderers ──> peers   and then its place in the order
//
// It is for several operators who want to hold each other to account in public, not for one: payments/ledger, in the
// instance's own database, needs nobody else and stays the source of every instance's own books. It starts no peer and
// makes no network; payments/ledger/fabricdev does, for development and tests, and docs/fabric.md tells how operators do.
//
// Begin with [Open] for the client, which is a [contract.Backend], and with [Serve] for the chaincode.
package fabric
