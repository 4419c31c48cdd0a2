// Package contracttest is what every ledger is held to that runs the contract: one story of two months' money and a
// dispute, with every refusal on the way, whose end is compared byte for byte with committed files.
//
// It is not for a ledger's proofs or its speed. Call Run with a function that opens an empty ledger; Books and Memory
// help to test what stands on the contract.
package contracttest
