package contract

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/royalty"
)

// Subscriptions are payments for a month of listening that have become final on one node, at most MaxLines of them. Each
// is recorded once: a duplicate refuses the whole batch with a LineError. The operator's and the artists' share are
// posted once a batch and month under a key of the batch's own, so that two batches do not wait for each other.
type Subscriptions struct {
	Node  string         `json:"node"`
	Lines []Subscription `json:"lines"`
}

// Subscription is one listener's payment for one month.
type Subscription struct {
	// Pseudonym is the listener's for this month: royalty.Pseudonym.
	Pseudonym string `json:"pseudonym"`
	// Month is the one that the payment became final in.
	Month royalty.Month `json:"month"`
	// Micro is always royalty.Fee.
	Micro royalty.Micro `json:"micro"`
	// Paid is what that came to in the smallest units of the asset that was paid.
	Paid     amount.Amount `json:"paid"`
	Provider string        `json:"provider"`
	// PaymentHash is 64 hexadecimal digits; no two payments of any kind have the same.
	PaymentHash string `json:"paymentHash"`
}

// Call implements [Command].
func (b Subscriptions) Call() (string, any, error) { return recordSubscriptions, b, nil }

const (
	recordSubscriptions = "record_subscriptions"
	recordChargeback    = "record_chargeback"
)

var pseudonymForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

func subscriptionKey(month royalty.Month, pseudonym string) string {
	return "pay/" + string(month) + "/" + pseudonym
}

func sharePrefix(month royalty.Month, node string) string {
	return "share/" + string(month) + "/" + node + "/"
}

func chargebackPrefix(month royalty.Month, node string) string {
	return "chargeback/" + string(month) + "/" + node + "/"
}

// paid is a subscription as it stands on the ledger.
type paid struct {
	Node        string        `json:"node"`
	Paid        amount.Amount `json:"paid"`
	Provider    string        `json:"provider"`
	PaymentHash string        `json:"paymentHash"`
}

// share is what a batch brought of one month.
type share struct {
	Payments int64         `json:"payments"`
	Operator royalty.Micro `json:"operator"`
	Pool     royalty.Micro `json:"pool"`
}

func (b Subscriptions) run(s State) error {
	if _, err := authorize(s, b.Node); err != nil {
		return err
	}
	if err := batch(len(b.Lines)); err != nil {
		return err
	}
	seen := map[string]bool{}
	shares := map[string]share{}
	first := map[royalty.Month]string{}
	for i, line := range b.Lines {
		if err := line.record(s, b.Node, seen); err != nil {
			return &LineError{i, err}
		}
		key, known := first[line.Month]
		if !known {
			key = sharePrefix(line.Month, b.Node) + line.Pseudonym
			first[line.Month] = key
		}
		sum := shares[key]
		sum.Payments++
		sum.Operator += royalty.Operator
		sum.Pool += royalty.Pool
		shares[key] = sum
	}
	for _, key := range slices.Sorted(maps.Keys(shares)) {
		if err := put(s, key, shares[key]); err != nil {
			return err
		}
	}
	return emit(s, recordSubscriptions, notice{Node: b.Node, Lines: len(b.Lines)})
}

func (l Subscription) check() error {
	if _, err := royalty.ParseMonth(string(l.Month)); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	asset, err := amount.ParseAsset(string(l.Paid.Asset))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	case asset != l.Paid.Asset || l.Paid.IsZero():
		return fmt.Errorf("%w: want a canonical amount above zero", ErrInvalid)
	case !pseudonymForm.MatchString(l.Pseudonym):
		return fmt.Errorf("%w: want a pseudonym of 32 hexadecimal digits", ErrInvalid)
	case l.Micro != royalty.Fee:
		return fmt.Errorf("%w: a month costs %s, not %s", ErrSum, royalty.Fee, l.Micro)
	case !nameForm.MatchString(l.Provider):
		return fmt.Errorf("%w: provider's name", ErrInvalid)
	case !hexHash.MatchString(l.PaymentHash):
		return fmt.Errorf("%w: want a hash of 64 hexadecimal digits", ErrInvalid)
	}
	return nil
}

