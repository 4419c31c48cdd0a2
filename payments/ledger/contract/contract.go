package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/gowebpki/jcs"
)

// State is what a function may see and change. It shows committed values only, never the function's own writes, so that
// the same function runs on a ledger that orders its transactions later.
type State interface {
	// Get returns a key's committed value; false when it has none.
	Get(key string) (string, bool, error)
	// Put sets a key once the function has returned without an error. A key is put or deleted at most once a call. A value
	// is never empty: on some ledgers that is the same as none.
	Put(key, value string) error
	// Delete removes a key once the function has returned without an error; one that is not there is no error.
	Delete(key string) error
	// Range calls fn with the committed keys from start on and before end, in the order of their bytes. An error of fn
	// ends it and is returned.
	Range(start, end string, fn func(key, value string) error) error
	// Emit tells who follows the ledger what happened, once the function's writes are committed; at most once a call.
	Emit(name string, payload []byte) error
	// TxID names the transaction: the number of the record on the embedded ledger, a hash elsewhere.
	TxID() string
	// Time is when the transaction was made, in UTC and whole seconds, the same wherever the function runs.
	Time() time.Time
	// Caller is who submits: the origin of a ledger for the embedded one, an MSP's name for Fabric.
	Caller() string
}

// Command is a call of a function: its name and its arguments as a value that encoding/json can write.
type Command interface {
	Call() (function string, args any, err error)
}

// Event is what a function has emitted.
type Event struct {
	TxID    string
	Name    string
	Payload []byte
}

// Backend is a ledger that runs the contract.
type Backend interface {
	// Submit runs a command and returns when its writes are committed. What the contract refuses is an error that wraps
	// the contract's own, and has changed nothing.
	Submit(ctx context.Context, c Command) error
	// Get returns a key's committed value; false when it has none.
	Get(ctx context.Context, key string) (string, bool, error)
	// Range calls fn with the committed keys from start on and before end, in the order of their bytes. An error of fn
	// ends it and is returned.
	Range(ctx context.Context, start, end string, fn func(key, value string) error) error
	// Events calls fn with every event committed so far, the oldest first. An error of fn ends it and is returned.
	Events(ctx context.Context, fn func(Event) error) error
}

// MaxArgs is the most that the arguments of one call may have, in bytes.
const MaxArgs = 1 << 20

// Encode is the command as Run takes it: the function's name and the arguments as canonical JSON (RFC 8785).
func Encode(c Command) (function string, args []byte, err error) {
	function, value, err := c.Call()
	if err != nil {
		return "", nil, err
	}
	if args, err = canonical(value); err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", function, err)
	}
	return function, args, nil
}

// functions is every function by its name in the records.
var functions = map[string]func(s State, args []byte) error{
	recordPayment:       runRecordPayment,
	recordRefund:        runRecordRefund,
	setPolicy:           do[Policy],
	setNode:             do[Node],
	recordSubscriptions: do[Subscriptions],
	recordChargeback:    do[Chargeback],
	reportDay:           do[DayReport],
	reportMonth:         do[MonthReport],
	stateFinal:          do[FinalStatement],
	payOut:              do[Payouts],
	correct:             do[Correction],
	lapse:               do[Lapse],
	openDispute:         do[OpenDispute],
	giveEvidence:        do[Evidence],
	castVote:            do[Vote],
	closeDispute:        do[CloseDispute],
	appealDispute:       do[Appeal],
}

// do is the function of a command: it reads one and runs it.
func do[T interface{ run(s State) error }](s State, args []byte) error {
	in, err := read[T](args)
	if err != nil {
		return err
	}
	return in.run(s)
}

// Run calls a function of the contract. Its error wraps one of the package's own when the call is refused.
func Run(s State, function string, args []byte) error {
	run, known := functions[function]
	if !known {
		return fmt.Errorf("%w: no function %.60q", ErrInvalid, function)
	}
	if len(args) > MaxArgs {
		return fmt.Errorf("%w: %d bytes of arguments", ErrInvalid, len(args))
	}
	if err := run(s, args); err != nil {
		return fmt.Errorf("%s: %w", function, err)
	}
	return nil
}

// canonical is a value as canonical JSON.
func canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(raw)
}

// read reads arguments or a stored value, strictly.
func read[T any](raw []byte) (T, error) {
	var out T
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return out, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return out, fmt.Errorf("%w: more than one value", ErrInvalid)
	}
	return out, nil
}

// put writes a value as canonical JSON.
func put(s State, key string, v any) error {
	raw, err := canonical(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return s.Put(key, string(raw))
}

// get reads a value that put wrote; false when there is none.
func get[T any](s State, key string) (T, bool, error) {
	var none T
	text, found, err := s.Get(key)
	if err != nil || !found {
		return none, false, err
	}
	v, err := read[T]([]byte(text))
	if err != nil {
		return none, false, fmt.Errorf("stored %s: %w", key, err)
	}
	return v, true, nil
}

// emit tells of a value as canonical JSON.
func emit(s State, name string, v any) error {
	raw, err := canonical(v)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", name, err)
	}
	return s.Emit(name, raw)
}
