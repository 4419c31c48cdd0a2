package contract

import (
	"encoding/json"
	"fmt"
)

// Shared reports whether what a node has called is of interest to the others that take part: what it reports of the pool,
// and its steps in disputes. Orders, the policy and the list of nodes are each instance's own, and so is what time alone
// brings a dispute to: everybody has a clock.
func Shared(function string) bool {
	switch function {
	case recordSubscriptions, recordChargeback, reportDay, reportMonth, stateFinal, payOut, correct, lapse,
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

// StatementFunction is the name of the function that a month's report, or its final statement, is a call of.
func StatementFunction(final bool) string {
	if final {
		return stateFinal
	}
	return reportMonth
}

// ShowStatement reads a call as that of a month's report or final statement; ErrInvalid when it is none.
func ShowStatement(function string, args []byte) (st Statement, final bool, err error) {
	if function != reportMonth && function != stateFinal {
		return Statement{}, false, fmt.Errorf("%w: not the record of a month", ErrInvalid)
	}
	st, err = read[Statement](args)
	if err == nil {
		err = st.checkArtists()
	}
	return st, function == stateFinal, err
}
