// Package pool is the listening pool: listeners pay their home instance the same price each month, hear everything that
// artists have put into the pool, and their money goes to those whom they heard.
//
// A payment buys the calendar month (UTC) in which it becomes final, whole. This room says who is a member
// ([Service.Join], [Service.Of]), is paid by any payments.Provider (it is the [payments.Collector] of dues), lets
// memberships run out by its clock ([Service.Round]), and posts payments to the ledger under pseudonyms, in batches.
// [Service.Members] are those who paid for a month, for the reports. On the listener's side it asks the instances of
// artists for grants ([Service.Ask]), on the artist's side it says whom to admit ([Service.Admit]); federation/trade brings
// both across. It divides no money: that is payments/royalty and the reports. Begin with [New] and [Service.Join].
package pool
