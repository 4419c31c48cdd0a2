package raiden

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// Received is a payment to this node that is final and may be credited. Its identifier is NOT unique: anybody may pay
// the same identifier twice. Key is.
type Received struct {
	// Key names this payment among all of the node, the same at every reading: use it to credit once.
	Key        string
	Initiator  eip55.Address
	Target     eip55.Address
	Token      eip55.Address
	Amount     amount.Units // never zero
	Identifier uint64
	Time       time.Time
	Position   int
}

// Cursor marks how far a token's history was examined. Keep it as text; "" is the beginning.
type Cursor string

// ReceivedPage is a stretch of received payments and the cursor to go on with.
type ReceivedPage struct {
	Payments []Received
	Next     Cursor
	// More is true when there was as much history as was asked for, so that another call is due at once.
	More bool
	// Unreadable counts lines of the history that were passed over because they could not be read.
	Unreadable int
}

// Received examines up to limit (1 to MaxPage) lines of a token's history after the cursor and returns the payments
// that are safe to credit: received, aimed at this node, of more than nothing, not pending, and (light) with the
// secret that opens their lock. The cursor does not move past a transfer that is still under way; what was received
// behind it is returned at once, and again until the transfer has ended, always with the same Key. ErrCursor means
// that the history was rewritten or the node restored: begin again with "".
func (c *Client) Received(ctx context.Context, token eip55.Address, after Cursor, limit int) (ReceivedPage, error) {
	limit = min(max(limit, 1), MaxPage-1)
	own, err := c.Address(ctx)
	if err != nil {
		return ReceivedPage{}, err
	}
	dialect, err := c.Dialect(ctx)
	if err != nil {
		return ReceivedPage{}, err
	}
	position, mark, err := after.parse()
	if err != nil {
		return ReceivedPage{}, err
	}
	// One line before the cursor is read too: it tells whether the history is still the same one.
	from, count := position, limit
	if position > 0 {
		from, count = position-1, limit+1
	}
	s, err := c.settledHistory(ctx, token, own, dialect, from, count)
	if err != nil {
		return ReceivedPage{}, err
	}
	marks := make(map[int]string, len(s.Events))
	out := ReceivedPage{Next: after, More: s.Next-from == count, Unreadable: len(s.Unreadable)}
	for _, at := range s.Unreadable {
		marks[at] = unreadableMark
		if at < position {
			out.Unreadable--
		}
	}
	for _, e := range s.Events {
		marks[e.Position] = e.mark()
	}
	if position > 0 && marks[position-1] != mark {
		return ReceivedPage{}, fmt.Errorf("received payments: %w", ErrCursor)
	}
	end := s.Next
	for _, e := range s.Events {
		if e.Position < position {
			continue
		}
		if e.Kind != EventReceived || e.Target != own {
			continue
		}
		if s.underWay[e.Position] {
			// Nobody may hold up the others by leaving a transfer open: go on, but come back here.
			end = min(end, e.Position)
			out.More = false
			continue
		}
		if e.Amount.IsZero() || !s.final[e.Position] {
			continue
		}
		out.Payments = append(out.Payments, Received{
			Key: e.key(), Initiator: e.Initiator, Target: e.Target, Token: e.Token, Amount: e.Amount,
			Identifier: e.Identifier, Time: e.Time, Position: e.Position,
		})
	}
	if end > position {
		out.Next = Cursor(strconv.Itoa(end) + ":" + marks[end-1])
	}
	return out, nil
}

// settled is a page of history with what is known about each position.
type settled struct {
	Page
	final    map[int]bool // done: the money has moved
	underWay map[int]bool // may still be done
}

// settledHistory reads a page and the pending transfers and tells the final events from those under way. The order of
// the questions matters: a transfer that is absent from the pending ones, asked after the history, is over; whether it
// ended well is told by the history once more.
func (c *Client) settledHistory(ctx context.Context, token, own eip55.Address, dialect Dialect, from, count int) (settled, error) {
	s := settled{final: map[int]bool{}, underWay: map[int]bool{}}
	page, err := c.Payments(ctx, token, from, count)
	if err != nil {
		return s, err
	}
	pending, err := c.PendingTransfers(ctx, token)
	if err != nil {
		return s, err
	}
	if dialect == DialectLight && anyUnproven(page.Events) {
		again, err := c.Payments(ctx, token, from, count)
		if err != nil {
			return s, err
		}
		// Lines that came after the first reading were not yet there when the pending transfers were asked for.
		page = again.before(page.Next)
	}
	s.Page = page
	type lock struct {
		initiator eip55.Address
		id        uint64
	}
	open := map[lock]bool{}
	for _, p := range pending {
		open[lock{p.Initiator, p.Identifier}] = true
	}
	for i, e := range s.Events {
		if dialect == DialectPython {
			// Python names only the other side.
			if e.Kind == EventReceived && e.Target.IsZero() {
				e.Target = own
			}
			if e.Kind == EventSent && e.Initiator.IsZero() {
				e.Initiator = own
			}
			s.Events[i] = e
		}
		contradicts := e.Secret != Secret{} && e.SecretHash != Hash{} && !e.proven()
		switch {
		case open[lock{e.Initiator, e.Identifier}]:
			s.underWay[e.Position] = true
		case e.proven(), dialect == DialectPython && !contradicts:
			s.final[e.Position] = true
		}
	}
	return s, nil
}

func anyUnproven(events []Event) bool {
	for _, e := range events {
		if !e.proven() {
			return true
		}
	}
	return false
}

func (p Page) before(end int) Page {
	for len(p.Events) > 0 && p.Events[len(p.Events)-1].Position >= end {
		p.Events = p.Events[:len(p.Events)-1]
	}
	for len(p.Unreadable) > 0 && p.Unreadable[len(p.Unreadable)-1] >= end {
		p.Unreadable = p.Unreadable[:len(p.Unreadable)-1]
	}
	p.Next = min(p.Next, end)
	return p
}

// key: the secret's hash is unique to a transfer; without it (python) the log time tells payments apart.
func (e Event) key() string {
	text := fmt.Sprintf("%s|%s|%s|%d|", e.Token, e.Initiator, e.Amount, e.Identifier)
	if e.SecretHash != (Hash{}) {
		text += e.SecretHash.String()
	} else {
		text += e.Time.UTC().Format(time.RFC3339Nano)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

const unreadableMark = "unreadable"

// mark recognizes a line of history. It leaves out what may change while a transfer is under way.
func (e Event) mark() string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s|%s|%s|%s|%d|%s", e.Kind, e.Initiator, e.Target, e.Amount, e.Identifier, e.SecretHash)))
	return hex.EncodeToString(sum[:8])
}

func (c Cursor) parse() (position int, mark string, err error) {
	if c == "" {
		return 0, "", nil
	}
	text, mark, ok := strings.Cut(string(c), ":")
	position, err = strconv.Atoi(text)
	if !ok || err != nil || position <= 0 || mark == "" {
		return 0, "", fmt.Errorf("cursor %q: %w", string(c), ErrCursor)
	}
	return position, mark, nil
}
