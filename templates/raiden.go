package templates

import "time"

// Raiden is the admin's page about the instance's payment node.
type Raiden struct {
	Layout
	// Here is false for an instance without a node.
	Here bool
	// Symbol is what the node's token is called.
	Symbol    string
	Findings  []NodeFinding
	Channels  []NodeChannel
	Transfers []NodeTransfer
	Payments  []NodePayment
	Acts      []NodeAct
	// MoreChannels counts those that are not shown.
	MoreChannels int
	// NoHistory says that the node did not show its payments.
	NoHistory bool
	// Busy says that an act is unfinished, so that no other can begin; Moving
	// that it goes on by itself.
	Busy, Moving bool
	// Error says why the last try did not work; Partner and Amount are what
	// was typed then.
	Error, Partner, Amount string
}

func (*Raiden) page() string { return "admin_raiden" }

// NodeFinding is what is said of one part of a node. Level is ok, warn or fail.
type NodeFinding struct{ Part, Level, Says, Do string }

// NodeChannel is a payment channel.
type NodeChannel struct {
	Partner, State string
	Open           bool
	// Online is reachable, unreachable or unknown.
	Online string
	// Ours can be sent; Theirs can certainly be received.
	Deposit, Ours, Theirs Money
}

// NodeTransfer is a transfer under way. Role is initiator, mediator or target.
type NodeTransfer struct {
	Role, Other string
	Amount      Money
}

// NodePayment is a line of the node's history. Kind is sent, received, mediated
// or failed.
type NodePayment struct {
	Kind, Other, Reason string
	Amount              Money
	When                time.Time
}

// NodeAct is what an admin had the node do. Kind is open, deposit or close; the
// states are those of package treasury.
type NodeAct struct {
	ID, Kind, Partner, Who, State, Words string
	Total                                Money
	When                                 time.Time
}

// RaidenConfirm asks whether an act is to be done.
type RaidenConfirm struct {
	Layout
	// Act is open, deposit or close.
	Act, Partner string
	// Adds is what is put in; Before and After are our total deposit.
	Adds, Before, After Money
	// Ours comes back at a close; Theirs goes to the partner at least.
	Ours, Theirs Money
	// Amount is Adds as it was typed; Total and Seen are After and Before in smallest units.
	Amount, Total, Seen string
	Why, Error          string
}

func (*RaidenConfirm) page() string { return "admin_raiden_confirm" }
