package fabric_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
	"antiphon/payments/ledger/fabric"
	"antiphon/payments/ledger/fabricdev"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const euro amount.Asset = "iso4217:EUR"

// payment is the n-th payment for one artist.
func payment(n int) contract.Payment {
	return contract.Payment{
		Order: fmt.Sprintf("https://a.example/agreements/%d", n), Payee: "https://a.example/users/ada",
		Amount: amount.New(10, euro), Provider: "raiden", PaymentHash: fmt.Sprintf("%064x", 1000+n),
	}
}

// real is a network of three organizations, with a client of each.
type real struct {
	*fabricdev.Network
	t       *testing.T
	clock   *testkit.Clock
	members []*fabric.Backend
}

// newReal starts a real network, with Fabric's own programs.
func newReal(t *testing.T) *real {
	t.Helper()
	programs, err := fabricdev.Programs("")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	network, err := fabricdev.Start(t.Context(), fabricdev.Config{
		Dir: filepath.Join(t.TempDir(), "network"), Programs: programs, Orgs: []string{"alpha", "beta", "gamma"}, AnyTime: true, TLS: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	started := time.Since(begin)
	if err := network.Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %s, the contract runs after %s", started.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
	r := &real{Network: network, t: t, clock: testkit.NewClock(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))}
	for i := range 3 {
		cfg := network.Member(i)
		cfg.Now, cfg.Patience = r.clock.Now, 20*time.Second
		b, err := fabric.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := errors.Join(b.Close(), b.Close()); err != nil {
				t.Error(err)
			}
		})
		r.members = append(r.members, b)
	}
	return r
}

// TestNetwork is one story on one network, since a network takes seconds to start: the contract's own suite, then what
// only several operators can show each other.
func TestNetwork(t *testing.T) {
	t.Parallel()
	r := newReal(t)
	step := func(name string, do func()) {
		begin := time.Now()
		do()
		t.Logf("%s: %s", name, time.Since(begin).Round(time.Millisecond))
	}
	step("suite", r.suite)
	step("two operators at once", r.atOnce)
	step("events", r.events)
	step("forwarded", r.forwarded)
	step("pages", r.pages)
	step("peers down", r.down)
}

// suite holds the network to the contract, through the peer of the first organization.
func (r *real) suite() {
	contracttest.Run(r.t, func(*testing.T) contracttest.Bench {
		return contracttest.Bench{Backend: r.members[0], SetTime: r.clock.Set, Caller: "AlphaMSP"}
	})
}

// atOnce: operators who write the same accounts at the same time all get there, and one payment counts once.
func (r *real) atOnce() {
	const each = 3
	var all errgroup.Group
	results := make([]error, 2)
	for m := range 2 {
		for i := range each {
			all.Go(func() error { return r.members[m].Submit(r.t.Context(), payment(m*each+i)) })
		}
		all.Go(func() error {
			results[m] = r.members[m].Submit(r.t.Context(), payment(99))
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		r.t.Fatal(err)
	}
	if (results[0] == nil) == (results[1] == nil) || !errors.Is(errors.Join(results...), contract.ErrDuplicate) {
		r.t.Errorf("one payment submitted by two: %v and %v", results[0], results[1])
	}
	r.agree()
	owed, err := contract.Owed(func(key string) (string, bool, error) { return r.members[1].Get(r.t.Context(), key) }, payment(0).Payee, euro)
	if err != nil || owed != amount.New(10*(2*each+1), euro) {
		r.t.Errorf("owed %v, %v", owed, err)
	}
}

// agree waits until every member's peer has the same state, byte for byte.
func (r *real) agree() {
	r.t.Helper()
	r.eventually("states differ", func() error {
		first, err := stateOf(r.t.Context(), r.members[0])
		if err != nil || len(first) == 0 {
			return fmt.Errorf("%d keys, %w", len(first), err)
		}
		for i, m := range r.members[1:] {
			other, err := stateOf(r.t.Context(), m)
			if err != nil || !maps.Equal(first, other) {
				return fmt.Errorf("member %d has %d keys, the first %d, %w", i+1, len(other), len(first), err)
			}
		}
		return nil
	})
}

func (r *real) eventually(what string, try func() error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			r.t.Fatalf("%s: %v", what, err)
		}
	}
}

func stateOf(ctx context.Context, b contract.Backend) (map[string]string, error) {
	state := map[string]string{}
	err := b.Range(ctx, "", "\U0010ffff", func(key, value string) error {
		state[key] = value
		return nil
	})
	return state, err
}

