// Package treasury is the operator's side of a Raiden node: what the node is able to do ([Look], [Survey.Findings]), and
// its channels, which admins open, top up and close ([Service.Begin]).
//
// It is not for buying or selling: payments and payments/purchase do that with the same node, and what is done here waits
// for their payments, as they wait for it. Nothing is ever sent twice: an act says what is to be in the end, and one whose
// answer was lost is unknown until somebody has looked ([Service.LookAgain]) or has let it go.
//
// Begin with [Look]; for acts with [New] and [Service.Register].
package treasury
