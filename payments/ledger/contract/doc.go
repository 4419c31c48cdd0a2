// Package contract is what may be written into a ledger: every function with its checks, over seven methods of state,
// so that the embedded ledger and a chaincode run the same code and write the same bytes.
//
// It is pure: it reads no clock, draws no lots, knows no floating-point number, and no result depends on the order of a
// map. It does not store, sign or send anything; the back ends do (payments/ledger is one). Nothing in it is personal:
// people, artists and agreements appear as hashes or as the pseudonyms of one month, instances by their host.
//
// A back end makes a State for each call and gives it to Run, with the name and the arguments that Encode made of a
// Command. Begin there; payments/ledger/contracttest is what every back end is held to.
package contract
