package vocab

import (
	"regexp"
	"time"
)

// LedgerRecords are calls that an instance has written into its own ledger, for the other instances that take part to
// write into theirs.
type LedgerRecords struct {
	// ID is on the instance's host.
	ID string
	// AttributedTo is the instance's actor, which signs.
	AttributedTo string
	// Previous is the Number of the record before the first of these that was sent, and 0 when there is none.
	Previous int64
	// Records are one or more, in the order of their numbers.
	Records []LedgerRecord
}

// LedgerRecord is one call.
type LedgerRecord struct {
	// Number is the record's in the ledger, counted from 1.
	Number int64
	// Call is the function's name, Arguments are canonical JSON.
	Call, Arguments string
}

// MaxRecords is how many records stand in one object.
const MaxRecords = 100

// maxArguments bounds the arguments of one call: an activity has no more than a mebibyte.
const maxArguments = 700_000

var callPattern = regexp.MustCompile(`^[a-z][a-z_]{0,39}$`)

// Object is the records as they are signed. It does not check; ReadLedgerRecords does.
func (l LedgerRecords) Object() map[string]any {
	items := []any{}
	for _, r := range l.Records {
		items = append(items, map[string]any{"number": r.Number, "call": r.Call, "arguments": r.Arguments})
	}
	return map[string]any{
		"@context": Context(KindLedgerRecords), "id": l.ID, "type": []any{"LedgerRecords", "Document"}, "attributedTo": l.AttributedTo,
		"previous": l.Previous, "items": items,
	}
}

// ReadLedgerRecords reads the exact form of records. It looks neither at the proof nor into the arguments. Errors wrap
// ErrInvalid or those of vocab/jsonld.
func ReadLedgerRecords(raw []byte) (LedgerRecords, error) {
	o, err := openSigned(raw, KindLedgerRecords, "LedgerRecords", "Document")
	if err != nil {
		return LedgerRecords{}, err
	}
	l := LedgerRecords{ID: o.id("id")}
	l.AttributedTo = o.sibling("attributedTo", l.ID)
	l.Previous = o.integer("previous", 0, maxSize)
	last := l.Previous
	for _, c := range o.children("items", 1, MaxRecords) {
		r := LedgerRecord{Number: c.integer("number", 1, maxSize), Call: c.match("call", callPattern, "a function's name"), Arguments: c.text("arguments", maxArguments)}
		if r.Number <= last {
			c.fail("number", "is not after the one before")
		}
		last = r.Number
		l.Records = append(l.Records, r)
	}
	if err := o.close(); err != nil {
		return LedgerRecords{}, err
	}
	return l, nil
}

// PayoutInstruction says where an artist wants to be paid what pools owe.
type PayoutInstruction struct {
	// ID is on the artist's host.
	ID string
	// AttributedTo is the artist, who signs.
	AttributedTo string
	// Asset is a CAIP-19 token or an ISO 4217 currency, Address where it is to be sent, in plain letters.
	Asset, Address string
	Published      time.Time
}

var payToPattern = regexp.MustCompile(`^[!-~]{1,200}$`)

// Object is the instruction as it is signed. It does not check; ReadPayoutInstruction does.
func (p PayoutInstruction) Object() map[string]any {
	return map[string]any{
		"@context": Context(KindPayoutInstruction), "id": p.ID, "type": []any{"PayoutInstruction", "Document"}, "attributedTo": p.AttributedTo,
		"asset": p.Asset, "payTo": p.Address, "published": formatTime(p.Published),
	}
}

// ReadPayoutInstruction reads an instruction's exact form. It looks neither at the proof nor at the clock. Errors wrap
// ErrInvalid or those of vocab/jsonld.
func ReadPayoutInstruction(raw []byte) (PayoutInstruction, error) {
	o, err := openSigned(raw, KindPayoutInstruction, "PayoutInstruction", "Document")
	if err != nil {
		return PayoutInstruction{}, err
	}
	p := PayoutInstruction{ID: o.id("id")}
	p.AttributedTo = o.sibling("attributedTo", p.ID)
	p.Asset = o.asset("asset")
	p.Address = o.match("payTo", payToPattern, "an address in plain letters")
	p.Published = o.moment("published")
	if err := o.close(); err != nil {
		return PayoutInstruction{}, err
	}
	return p, nil
}
