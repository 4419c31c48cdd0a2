package reporting_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/reporting"
	"antiphon/internal/testkit"
	"antiphon/media/listen"
	"antiphon/payments"
	"antiphon/payments/anomaly"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
	"antiphon/payments/pseudonym"
	"antiphon/payments/royalty"
)

// lived are the rooms of a node whose reports come from what is paid and played there.
type lived struct {
	bank    *bank
	agenda  *agenda
	orders  *payments.Service
	pool    *pool.Service
	listens *listen.Service
	// free is when each listener's last play ends, sessions how many plays there are, written when they were last written.
	free     map[string]time.Time
	sessions int
	written  time.Time

	mu   sync.Mutex
	told []string
}

// members are those who have paid, as reports ask for them.
type members struct{ pool *pool.Service }

func (m members) Members(ctx context.Context, month royalty.Month, yield func(string) error) error {
	return m.pool.Members(ctx, month, func(m pool.Member) error { return yield(m.Listener) })
}

// policy is the one of a month, by the own ledger.
func (n *node) policy(ctx context.Context, month royalty.Month) (contract.Policy, error) {
	return contract.PolicyFor(ctx, n.book, month)
}

// facts are what is known here of who has paid with what, and of where artists' money goes.
func (n *node) facts(ctx context.Context, month royalty.Month, listeners, artists []string) (anomaly.Facts, error) {
	out := anomaly.Facts{Payout: map[string]string{}}
	var err error
	if out.Paid, err = n.pool.Instruments(ctx, month, listeners); err != nil {
		return out, err
	}
	for _, artist := range artists {
		if _, out.Payout[artist], err = n.reports.AddressOf(ctx, artist); err != nil {
			return out, err
		}
	}
	return out, nil
}

// tell keeps what a member is told.
func (n *node) tell(_ context.Context, _ *gorm.DB, listener, words string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, strings.TrimPrefix(listener, n.BaseURL+"/users/")+": "+words)
	return nil
}

// hasTold reports whether somebody was told something.
func (n *node) hasTold(name, words string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, told := range n.told {
		if strings.HasPrefix(told, name+": ") && strings.Contains(told, words) {
			return true
		}
	}
	return false
}

// city is a town whose nodes live by their own rooms: a bank that they and their listeners pay with, the pool, the plays that
// players report, and the calendars' jobs.
func city(t testing.TB, clock *testkit.Clock, listeners []string, names ...string) []*node {
	t.Helper()
	bank, plan := openBank(t, clock, append(listeners, names...)...), &agenda{clock: clock}
	nodes := start(t, clock, names, func(n *node) sources {
		n.bank, n.agenda, n.free = bank, plan, map[string]time.Time{}
		return n.open()
	})
	for _, n := range nodes {
		n.watch()
	}
	return nodes
}

// open joins the pool and the listens.
func (n *node) open() sources {
	names := pseudonym.New(pseudonym.Parts{DB: n.DB, Jobs: n.Queue, Vault: n.Vault, Now: n.Clock.Now, Rand: rand.Reader})
	n.openPool(names)
	n.openListens()
	suspects := reporting.Suspects{Listens: n.listens, Members: members{n.pool}, Policies: n.policy, Facts: n.facts}
	return sources{
		listens: reporting.Heard(n.listens), members: members{n.pool}, names: names, suspect: suspects.Suspect, asset: n.bank.network.Asset(), jobs: true,
	}
}

// watch looks at the node's till until the test ends.
func (n *node) watch() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(n.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.orders.Watch(ctx)
	}()
	n.t.Cleanup(func() { cancel(); <-done })
}

// openPool opens the till and the pool.
func (n *node) openPool(names *pseudonym.Service) {
	names.Register(n.Queue)
	n.orders = payments.New(payments.Config{BaseURL: n.BaseURL, PollOpen: 10 * time.Millisecond}, payments.Parts{
		DB: n.DB, Jobs: n.Queue, Providers: []payments.Provider{till{n.bank, n.name}}, Log: slog.New(slog.DiscardHandler), Now: n.Clock.Now, Rand: rand.Reader,
	})
	var err error
	n.pool, err = pool.New(pool.Config{
		BaseURL: n.BaseURL, Host: n.Host, Caller: n.Host + "/ledger", Asset: n.bank.network.Asset(), Gather: 20 * time.Millisecond,
	}, pool.Parts{DB: n.DB, Jobs: n.Queue, Orders: n.orders, Ledger: n.book, Pseudonyms: names, Tell: n.tell, Log: slog.New(slog.DiscardHandler), Now: n.Clock.Now})
	n.must(err)
	n.orders.Collect(n.pool)
	n.pool.Register(n.Queue)
}

// openListens opens the room that players report to.
func (n *node) openListens() {
	var err error
	n.listens, err = listen.New(listen.Config{}, listen.Parts{
		DB: n.DB, Jobs: n.Queue, Vault: n.Vault, Judge: reporting.NewJudge(n.policy), Log: slog.New(slog.DiscardHandler), Now: n.Clock.Now, Rand: rand.Reader,
		Pooled: func(_ context.Context, track string) (bool, error) {
			return !strings.HasSuffix(track, "/for-sale"), nil
		},
	})
	n.must(err)
	n.listens.Register(n.Queue)
}