// record writes one line, unless it or its payment was recorded before, here or in the batch.
func (l Subscription) record(s State, node string, seen map[string]bool) error {
	if err := l.check(); err != nil {
		return err
	}
	if err := inMonth(l.Month, s.Time()); err != nil {
		return err
	}
	key, payment := subscriptionKey(l.Month, l.Pseudonym), "payment/"+l.PaymentHash
	for _, k := range []string{key, payment} {
		_, found, err := s.Get(k)
		if err != nil {
			return err
		}
		if found || seen[k] {
			return fmt.Errorf("%w: %s", ErrDuplicate, k)
		}
		seen[k] = true
	}
	if err := put(s, key, paid{node, l.Paid, l.Provider, l.PaymentHash}); err != nil {
		return err
	}
	return s.Put(payment, key)
}

// inMonth refuses a payment for a month to come, and for one whose third day after is over.
func inMonth(month royalty.Month, now time.Time) error {
	switch {
	case now.Before(month.Start()):
		return fmt.Errorf("%w: %s has not begun", ErrEarly, month)
	case !now.Before(reportsClose(month)):
		return fmt.Errorf("%w: %s is closed", ErrLate, month)
	}
	return nil
}

// reportsClose is when the days of a month can be reported no longer: the end of the third day of the next one.
func reportsClose(month royalty.Month) time.Time { return month.Next().Day(4) }

// Chargeback takes back one subscription that the payment's provider has reversed. Before the month is reported it
// simply does not count; afterwards it waits for a Correction that names it.
type Chargeback struct {
	Node        string        `json:"node"`
	Month       royalty.Month `json:"month"`
	Pseudonym   string        `json:"pseudonym"`
	PaymentHash string        `json:"paymentHash"`
}

// Call implements [Command].
func (c Chargeback) Call() (string, any, error) { return recordChargeback, c, nil }

// reversed is a chargeback as it stands on the ledger.
type reversed struct {
	// Late is whether the month had been reported.
	Late bool `json:"late"`
}

func (c Chargeback) run(s State) error {
	if _, err := authorize(s, c.Node); err != nil {
		return err
	}
	if !pseudonymForm.MatchString(c.Pseudonym) {
		return fmt.Errorf("%w: want a pseudonym of 32 hexadecimal digits", ErrInvalid)
	}
	p, found, err := get[paid](s, subscriptionKey(c.Month, c.Pseudonym))
	switch {
	case err != nil:
		return err
	case !found || p.Node != c.Node || p.PaymentHash != c.PaymentHash:
		return fmt.Errorf("%w: no such subscription on this node", ErrUnknown)
	}
	key := chargebackPrefix(c.Month, c.Node) + c.Pseudonym
	if _, twice, err := s.Get(key); err != nil {
		return err
	} else if twice {
		return fmt.Errorf("%w: %s", ErrDuplicate, key)
	}
	_, late, err := s.Get(monthKey(c.Month, c.Node))
	if err != nil {
		return err
	}
	if err := put(s, key, reversed{late}); err != nil {
		return err
	}
	return emit(s, recordChargeback, notice{Node: c.Node, Month: c.Month})
}

// payments counts the subscriptions of a node's month that were not taken back.
func payments(s State, month royalty.Month, node string) (int64, error) {
	var n int64
	start, end := under(sharePrefix(month, node))
	err := s.Range(start, end, func(key, value string) error {
		one, err := read[share]([]byte(value))
		n += one.Payments
		return err
	})
	if err != nil {
		return 0, err
	}
	start, end = under(chargebackPrefix(month, node))
	err = s.Range(start, end, func(string, string) error { n--; return nil })
	return n, err
}
