// Package reporting lets the instances of a federation keep each other's books: what one writes into its ledger about the
// pool, the others write into theirs, under the same rules, so that nobody can tell two of them different things.
//
//	own ledger ── feed ──▶ Create{LedgerRecords}, signed ──▶ the other's inbox ──▶ records_heard ── PostAs ──▶ the other's ledger
//
// A record that the other's contract refuses stays refused there and is a finding for its admin. Lines never travel this
// way: an artist's own statement and the evidence of a dispute are fetched by who may have them, with a signed GET
// ([Service.Statements], [Service.Evidence]).
//
// What is reported and when is decided in payments/report, what is disputed in payments/dispute; no money moves here.
// Begin with [New], [Service.Register] and [Service.Receive].
package reporting

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/inbox"
	"antiphon/federation/outbox"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments/dispute"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
	"antiphon/vocab"
	"antiphon/vocab/proof"
)

// Config of the room.
type Config struct {
	BaseURL string
	// Scheme is that of the other instances: https, or http in development.
	Scheme string
	// Nodes are the hosts of the other instances that take part.
	Nodes []string
	// Every is how often the own ledger is looked at for something to send; 30 s when 0.
	Every time.Duration
}

// Fetcher asks other servers in the instance's name.
type Fetcher interface {
	JSON(ctx context.Context, uri string) ([]byte, error)
}

// Parts are what the room is joined with.
type Parts struct {
	DB       *db.DB
	Jobs     *jobs.Queue
	Actors   *actor.Registry
	Outbox   *outbox.Outbox
	Fetch    Fetcher
	Ledger   *ledger.Ledger
	Reports  *report.Service
	Disputes *dispute.Service
	Log      *slog.Logger
	Now      func() time.Time
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	Parts
	config Config
	told   toldBefore
}

// New makes the room. The services of reports and disputes may be set later, before it is registered: they are made with
// its [Book].
func New(config Config, p Parts) *Service {
	if config.Every == 0 {
		config.Every = 30 * time.Second
	}
	return &Service{Parts: p, config: config}
}

// Join sets the rooms that are made with this one's Book.
func (s *Service) Join(reports *report.Service, disputes *dispute.Service) {
	s.Reports, s.Disputes = reports, disputes
}

// Book is the own ledger as it is read here; reports and disputes write into it through payments/ledger/forward.
func (s *Service) Book() ledger.Embedded { return ledger.Embedded{Ledger: s.Ledger, DB: s.DB} }

