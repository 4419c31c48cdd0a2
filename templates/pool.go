package templates

import "time"

// Pool is the page of the listening pool: what it is, and how the visitor stands to it.
type Pool struct {
	Layout
	// Price is what a month costs, Operator and Artists the parts of it.
	Price, Operator, Artists Money
	// Others are the hosts of the other servers of this pool.
	Others []string
	// State is how the visitor's membership stands, empty for none.
	State string
	// Month is the present one, as its first instant; Paid says that it is paid, Closes is when what was opened stops to
	// play.
	Month, Closes time.Time
	Paid          bool
	// Words are what is unusual, to be read by the member.
	Words string
	// CanJoin, CanCancel and CanResume show the forms; CanPay the one that asks for an invoice.
	CanJoin, CanCancel, CanResume, CanPay bool
	// Invoice is what is to be paid now, nil when it was not asked for.
	Invoice *Invoice
	// ShareURL leads to where the member's money of this month goes; empty hides it.
	ShareURL string
	// Payments are the visitor's, the latest first.
	Payments []PoolPayment
	// Desk is what the operator sees; nil for others.
	Desk *PoolDesk
	// Error is what was wrong with the last form.
	Error string
}

func (*Pool) page() string { return "pool" }

// PoolPayment is a payment of a member.
type PoolPayment struct {
	// Hash names it; Listener is who paid, for the operator.
	Hash, Listener string
	When           time.Time
	Amount         Money
	// State is counted, credit, owed, returned or reversed.
	State string
	// Month is the one that it bought, or zero; OnLedger says that it stands there.
	Month    time.Time
	OnLedger bool
	// ShareURL leads to where the money went; empty hides it.
	ShareURL string
}

// PoolDesk is what the operator of a pool sees.
type PoolDesk struct {
	// Members are how many there are in each state, in the order of the states.
	Members []PoolCount
	// Unsettled are payments that may have to be given back, the oldest first.
	Unsettled []PoolPayment
}

// PoolCount is how many members are in a state.
type PoolCount struct {
	State string
	Count int
}
