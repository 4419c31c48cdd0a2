// Package outbox is what this instance says to others: activities stored, signed and delivered until they are taken,
// and the documents that others come to read.
//
// Whoever changes something calls Outbox.Send in the same transaction; the deliveries are rows that commit with it, one
// for each inbox, and survive a crash. One loop (the dispatcher) takes them from the table when they are due and their
// host has room, holds back what is for a host that is down, and keeps what is about one thing in order. Recipients who live here get theirs without the network. The package also holds
// the workers that announce an artist's tracks. It does not decide what an incoming activity means: that is
// federation/inbox, which answers through Send.
//
// Begin with New, then Outbox.Register, Outbox.Send and Outbox.Documents.
package outbox
