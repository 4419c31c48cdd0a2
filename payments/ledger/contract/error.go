package contract

import (
	"errors"
	"fmt"
	"strings"
)

// Why a call is refused.
var (
	// ErrDuplicate means that this was recorded before.
	ErrDuplicate = errors.New("recorded before")
	// ErrInvalid means that a call is incomplete or malformed.
	ErrInvalid = errors.New("invalid ledger command")
	// ErrCaller means that it is not for this caller to say.
	ErrCaller = errors.New("caller may not do this")
	// ErrUnknown means that a call names what is not on the ledger: a node, a policy, a report, a dispute.
	ErrUnknown = errors.New("not on the ledger")
	// ErrEarly means that its time has not come.
	ErrEarly = errors.New("too early")
	// ErrLate means that its time is over.
	ErrLate = errors.New("too late")
	// ErrChain means that a report does not follow the one before.
	ErrChain = errors.New("report does not follow the one before")
	// ErrSum means that sums do not come out: see the invariants of MonthReport.
	ErrSum = errors.New("sums do not come out")
	// ErrOverflow means that a sum leaves the bounds of what one ledger counts.
	ErrOverflow = errors.New("sum out of bounds")
	// ErrOverdrawn means that more would be paid out than is owed.
	ErrOverdrawn = errors.New("more than is owed")
	// ErrState means that a dispute is not where this step could be taken.
	ErrState = errors.New("dispute is not in this state")
	// ErrFrivolous means that this opener has lost too many disputes of late.
	ErrFrivolous = errors.New("opener has lost too many disputes")
)

// codes are the errors by a word that does not change, for back ends that carry errors as text.
func codes() []struct {
	code string
	err  error
} {
	return []struct {
		code string
		err  error
	}{
		{"duplicate", ErrDuplicate}, {"invalid", ErrInvalid}, {"caller", ErrCaller}, {"unknown", ErrUnknown}, {"early", ErrEarly},
		{"late", ErrLate}, {"chain", ErrChain}, {"sum", ErrSum}, {"overflow", ErrOverflow}, {"overdrawn", ErrOverdrawn},
		{"state", ErrState}, {"frivolous", ErrFrivolous},
	}
}

// Message is an error as text that ParseMessage reads back: its code, a colon and a space, and its words. What is not a
// refusal has the code "failed".
func Message(err error) string {
	for _, c := range codes() {
		if errors.Is(err, c.err) {
			return c.code + ": " + err.Error()
		}
	}
	return "failed: " + err.Error()
}

// ParseMessage is the refusal that Message wrote, wrapping the same error; false for anything else.
func ParseMessage(text string) (error, bool) {
	code, words, found := strings.Cut(text, ": ")
	if !found {
		return nil, false
	}
	for _, c := range codes() {
		if c.code == code {
			return &refusal{words, c.err}, true
		}
	}
	return nil, false
}

// refusal is an error that came as text.
type refusal struct {
	words string
	err   error
}

func (r *refusal) Error() string { return r.words }
func (r *refusal) Unwrap() error { return r.err }

// LineError says which line of a batch is why all of it was refused.
type LineError struct {
	// Line counts from 0.
	Line int
	Err  error
}

// Error names the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap is why the line was refused.
func (e *LineError) Unwrap() error { return e.Err }