// Register adds the loop that sends what is new and works what was heard.
func (s *Service) Register(q *jobs.Queue) {
	q.Loop(func(ctx context.Context) {
		tick := time.NewTicker(s.config.Every)
		defer tick.Stop()
		for {
			if err := s.Round(ctx); err != nil && ctx.Err() == nil {
				s.Log.Error("reports not exchanged", "error", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	jobs.Handle(q, jobs.Handler[statementDue]{
		Work:  func(ctx context.Context, j statementDue, _ int) error { return s.fetchStatement(ctx, j) },
		Retry: func(attempt int) time.Duration { return min(time.Second<<min(attempt, 12), time.Hour) },
	})
}

// Round sends what the own ledger has that the others do not know yet, works what was heard, and looks for statements to
// fetch. It may be called at any time.
func (s *Service) Round(ctx context.Context) error {
	return errors.Join(s.feed(ctx), s.apply(ctx), s.wantStatements(ctx))
}

// Receive registers what arrives.
func (s *Service) Receive(in *inbox.Inbox) {
	in.Handle(vocab.VerbCreate, string(vocab.KindLedgerRecords), s.hear)
	in.Handle(vocab.VerbCreate, string(vocab.KindPayoutInstruction), s.instructed)
	in.Handle(vocab.VerbCreate, string(vocab.KindPoolAppeal), s.appealed)
}

// instance is the actor of an instance by its host.
func (s *Service) instance(host string) string { return s.config.Scheme + "://" + host + "/actor" }

// nodeOf is the node that an instance's actor speaks for; false when it does not take part.
func (s *Service) nodeOf(ctx context.Context, uri string) (contract.Node, bool, error) {
	host := actor.HostOf(uri)
	if uri != s.instance(host) {
		return contract.Node{}, false, nil
	}
	n, err := contract.NodeAt(ctx, s.Book(), host)
	if errors.Is(err, contract.ErrUnknown) || errors.Is(err, contract.ErrInvalid) {
		return n, false, nil
	}
	return n, err == nil && !n.Suspended, err
}

var errSender = errors.New("not signed by its sender")

// check verifies an object's proof by the actor that sent it.
func (s *Service) check(ctx context.Context, raw []byte, sender string) error {
	resolve := s.Actors.Resolver(ctx)
	_, err := proof.Verify(raw, func(c proof.Claim) (ed25519.PublicKey, error) {
		if controller, _, _ := strings.Cut(c.VerificationMethod, "#"); c.Signer != sender || controller != sender {
			return nil, fmt.Errorf("%w: %s", errSender, c.VerificationMethod)
		}
		return resolve(c)
	}, s.Now())
	return err
}

// sign gives an object the proof of a local actor and sends it to each of to.
func (s *Service) sign(ctx context.Context, signer string, unsigned map[string]any) ([]byte, error) {
	method, key, err := s.Actors.ProofKey(ctx, signer)
	if err != nil {
		return nil, fmt.Errorf("proof key of %s: %w", signer, err)
	}
	_, raw, err := proof.Sign(unsigned, key, method, s.Now().UTC().Truncate(time.Second))
	return raw, err
}

// Found writes what the ledger must know before anything can be reported: the policy and who takes part. Calling it again
// with the same changes nothing; another node is added, a policy is only set where there is none.
func (s *Service) Found(ctx context.Context, policy contract.Policy, nodes []contract.Node) error {
	book := s.Book()
	if _, err := contract.PolicyFor(ctx, book, policy.From); errors.Is(err, contract.ErrUnknown) {
		if err := book.Submit(ctx, policy); err != nil {
			return fmt.Errorf("set policy: %w", err)
		}
	} else if err != nil {
		return err
	}
	for _, n := range nodes {
		have, err := contract.NodeAt(ctx, book, n.Host)
		if err == nil && have == n {
			continue
		}
		if err != nil && !errors.Is(err, contract.ErrUnknown) {
			return err
		}
		if err := book.Submit(ctx, n); err != nil {
			return fmt.Errorf("add node %s: %w", n.Host, err)
		}
	}
	return nil
}

// NodeOf describes an instance to the ledger, as one that runs its own embedded ledger.
func NodeOf(host, cluster, owner string) contract.Node {
	if owner == "" {
		owner = host
	}
	return contract.Node{Host: host, Caller: host + "/ledger", Cluster: cluster, Owner: contract.Digest("owner", owner)}
}

// find keeps something that does not come out, once.
func (s *Service) find(tx *gorm.DB, node string, month string, f report.Finding) error {
	return tx.Exec(`INSERT INTO report_findings (node, month, kind, subject, words, found_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (node, month, kind, subject) DO UPDATE SET words = excluded.words`, node, month, f.Kind, f.Subject, f.Words, s.Now().UTC()).Error
}

// Finding is something that does not come out, with where it was found.
type Finding struct {
	Node, Month, Kind, Subject, Words string
	FoundAt                           time.Time
}

// Findings are those of a month, or of all when it is empty, the newest first.
func (s *Service) Findings(ctx context.Context, month string) ([]Finding, error) {
	q := s.DB.Read.WithContext(ctx).Table("report_findings")
	if month != "" {
		q = q.Where("month = ?", month)
	}
	var out []Finding
	if err := q.Order("found_at DESC, node, kind, subject").Limit(500).Find(&out).Error; err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	return out, nil
}

// Add adds an instance that takes part, before the room is used.
func (s *Service) Add(host string) { s.config.Nodes = append(s.config.Nodes, host) }

// Prove proves the own report of a month, or its final statement, in the own ledger; it is [report.Parts].Prove.
func (s *Service) Prove(ctx context.Context, month royalty.Month, final bool) (*ledger.RecordProof, error) {
	n, err := ledger.FindStatement(ctx, s.DB.Read, s.Actors.Host(), string(month), final)
	if err != nil {
		return nil, err
	}
	p, err := s.Ledger.ProveRecord(ctx, s.DB.Read, n)
	return &p, err
}
