package reporting_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"antiphon/federation/fedtest"
	"antiphon/federation/reporting"
	"antiphon/internal/testkit"
	"antiphon/media/listen"
	"antiphon/payments"
	"antiphon/payments/anomaly"
	"antiphon/payments/dispute"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
	"antiphon/payments/pseudonym"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const october = royalty.Month("2026-10")

// node is one instance that takes part, with the rooms that its reports are made from: the pool that is paid, and the plays
// that players report.
type node struct {
	*fedtest.Instance
	t         testing.TB
	name      string
	bank      *bank
	agenda    *agenda
	reporting *reporting.Service
	reports   *report.Service
	disputes  *dispute.Service
	book      *liar
	orders    *payments.Service
	pool      *pool.Service
	listens   *listen.Service
	// key is what the ledger's checkpoints are signed with.
	key string
	// free is when each listener's last play ends, sessions how many plays there are, written when they were last written.
	free     map[string]time.Time
	sessions int
	written  time.Time

	mu   sync.Mutex
	told []string
}

// listener is the URI of somebody who listens here.
func (n *node) listener(name string) string { return n.BaseURL + "/users/" + name }

// Members implements report.Members.
func (n *node) Members(ctx context.Context, month royalty.Month, yield func(string) error) error {
	return n.pool.Members(ctx, month, func(m pool.Member) error { return yield(m.Listener) })
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

// town starts instances that take part in one pool, and a bank that they and their listeners pay with.
func town(t testing.TB, clock *testkit.Clock, listeners []string, names ...string) []*node {
	t.Helper()
	nodes := make([]*node, len(names))
	town, plan := openBank(t, clock, append(listeners, names...)...), &agenda{clock: clock}
	for i, name := range names {
		n := &node{t: t, name: name, bank: town, agenda: plan, free: map[string]time.Time{}}
		nodes[i] = n
		n.Instance = fedtest.New(t, fedtest.Options{Clock: clock, Idle: true, Join: func(in *fedtest.Instance) { n.join(t, in) }})
	}
	for _, n := range nodes {
		for _, other := range nodes {
			policy := contract.DefaultPolicy(october)
			policy.ReportOnly = []string{"R4"}
			n.must(n.reporting.Found(t.Context(), policy, []contract.Node{reporting.NodeOf(other.Host, "", "")}))
			if other != n {
				n.reporting.Add(other.Host)
			}
		}
		n.Start(t)
		n.watch()
	}
	return nodes
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

func (n *node) join(t testing.TB, in *fedtest.Instance) {
	n.Instance = in
	seed := sha256.Sum256([]byte(n.name))
	key := ed25519.NewKeyFromSeed(seed[:])
	l, err := ledger.New(ledger.Config{Origin: in.Host + "/ledger", Key: key, Now: in.Clock.Now})
	n.must(err)
	n.key, err = note.NewEd25519VerifierKey(in.Host+"/ledger", key.Public().(ed25519.PublicKey))
	n.must(err)
	log := slog.New(slog.DiscardHandler)
	n.reporting = reporting.New(reporting.Config{BaseURL: in.BaseURL, Scheme: "http", Every: time.Hour}, reporting.Parts{
		DB: in.DB, Jobs: in.Queue, Actors: in.Actors, Outbox: in.Outbox, Fetch: in.Fetch, Ledger: l, Log: log, Now: in.Clock.Now,
	})
	n.book = &liar{Embedded: n.reporting.Book()}
	names := pseudonym.New(pseudonym.Parts{DB: in.DB, Jobs: in.Queue, Vault: in.Vault, Now: in.Clock.Now, Rand: rand.Reader})
	n.joinPool(names, log)
	n.joinListens(log)
	n.reports, err = report.New(report.Config{Node: in.Host, Asset: n.bank.network.Asset(), Decimals: decimals}, report.Parts{
		DB: in.DB, Jobs: in.Queue, Book: n.book, Listens: reporting.Heard(n.listens), Members: n, Pseudonyms: names, Prove: n.reporting.Prove,
		Suspect: reporting.Suspects{Listens: n.listens, Members: n, Policies: n.policy, Facts: n.facts}.Suspect, Log: log, Now: in.Clock.Now,
	})
	n.must(err)
	n.disputes, err = dispute.New(dispute.Config{Node: in.Host, Dir: t.TempDir()}, dispute.Parts{
		Book: n.book, Reports: n.reports, Fetch: n.reporting.FetchEvidence, Log: log, Now: in.Clock.Now,
		Head: func(ctx context.Context) (string, error) {
			_, root, err := l.Head(ctx, in.DB.Read)
			return root, err
		},
	})
	n.must(err)
	n.reports.Register(in.Queue)
	n.disputes.Register(in.Queue)
	n.reporting.Join(n.reports, n.disputes)
	n.reporting.Register(in.Queue)
	n.reporting.Receive(in.Inbox)
	in.Routes = map[string]http.Handler{
		"GET " + reporting.StatementsPath: n.reporting.Statements(), "GET " + reporting.EvidencePath: n.reporting.Evidence(),
	}
}

// joinPool opens the till and the pool.
func (n *node) joinPool(names *pseudonym.Service, log *slog.Logger) {
	names.Register(n.Queue)
	n.orders = payments.New(payments.Config{BaseURL: n.BaseURL, PollOpen: 10 * time.Millisecond}, payments.Parts{
		DB: n.DB, Jobs: n.Queue, Providers: []payments.Provider{till{n.bank, n.name}}, Log: log, Now: n.Clock.Now, Rand: rand.Reader,
	})
	var err error
	n.pool, err = pool.New(pool.Config{
		BaseURL: n.BaseURL, Host: n.Host, Caller: n.Host + "/ledger", Asset: n.bank.network.Asset(), Gather: 20 * time.Millisecond,
	}, pool.Parts{DB: n.DB, Jobs: n.Queue, Orders: n.orders, Ledger: n.book, Pseudonyms: names, Tell: n.tell, Log: log, Now: n.Clock.Now})
	n.must(err)
	n.orders.Collect(n.pool)
	n.pool.Register(n.Queue)
}

// joinListens opens the room that players report to.
func (n *node) joinListens(log *slog.Logger) {
	var err error
	n.listens, err = listen.New(listen.Config{}, listen.Parts{
		DB: n.DB, Jobs: n.Queue, Vault: n.Vault, Judge: reporting.NewJudge(n.policy), Log: log, Now: n.Clock.Now, Rand: rand.Reader,
		Pooled: func(_ context.Context, track string) (bool, error) {
			return !strings.HasSuffix(track, "/for-sale"), nil
		},
	})
	n.must(err)
	n.listens.Register(n.Queue)
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
}
