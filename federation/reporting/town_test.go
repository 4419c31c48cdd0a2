package reporting_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

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

const (
	october = royalty.Month("2026-10")
	usdp    = amount.Asset("eip155:1/erc20:0x8E870D67F660D95d5be530380D0eC0bd388289E1")
)

// node is one instance that takes part, with everything that it reports of.
type node struct {
	*fedtest.Instance
	t         testing.TB
	name      string
	reporting *reporting.Service
	reports   *report.Service
	disputes  *dispute.Service
	book      *liar
	heard     map[string][]report.Heard
	members   []string
	// key is what the ledger's checkpoints are signed with.
	key string
}

// liar is a book in which a day has another root than the one that was reported, while it lies.
type liar struct {
	ledger.Embedded
	day, lie, truth string
}

func (l *liar) Range(ctx context.Context, start, end string, fn func(key, value string) error) error {
	return l.Embedded.Range(ctx, start, end, func(key, value string) error {
		if l.day != "" && strings.HasSuffix(key, "/"+l.day) {
			value = strings.ReplaceAll(value, l.truth, l.lie)
		}
		return fn(key, value)
	})
}

// Submit tells the truth about the days, which everybody has.
func (l *liar) Submit(ctx context.Context, c contract.Command) error {
	if m, ok := c.(contract.MonthReport); ok && l.day != "" {
		days, err := report.Days(ctx, l.Embedded, m.Month, m.Node)
		if err != nil {
			return err
		}
		m.DaysRoot = daysRoot(days)
		c = m
	}
	return l.Embedded.Submit(ctx, c)
}

func daysRoot(days []contract.Day) string {
	var names, roots []string
	for _, d := range days {
		names, roots = append(names, d.Day), append(roots, d.Root)
	}
	return contract.DaysRoot(names, roots)
}

func (n *node) Lines(_ context.Context, day time.Time, yield func(report.Heard) error) error {
	for _, h := range n.heard[day.Format(time.DateOnly)] {
		if err := yield(h); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) Members(_ context.Context, _ royalty.Month, yield func(string) error) error {
	for _, m := range n.members {
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) Of(_ context.Context, _ *gorm.DB, month royalty.Month, listener string) (string, error) {
	return royalty.Pseudonym(sha256.Sum256([]byte(n.name)), month, listener), nil
}

// town starts instances that take part in one pool.
func town(t testing.TB, clock *testkit.Clock, names ...string) []*node {
	t.Helper()
	nodes := make([]*node, len(names))
	services := make([]*reporting.Config, len(names))
	for i, name := range names {
		n := &node{t: t, name: name, heard: map[string][]report.Heard{}}
		nodes[i] = n
		n.Instance = fedtest.New(t, fedtest.Options{Clock: clock, Idle: true, Join: func(in *fedtest.Instance) {
			services[i] = &reporting.Config{BaseURL: in.BaseURL, Scheme: "http", Every: time.Hour}
			n.join(t, in, services[i])
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

func (n *node) join(t testing.TB, in *fedtest.Instance, config *reporting.Config) {
	key := sha256.Sum256([]byte(n.name))
	l, err := ledger.New(ledger.Config{Origin: in.Host + "/ledger", Key: ed25519.NewKeyFromSeed(key[:]), Now: in.Clock.Now})
	n.must(err)
	n.key, err = note.NewEd25519VerifierKey(in.Host+"/ledger", ed25519.NewKeyFromSeed(key[:]).Public().(ed25519.PublicKey))
	n.must(err)
	log := slog.New(slog.DiscardHandler)
	n.reporting = reporting.New(*config, reporting.Parts{
		DB: in.DB, Jobs: in.Queue, Actors: in.Actors, Outbox: in.Outbox, Fetch: in.Fetch, Ledger: l, Log: log, Now: in.Clock.Now,
	})
	n.book = &liar{Embedded: n.reporting.Book()}
	n.reports, err = report.New(report.Config{Node: in.Host, Asset: usdp, Decimals: 18}, report.Parts{
		DB: in.DB, Jobs: in.Queue, Book: n.book, Listens: n, Members: n, Pseudonyms: n, Prove: n.reporting.Prove, Log: log, Now: in.Clock.Now,
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
	n.reporting.Join(n.reports, n.disputes)
	n.reporting.Register(in.Queue)
	n.reporting.Receive(in.Inbox)
	in.Routes["GET "+reporting.StatementsPath] = n.reporting.Statements()
	in.Routes["GET "+reporting.EvidencePath] = n.reporting.Evidence()
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
}

// pay records that listeners have paid for October.
func (n *node) pay(names ...string) {
	n.t.Helper()
	units, err := royalty.Fee.Tokens(18)
	n.must(err)
	paid, err := amount.Parse(units.String(), string(usdp))
	n.must(err)
	batch := contract.Subscriptions{Node: n.Host}
	for _, name := range names {
		uri := n.BaseURL + "/users/" + name
		p, err := n.Of(n.t.Context(), nil, october, uri)
		n.must(err)
		batch.Lines = append(batch.Lines, contract.Subscription{
			Pseudonym: p, Month: october, Micro: royalty.Fee, Paid: paid, Provider: "manual", PaymentHash: contract.Digest("test", p),
		})
		n.members = append(n.members, uri)
	}
	n.must(n.book.Submit(n.t.Context(), batch))
}

// hears says that somebody hears an artist so often on a day of October; held plays are held by the rule R6.
func (n *node) hears(day int, name, artist string, plays, held int64) {
	date := october.Day(day).Format(time.DateOnly)
	n.heard[date] = append(n.heard[date], report.Heard{
		Listener: n.BaseURL + "/users/" + name, Track: artist + "/1", Artists: []royalty.Share{{Artist: artist, Points: 10_000}},
		Plays: plays, Seconds: 200 * plays, HeldPlays: held, HeldSeconds: 200 * held, Rule: "R6", Evidence: contract.Digest("test", name),
	})
}

// total is what a statement gives an artist, in dollars.
func total(st contract.Statement, artist string) string {
	micro, _ := st.Total(contract.Digest("payee", artist))
	return micro.String()
}

// exchange lets every node send what is new, and waits until all others have it.
func exchange(t testing.TB, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		n.must(n.reporting.Round(t.Context()))
	}
	var all []*fedtest.Instance
	for _, n := range nodes {
		all = append(all, n.Instance)
	}
	fedtest.Until(t, "all records are everywhere", func() bool {
		for _, from := range nodes {
			var last int64
			from.must(from.DB.Read.Table("report_feed").Where("name = 'sent'").Select("COALESCE(MAX(n), 0)").Scan(&last).Error)
			for _, to := range nodes {
				if to != from && last > 0 && to.Count(t, "records_heard", "node = ? AND n = ? AND state <> 'waiting'", from.Host, last) == 0 {
					return false
				}
			}
		}
		return true
	}, all...)
}