// events: each member is told the same in the same order, a follower is told what comes later, and an error ends it.
func (r *real) events() {
	ctx := r.t.Context()
	var told []string
	for i, m := range r.members {
		var own []string
		err := m.Events(ctx, func(e contract.Event) error {
			own = append(own, e.TxID+" "+e.Name+" "+string(e.Payload))
			return nil
		})
		if err != nil || len(own) == 0 {
			r.t.Fatalf("member %d was told %d events, %v", i, len(own), err)
		}
		if i > 0 && !slices.Equal(told, own) {
			r.t.Errorf("member %d was told\n%q\nand the first\n%q", i, own, told)
		}
		told = own
	}
	enough := errors.New("enough")
	if err := r.members[0].Events(ctx, func(contract.Event) error { return enough }); !errors.Is(err, enough) {
		r.t.Errorf("an error of the listener's: %v", err)
	}

	later := contracttest.Nodes("AlphaMSP")[0]
	var last uint64
	seen, submitted := 0, false
	err := r.members[2].Follow(ctx, 0, func(block uint64, e contract.Event) error {
		if block < last {
			return fmt.Errorf("block %d after %d", block, last)
		}
		last = block
		seen++
		switch {
		case seen == len(told):
			submitted = true
			return r.members[0].Submit(ctx, later)
		case submitted && strings.Contains(string(e.Payload), later.Host):
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || seen != len(told)+1 {
		r.t.Errorf("followed %d of %d events: %v", seen, len(told)+1, err)
	}
}

// pages: a range of more keys than one answer holds comes whole and in order.
func (r *real) pages() {
	const keys = 2100
	ctx := r.t.Context()
	books := contracttest.Keep(r.t, contracttest.Alpha, "2027-02", 1, nil)
	r.clock.Set(time.Date(2027, 2, 5, 0, 0, 0, 0, time.UTC))
	var all errgroup.Group
	for batch := 0; batch < keys; batch += 300 {
		names := make([]string, 300)
		for i := range names {
			names[i] = fmt.Sprint("P", batch+i)
		}
		paid := books.Paid(r.t, 100_000+batch, names...)
		all.Go(func() error { return r.members[0].Submit(ctx, paid) })
	}
	if err := all.Wait(); err != nil {
		r.t.Fatal(err)
	}
	var got []string
	err := r.members[0].Range(ctx, "", "\U0010ffff", func(key, _ string) error {
		got = append(got, key)
		return nil
	})
	if err != nil || len(got) < keys || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		r.t.Errorf("%d keys, sorted %t, %v", len(got), slices.IsSorted(got), err)
	}
}

// down: one of three operators may be away; with two away nothing is written, which is said at once, reading goes on, and
// when one is back everything is.
func (r *real) down() {
	ctx := r.t.Context()
	first := r.members[0]
	broken := make(chan error, 1)
	go func() { broken <- r.Wait(ctx) }()
	if err := r.StopPeer(2); err != nil {
		r.t.Fatal(err)
	}
	if err := <-broken; err == nil || !strings.Contains(err.Error(), "peer of gamma") {
		r.t.Errorf("who waits is told: %v", err)
	}
	r.eventually("one of three is away", func() error { return first.Submit(ctx, payment(50)) })
	if err := errors.Join(r.StopPeer(1), r.StopPeer(1)); err != nil {
		r.t.Fatal(err)
	}
	refused, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := first.Submit(refused, payment(51)); !errors.Is(err, fabric.ErrUnavailable) || refused.Err() != nil {
		r.t.Errorf("two of three are away: %v", err)
	}
	if err := r.members[1].Submit(refused, payment(51)); !errors.Is(err, fabric.ErrUnavailable) || refused.Err() != nil {
		r.t.Errorf("the own peer is away: %v", err)
	}
	if _, found, err := first.Get(ctx, "payment/"+payment(50).PaymentHash); err != nil || !found {
		r.t.Errorf("reading: %t, %v", found, err)
	}
	for _, i := range []int{1, 2} {
		if err := r.StartPeer(ctx, i); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := r.Ready(ctx); err != nil {
		r.t.Fatal(err)
	}
	if err := r.members[1].Submit(ctx, payment(51)); err != nil {
		r.t.Errorf("after the restart: %v", err)
	}
	if err := first.Submit(ctx, payment(50)); !errors.Is(err, contract.ErrDuplicate) {
		r.t.Errorf("what was paid before: %v", err)
	}
	r.agree()
}
