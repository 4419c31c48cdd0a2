package raidendev

import (
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// chainID is the chain that the network imitates: the reference in "antiphon-dev:1".
const chainID = 1

// Types of signed statements, as Raiden's contracts number them.
const (
	typeBalanceProof = 1
	typeWithdraw     = 3
)

// proof is a balance proof: what one end of a channel says it owes the other in all.
type proof struct {
	Channel     uint64       `json:"channel"`
	Nonce       uint64       `json:"nonce"`
	Transferred amount.Units `json:"transferred"`
	Locked      amount.Units `json:"locked"`
	Locksroot   hash         `json:"locksroot"`
	Additional  hash         `json:"additional"` // of the message that the proof came with
	Signature   signature    `json:"signature"`
}

// pack is what is signed: token network(20) || chain(32) || 1(32) || channel(32) || balance hash(32) || nonce(32) ||
// additional hash(32).
func (p proof) pack(tokenNetwork eip55.Address) []byte {
	transferred, locked := p.Transferred.Bytes32(), p.Locked.Bytes32()
	balance := keccak(transferred[:], locked[:], p.Locksroot[:])
	out := packHead(tokenNetwork, typeBalanceProof, p.Channel)
	out = append(out, balance[:]...)
	out = append(out, word(p.Nonce)...)
	return append(out, p.Additional[:]...)
}

// unsigned is the proof without what its sender alone adds, to compare two of them.
func (p proof) unsigned() proof {
	p.Additional, p.Signature = hash{}, signature{}
	return p
}

// packWithdraw is token network(20) || chain(32) || 3(32) || channel(32) || participant(20) || total(32) || block(32).
func packWithdraw(tokenNetwork eip55.Address, channel uint64, participant eip55.Address, total amount.Units, block uint64) []byte {
	units := total.Bytes32()
	out := packHead(tokenNetwork, typeWithdraw, channel)
	out = append(out, participant[:]...)
	out = append(out, units[:]...)
	return append(out, word(block)...)
}

func packHead(tokenNetwork eip55.Address, kind, channel uint64) []byte {
	out := append([]byte(nil), tokenNetwork[:]...)
	out = append(out, word(chainID)...)
	out = append(out, word(kind)...)
	return append(out, word(channel)...)
}
