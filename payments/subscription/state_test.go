package subscription_test

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"antiphon/payments/amount"
	"antiphon/payments/subscription"
)

// TestStates holds the table of transitions: what is not in it is refused.
func TestStates(t *testing.T) {
	t.Parallel()
	all := []subscription.State{
		subscription.Asked, subscription.Active, subscription.Ending, subscription.Late, subscription.Lapsed, subscription.Ended,
	}
	legal := map[subscription.State]string{
		subscription.Asked: "active ended", subscription.Active: "ending grace", subscription.Ending: "active ended",
		subscription.Late: "active ended lapsed", subscription.Lapsed: "asked active", subscription.Ended: "asked active",
	}
	words := func(s string) map[string]bool {
		set := map[string]bool{}
		for _, w := range splitWords(s) {
			set[w] = true
		}
		return set
	}
	for _, from := range append(all, "nonsense", "") {
		for _, to := range append(all, "nonsense", "") {
			if want, got := words(legal[from])[string(to)], from.To(to) == nil; got != want {
				t.Errorf("from %q to %q: legal is %v, want %v", from, to, got, want)
			}
		}
	}
	for _, s := range all {
		if want := words("active ending grace")[string(s)]; s.Stands() != want {
			t.Errorf("%s stands: %v", s, s.Stands())
		}
	}
}

func splitWords(s string) []string {
	var out []string
	word := ""
	for _, r := range s + " " {
		if r != ' ' {
			word += string(r)
		} else if word != "" {
			out, word = append(out, word), ""
		}
	}
	return out
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, tc := range []struct {
		at          string
		period      subscription.Period
		start, next string
	}{
		{"2026-11-30T23:59:59Z", 202611, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"2026-12-01T00:00:00Z", 202612, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"2026-12-01T00:30:00+01:00", 202611, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{"2028-02-29T12:00:00Z", 202802, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
	} {
		p := subscription.PeriodOf(at(tc.at))
		if p != tc.period || !p.Start().Equal(at(tc.start)) || !p.End().Equal(at(tc.next)) || p.Next() != subscription.PeriodOf(at(tc.next)) ||
			!p.Closes().Equal(at(tc.next).Add(72*time.Hour)) {
			t.Errorf("%s: %d from %s to %s, then %d", tc.at, p, p.Start(), p.End(), p.Next())
		}
	}
	for _, bad := range []subscription.Period{0, -1, 202600, 202613, 1, 99999912} {
		if bad.Valid() {
			t.Errorf("%d is a month", bad)
		}
	}
	for _, tc := range []struct {
		at, price, want string
	}{
		{"2026-11-01T00:00:00Z", "3000", "3000"}, {"2026-11-01T23:59:59Z", "3000", "3000"}, {"2026-11-02T00:00:00Z", "3000", "2900"},
		{"2026-11-30T23:59:59Z", "3000", "100"}, {"2026-11-30T23:59:59Z", "1", "1"}, {"2026-10-25T00:00:00Z", "3000", "3000"}, {"2026-11-21T13:00:00Z", "1000", "334"},
	} {
		price, err := amount.ParseUnits(tc.price)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := subscription.Period(202611).Share(price, at(tc.at)); err != nil || got.String() != tc.want {
			t.Errorf("of %s at %s: %s %v, want %s", tc.price, tc.at, got, err, tc.want)
		}
	}
}

// TestShare holds of every price and moment: never more than the price, never nothing while a day is left, and never
// more later than earlier.
func TestShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 1, 32).Draw(t, "price"))
		price, err := amount.UnitsFromBig(n)
		if err != nil {
			t.Fatal(err)
		}
		p := subscription.PeriodOf(time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "month"), 0))
		length := int64(p.End().Sub(p.Start()).Seconds())
		early := rapid.Int64Range(0, length-1).Draw(t, "early")
		late := rapid.Int64Range(early, length-1).Draw(t, "late")
		a, err := p.Share(price, p.Start().Add(time.Duration(early)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Share(price, p.Start().Add(time.Duration(late)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if a.Cmp(price) > 0 || b.Cmp(a) > 0 || b.IsZero() != price.IsZero() {
			t.Errorf("of %s: %s, then %s", price, a, b)
		}
	})
}
