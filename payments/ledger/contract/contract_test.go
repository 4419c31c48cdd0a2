package contract_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
	"antiphon/payments/royalty"
)

// TestMessage: an error that has gone through text is still the same to errors.Is.
func TestMessage(t *testing.T) {
	t.Parallel()
	for _, want := range []error{
		contract.ErrDuplicate, contract.ErrInvalid, contract.ErrCaller, contract.ErrUnknown, contract.ErrEarly, contract.ErrLate,
		contract.ErrChain, contract.ErrSum, contract.ErrOverflow, contract.ErrOverdrawn, contract.ErrState, contract.ErrFrivolous,
	} {
		text := contract.Message(&contract.LineError{Line: 3, Err: fmt.Errorf("%w: pay/x", want)})
		got, ok := contract.ParseMessage(text)
		if !ok || !errors.Is(got, want) || !strings.Contains(got.Error(), "line 3: ") {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "duplicate", "failed: disk is full", "what: x", contract.Message(errors.New("disk is full"))} {
		if err, ok := contract.ParseMessage(text); ok {
			t.Errorf("%q is read as %v", text, err)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, call := range map[string][2]string{
		"no function":   {"mint", "{}"},
		"no arguments":  {"report_day", ""},
		"null":          {"report_day", "null"},
		"more members":  {"set_node", `{"host":"a.example","more":1}`},
		"two values":    {"set_node", `{} {}`},
		"not an object": {"vote", `[]`},
		"a fraction":    {"report_day", `{"lines":1.5}`},
		"too long":      {"set_node", `{"host":"` + strings.Repeat("a", contract.MaxArgs) + `"}`},
	} {
		if err := d.As("operator").Run(call[0], []byte(call[1])); !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnyMonth: whatever was heard, the month that royalty compiles is one that the contract takes, and with any sum
// changed it is one that it refuses.
func TestAnyMonth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		d := newDesk(t)
		listeners := rapid.IntRange(1, 6).Draw(r, "listeners")
		var who []string
		var heard []contracttest.Heard
		for l := range listeners {
			who = append(who, fmt.Sprint("L", l))
			for a := range rapid.IntRange(0, 12).Draw(r, "artists") {
				heard = append(heard, contracttest.Heard{Listener: who[l], Artist: fmt.Sprint("a", a), Plays: rapid.Int64Range(1, 1000).Draw(r, "plays")})
			}
		}
		b := contracttest.Keep(t, alpha, october, 1, who, heard...)
		d.at("2026-10-05T09:00:00Z")
		d.do(alpha, b.Paid(t, 10, who...))
		d.at("2026-11-01T02:00:00Z")
		d.do(alpha, b.EmptyDay())
		if len(heard) == 0 {
			b.Day.Lines, b.Day.Plays, b.Day.Seconds = 0, 0, 0
		}
		d.do(alpha, b.Day)
		d.at("2026-11-04T12:00:00Z")
		by := royalty.Micro(rapid.SampledFrom([]int64{-1_000_000, -1, 1, 9_000_000}).Draw(r, "by"))
		changed := b.Report
		switch rapid.IntRange(0, 5).Draw(r, "sum") {
		case 0:
			changed.Operator += by
		case 1:
			changed.Pool += by
		case 2:
			changed.CarryIn += by
		case 3:
			changed.Splits += by
		case 4:
			changed.Held += by
		case 5:
			changed.CarryOut += by
		}
		if err := d.As(alpha).Submit(t.Context(), changed); err == nil {
			r.Fatalf("%+v is accepted for %+v", changed, b.Report)
		}
		d.do(alpha, b.Report)
	})
}

// FuzzRun: no arguments bring a function down, and what it refuses leaves nothing behind.
func FuzzRun(f *testing.F) {
	d := newCourt(f)
	for _, c := range []contract.Command{
		contract.DefaultPolicy(october), contracttest.Nodes("x")[0], d.claimed.Paid(f, 9, "L9"), d.claimed.Day, d.claimed.Report, d.claimed.Final(),
		d.claimed.Payouts(f), opening(d.desk, beta, contracttest.Artist("a")), d.evidence(), d.remove(alpha), d.close(), d.appeal(),
		contract.Chargeback{Node: beta, Month: october}, contract.Correction{Node: beta, Month: october},
		contract.Payment{Order: "o", Payee: "p", Amount: contracttest.Tokens(f, 1), Provider: "raiden", PaymentHash: contracttest.Hash(1)},
	} {
		function, args, err := contract.Encode(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(function, args, beta)
	}
	f.Fuzz(func(t *testing.T, function string, args []byte, caller string) {
		c := newCourt(t)
		before := c.dump()
		if err := c.As(caller).Run(function, args); err != nil && c.dump() != before {
			t.Errorf("%v, and something changed", err)
		}
	})
}
