package templates

// Mark is what a rule says of plays, and what became of it: for an admin one listener's plays of one artist in a month, for
// an artist those of all listeners that the same became of, for a listener the own ones of one artist.
type Mark struct {
	// Rule is such as "R5", of the Policy of that version; State is noted, held, paid or removed.
	Rule   string
	Policy int
	State  string
	// Artist is the artist's name or address, URL a page; empty where it is clear who is meant.
	Artist, URL string
	// Payee is the artist's actor, and Pseudonym the listener's name of the month, for the form that decides.
	Payee, Pseudonym string
	// Listeners is how many are meant, and Dollars what waits of their money; empty for nothing.
	Listeners int
	Dollars   string
	// Evidence are hashes of what the rule looked at.
	Evidence []string
	// By is who decided; ByTime says that nobody did before the final statement.
	By     string
	ByTime bool
	// Listener and Words are what the listener and the artist have said against it.
	Listener, Words string
	// Open says that it can still be decided.
	Open bool
}

// rules are those that pages have words for.
var rules = map[string]bool{"R0": true, "R1": true, "R2": true, "R3": true, "R4": true, "R5": true, "R6": true, "R7": true, "R8": true, "R9": true}

// KnownRule is the rule, or "other": a ledger may name rules that this version does not know.
func (m Mark) KnownRule() string {
	if rules[m.Rule] {
		return m.Rule
	}
	return "other"
}

// MarkedMonth is what rules say of an artist's month on one instance.
type MarkedMonth struct {
	Month, Host string
	Marks       []Mark
	// Words are what the artist has said; CanAppeal says that it can be said, or said anew.
	Words     string
	CanAppeal bool
}
