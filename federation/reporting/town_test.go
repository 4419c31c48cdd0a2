package reporting_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"antiphon/federation/fedtest"
	"antiphon/federation/reporting"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/dispute"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const october = royalty.Month("2026-10")

// node is one instance that takes part.
type node struct {
	*fedtest.Instance
	t         testing.TB
	name      string
	reporting *reporting.Service
	reports   *report.Service
	disputes  *dispute.Service
	book      *liar
	// key is what the ledger's checkpoints are signed with.
	key string
	fed
	lived
}

// sources are what a node's reports are made from.
type sources struct {
	listens report.ListenSource
	members report.Members
	names   report.Pseudonyms
	suspect func(ctx context.Context, month royalty.Month, yield func(report.Suspicion) error) error
	asset   amount.Asset
	// jobs lets the calendar's jobs make the reports; a test calls what it wants otherwise.
	jobs bool
}

// decimals are those of every asset here, as USDP has them.
const decimals = 18

// listener is the URI of somebody who listens here.
func (n *node) listener(name string) string { return n.BaseURL + "/users/" + name }

// start starts instances that take part in one pool; open says what their reports are made from.
func start(t testing.TB, clock *testkit.Clock, names []string, open func(n *node) sources) []*node {
	t.Helper()
	nodes := make([]*node, len(names))
	for i, name := range names {
		n := &node{t: t, name: name}
		nodes[i] = n
		fedtest.New(t, fedtest.Options{Clock: clock, Idle: true, Join: func(in *fedtest.Instance) {
			n.Instance = in
			n.join(open)
		}})
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
	}
	return nodes
}

func (n *node) join(open func(n *node) sources) {
	in := n.Instance
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
	from := open(n)
	n.reports, err = report.New(report.Config{Node: in.Host, Asset: from.asset, Decimals: decimals}, report.Parts{
		DB: in.DB, Jobs: in.Queue, Book: n.book, Listens: from.listens, Members: from.members, Pseudonyms: from.names, Suspect: from.suspect,
		Prove: n.reporting.Prove, Log: log, Now: in.Clock.Now,
	})
	n.must(err)
	n.disputes, err = dispute.New(dispute.Config{Node: in.Host, Dir: n.t.TempDir()}, dispute.Parts{
		Book: n.book, Reports: n.reports, Fetch: n.reporting.FetchEvidence, Log: log, Now: in.Clock.Now,
		Head: func(ctx context.Context) (string, error) {
			_, root, err := l.Head(ctx, in.DB.Read)
			return root, err
		},
	})
	n.must(err)
	if from.jobs {
		n.reports.Register(in.Queue)
		n.disputes.Register(in.Queue)
	}
	n.reporting.Join(n.reports, n.disputes)
	n.reporting.Register(in.Queue)
	n.reporting.Receive(in.Inbox)
	in.Routes = map[string]http.Handler{
		"GET " + reporting.StatementsPath: n.reporting.Statements(), "GET " + reporting.EvidencePath: n.reporting.Evidence(),
	}
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
}
