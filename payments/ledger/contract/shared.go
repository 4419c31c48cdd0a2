package contract

import "encoding/json"

// Shared reports whether what a node has called is of interest to the others that take part: what it reports of the pool,
// and its steps in disputes. Orders, the policy and the list of nodes are each instance's own, and so is what time alone
// brings a dispute to: everybody has a clock.
func Shared(function string) bool {
	switch function {
	case recordSubscriptions, recordChargeback, reportDay, reportMonth, stateFinal, payOut, correct,
		openDispute, giveEvidence, castVote, appealDispute:
		return true
	}
	return false
}

// Said is a command as another node has written it down: its function and its arguments, to be run again here.
type Said struct {
	Function string
	Args     []byte
}

// Call implements [Command].
func (s Said) Call() (string, any, error) { return s.Function, json.RawMessage(s.Args), nil }
