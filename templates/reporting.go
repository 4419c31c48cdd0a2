package templates

import "time"

// Months is the admins' page of one month of the pool: what every instance has reported, what waits for a decision, and
// who is to be paid.
type Months struct {
	Layout
	// Month is such as "2026-10"; Earlier and Later lead to its neighbors.
	Month, Earlier, Later string
	Statements            []MonthStatement
	Findings              []MonthFinding
	Decisions             []Mark
	// More is how many decisions there are that are not shown.
	More int
	// Payouts are those of this instance, when they are listed; Asset says what they are sent in.
	Payouts []MonthPayout
	// Changes are what this instance has mended in the month, or of it, and what has gone to the common fund.
	Changes []MonthChange
	// Error says in words why the last thing that was asked for was refused.
	Error string
}

func (*Months) page() string { return "admin_months" }

// MonthStatement is what an instance has reported of a month. Amounts are dollars, as text.
type MonthStatement struct {
	Host string
	// Own is whether it is this instance, Final whether it is the final statement.
	Own, Final                            bool
	Payments, Listeners, Artists          int
	Pool, Splits, Held, CarryIn, CarryOut string
	SplitsRoot                            string
	Days                                  int
}

// MonthFinding is something that does not come out.
type MonthFinding struct {
	Host, Kind, Words string
	// Artist is the actor that it is about, when a dispute can be opened about its part.
	Artist string
}

// MonthPayout is one line of the list.
type MonthPayout struct {
	Artist, Payee, Dollars, Address, State, Remark, Ref string
	CanSend                                             bool
}

// MonthChange is a correction, or what nobody has claimed.
type MonthChange struct {
	// In is the month that it is made in, Of the one that is mended; empty for what has lapsed.
	In, Of string
	// About is "mistake", "dispute", "chargeback" or "lapsed".
	About string
	// Artist is empty for what the instance itself gives, and what was carried.
	Artist, Dollars string
}

// Disputes is the admins' page of disputes.
type Disputes struct {
	Layout
	Rows []DisputeRow
	// Host, Month and Artist fill the form that opens one; Error says why it was refused.
	Host, Month, Artist, Error string
}

func (*Disputes) page() string { return "admin_disputes" }

// DisputeRow is one dispute.
type DisputeRow struct {
	ID, Host, Month, Reason, State, Slice string
	// Artist is the URI when it is known here, else empty.
	Artist string
	// Until is the end of the step that it is in.
	Until string
	// Votes are "host: verdict"; Verdict is the ruling's, empty before.
	Votes   []string
	Verdict string
	// CanVote and CanAppeal say what this instance may do.
	CanVote, CanAppeal bool
}

// Statements is an artist's page of what the pool has paid.
type Statements struct {
	Layout
	Months []StatementMonth
	// Owing is what instances owe the artist now.
	Owing []StatementOwing
	// Marks are what rules say of plays of the artist, by month.
	Marks []MarkedMonth
	// Since is the first day of the month that is not over; Plays are those of members here since then, and Elsewhere what
	// other servers have told. A zero Since hides them.
	Since            time.Time
	Plays, Elsewhere int
	// Asset and Address are where the artist is paid, Assets the choices.
	Asset, Address, Error string
}

func (*Statements) page() string { return "statements" }

// StatementMonth is one month, of all instances.
type StatementMonth struct {
	Month string
	// Total is the sum of all rows, in dollars.
	Total string
	Rows  []StatementRow
	// Changes are made in the month.
	Changes []StatementChange
}

// StatementOwing is what an instance owes an artist.
type StatementOwing struct {
	Host, Dollars string
	// Debt says that it is below zero: later money is set off against it.
	Debt bool
	// Until is the day on which the oldest of it goes to the common fund, if the artist does not say where to be paid; empty
	// when that is said.
	Until string
}

// StatementChange is a correction of an artist's earlier month, or what has gone to the common fund.
type StatementChange struct {
	// Of is the month that is mended; empty for what has lapsed.
	Host, Of string
	// About is "mistake", "dispute", "chargeback" or "lapsed".
	About, Dollars string
}

// StatementRow is what one instance says of an artist's month.
type StatementRow struct {
	Host      string
	Final     bool
	Listeners int
	Plays     string
	Owed      string
	// Paid is what was sent, empty for nothing; Ref the provider's name of it.
	Paid, Ref string
	// Proofs is how many lines are proved; 0 for fewer than five listeners.
	Proofs int
	// Words say what does not hold.
	Words string
	// ProofURL is the statement with its proofs.
	ProofURL string
}

// Shares is a listener's page of where the money of a month went.
type Shares struct {
	Layout
	// Month is such as "2026-10", Begins its first instant.
	Month  string
	Begins time.Time
	// Final says that nothing of it changes any more, SoFar that it is not reported yet and is what would be if the month
	// ended now.
	Final, SoFar bool
	// Off says that the listener has chosen that nothing is recorded.
	Off  bool
	Rows []ShareRow
	// Operator is what keeps the instance running; Held waits, Carried goes to the next month; empty for nothing.
	Operator, Held, Carried string
	// Marks are what rules say of some plays; Appeal is what the listener has said, and CanAppeal that it can be said.
	Marks     []Mark
	Appeal    string
	CanAppeal bool
	// Empty says that there is nothing for this month, Unpaid that it was not paid.
	Empty bool
}

func (*Shares) page() string { return "shares" }

// ShareRow is an artist's part.
type ShareRow struct {
	Name, URL, Dollars string
	// Percent of the nine dollars, rounded.
	Percent int
}
