package contract_test

import (
	"errors"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
	"antiphon/payments/royalty"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	alpha   = contracttest.Alpha
	beta    = contracttest.Beta
	gamma   = "gamma.example"
	october = contracttest.October
)

// desk is a ledger in memory on which each node speaks for itself.
type desk struct {
	t testing.TB
	*contracttest.Memory
	clock *testkit.Clock
}

// newDesk is a ledger with a policy and the nodes, on the second of October.
func newDesk(t testing.TB) *desk {
	t.Helper()
	clock := testkit.NewClock(time.Date(2026, 10, 2, 8, 0, 0, 0, time.UTC))
	d := &desk{t, contracttest.NewMemory("operator", clock.Now), clock}
	d.do("operator", contract.DefaultPolicy(october))
	for _, n := range contracttest.Nodes("") {
		n.Caller = n.Host
		d.do("operator", n)
	}
	return d
}

func (d *desk) at(text string) {
	d.t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		d.t.Fatal(err)
	}
	d.clock.Set(at)
}

func (d *desk) do(caller string, c contract.Command) {
	d.t.Helper()
	if err := d.As(caller).Submit(d.t.Context(), c); err != nil {
		d.t.Fatalf("%s: %T: %v", caller, c, err)
	}
}

// refused submits, and wants the error and nothing changed.
func (d *desk) refused(name, caller string, want error, c contract.Command) {
	d.t.Helper()
	before := d.dump()
	if err := d.As(caller).Submit(d.t.Context(), c); !errors.Is(err, want) {
		d.t.Errorf("%s: %v, want %v", name, err, want)
	}
	if d.dump() != before {
		d.t.Errorf("%s: refused, and something changed", name)
	}
}

func (d *desk) dump() string {
	all := ""
	if err := d.Range(d.t.Context(), "", "~", func(k, v string) error { all += k + " " + v + "\n"; return nil }); err != nil {
		d.t.Fatal(err)
	}
	return all
}

// worked is the worked month on alpha.
func worked(t testing.TB) contracttest.Books {
	return contracttest.Keep(t, alpha, october, 1, []string{"L1", "L2", "L3"},
		contracttest.Heard{Listener: "L1", Artist: "a", Plays: 50}, contracttest.Heard{Listener: "L1", Artist: "b", Plays: 30},
		contracttest.Heard{Listener: "L1", Artist: "c", Plays: 20}, contracttest.Heard{Listener: "L2", Artist: "b", Plays: 10},
		contracttest.Heard{Listener: "L2", Artist: "d", Plays: 5}, contracttest.Heard{Listener: "L3", Artist: "c", Plays: 1})
}

// disputed is beta's month with 400 plays of z that nobody heard, and without.
func disputed(t testing.TB) (claimed, honest contracttest.Books) {
	heard := []contracttest.Heard{{Listener: "L4", Artist: "a", Plays: 41}, {Listener: "L4", Artist: "b", Plays: 17}, {Listener: "L4", Artist: "c", Plays: 9}}
	honest = contracttest.Keep(t, beta, october, 1, []string{"L4"}, heard...)
	return contracttest.Keep(t, beta, october, 1, []string{"L4"}, append(heard, contracttest.Heard{Listener: "L4", Artist: "z", Plays: 400})...), honest
}

// paid records payments and days of a node's month.
func (d *desk) paid(b contracttest.Books, first int, listeners ...string) {
	d.t.Helper()
	d.at("2026-10-05T09:00:00Z")
	d.do(b.Node, b.Paid(d.t, first, listeners...))
	d.at("2026-11-01T02:00:00Z")
	d.do(b.Node, b.EmptyDay())
	d.do(b.Node, b.Day)
	d.at("2026-11-04T12:00:00Z")
}

// final is the worked month up to its final statement.
func (d *desk) final() contracttest.Books {
	d.t.Helper()
	b := worked(d.t)
	d.paid(b, 10, "L1", "L2", "L3")
	d.do(alpha, b.Report)
	d.at("2026-11-24T09:00:00Z")
	d.do(alpha, b.Final())
	return b
}

func micro(t testing.TB, totals []contract.ArtistTotal, name string) royalty.Micro {
	t.Helper()
	for _, total := range totals {
		if total.Artist == contracttest.Artist(name) {
			return total.Micro
		}
	}
	return 0
}

// change is a copy of a value with something changed.
func change[T any](v T, fn func(*T)) T {
	fn(&v)
	return v
}
