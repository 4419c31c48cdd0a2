// Package dispute takes part in disputes about what instances have reported: it opens them, hands in evidence about the
// own reports, recomputes the month where this instance was drawn as an eye, and brings what time has decided to an end.
//
//	opened ── evidence, 72 h: a file of the month, its SHA-256 on the ledger ──▶ votes, 72 h, by recomputation ──▶ ruled
//	  ──▶ appeal, 5 days, two other eyes ──▶ final
//
// Which state follows which, who is drawn and when two votes make a ruling is in the contract
// (payments/ledger/contract); nobody votes by hand: a vote is what [Recompute] says of the evidence. Begin with [New] and
// [Service.Register].
package dispute

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"antiphon/internal/jobs"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

var (
	// ErrEvidence means that what was handed in is not what the ledger says was handed in, or says nothing.
	ErrEvidence = errors.New("evidence is not what was handed in")
	// ErrNotHere means that this instance has no such evidence, or nobody who asks may have it.
	ErrNotHere = errors.New("no such evidence here")
)

// Config of the room.
type Config struct {
	// Node is the instance's host, as the ledger names it.
	Node string
	// Dir holds the files of evidence.
	Dir string
}

// Parts are what the room is joined with.
type Parts struct {
	Book    report.Book
	Reports *report.Service
	// Head is the root of the own ledger's newest checkpoint.
	Head func(ctx context.Context) (root string, err error)
	// Fetch writes the evidence that another node has handed in.
	Fetch func(ctx context.Context, node, dispute string, w io.Writer) error
	Log   *slog.Logger
	Now   func() time.Time
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	Parts
	config Config
}

// New makes the room and its folder.
func New(config Config, p Parts) (*Service, error) {
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of evidence: %w", err)
	}
	return &Service{p, config}, nil
}

// every is how often disputes are looked at.
const every = time.Minute

// Register adds the loop that does what this instance has to do.
func (s *Service) Register(q *jobs.Queue) {
	q.Loop(func(ctx context.Context) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			if err := s.Work(ctx); err != nil && ctx.Err() == nil {
				s.Log.Error("disputes not worked", "error", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// Open doubts an artist's slice of a node's month, in the name of opener, the URI of an actor on openerNode. reason is a
// word such as plays or listeners. The contract says when that is possible, and by whom.
func (s *Service) Open(ctx context.Context, node string, month royalty.Month, artist, reason, opener, openerNode string) (string, error) {
	root, err := s.Head(ctx)
	if err != nil {
		return "", err
	}
	hash := contract.Digest("payee", artist)
	o := contract.OpenDispute{
		Node: node, Month: month, Artist: hash, Reason: reason, Opener: contract.Digest("opener", opener), OpenerNode: openerNode,
		Root: root, RootAt: s.Now().UTC(),
	}
	return contract.DisputeID(month, node, hash), s.Book.Submit(ctx, o)
}

// Appeal asks for two other eyes, as a party.
func (s *Service) Appeal(ctx context.Context, id string) error {
	root, err := s.Head(ctx)
	if err != nil {
		return err
	}
	return s.Book.Submit(ctx, contract.Appeal{Dispute: id, Node: s.config.Node, Root: root, RootAt: s.Now().UTC()})
}

// monthsBack is how many months may still have disputes that are not final.
const monthsBack = 5

// All calls fn with the disputes that the ledger has about recent months, of all nodes.
func (s *Service) All(ctx context.Context, fn func(contract.Dispute) error) error {
	nodes, err := contract.Nodes(ctx, s.Book)
	if err != nil {
		return err
	}
	this := royalty.MonthOf(s.Now())
	for back := range monthsBack {
		month := royalty.MonthOf(this.Start().AddDate(0, -back, 0))
		for _, n := range nodes {
			if err := contract.Disputes(ctx, s.Book, month, n.Host, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// Work does what this instance has to do now: evidence, votes, and what time has decided. It may be called at any time,
// and again after it was killed.
func (s *Service) Work(ctx context.Context) error {
	var all []contract.Dispute
	if err := s.All(ctx, func(d contract.Dispute) error { all = append(all, d); return nil }); err != nil {
		return err
	}
	var errs []error
	for _, d := range all {
		if err := s.step(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("dispute %s: %w", d.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) step(ctx context.Context, d contract.Dispute) error {
	if d.State == contract.Final {
		return nil
	}
	over := !s.Now().Before(d.Deadline)
	if d.State == contract.Opened && d.Node == s.config.Node && !over {
		return s.giveEvidence(ctx, d)
	}
	if asked, err := s.asked(ctx, d); err != nil {
		return err
	} else if asked {
		// Who cannot recompute says nothing; what time makes of that follows below.
		if err := s.Vote(ctx, d.ID); err != nil {
			s.Log.Warn("no vote in a dispute", "dispute", d.ID, "error", err)
		}
	}
	if !over && d.State != contract.Withheld {
		return nil
	}
	err := s.Book.Submit(ctx, contract.CloseDispute{Dispute: d.ID, Node: s.config.Node})
	if errors.Is(err, contract.ErrEarly) || errors.Is(err, contract.ErrState) {
		return nil
	}
	return err
}

// asked reports whether this instance has to vote and has not.
func (s *Service) asked(ctx context.Context, d contract.Dispute) (bool, error) {
	appeal := d.State == contract.Appealed
	switch d.State {
	case contract.InProof, contract.InVotes, contract.Withheld, contract.Appealed:
	default:
		return false, nil
	}
	eyes := append(slices.Clone(d.Eyes), d.Node)
	if appeal {
		eyes = d.AppealEyes
	}
	if len(d.Evidence) == 0 || !slices.Contains(eyes, s.config.Node) {
		return false, nil
	}
	votes, err := contract.Votes(ctx, s.Book, d.ID, appeal)
	_, voted := votes[s.config.Node]
	return !voted, err
}

// path is where the evidence of a dispute lies; ids are hexadecimal digits.
func (s *Service) path(id string) string { return filepath.Join(s.config.Dir, id+".txt") }

// giveEvidence writes the month as it was reported into a file, and the file's hash on the ledger.
func (s *Service) giveEvidence(ctx context.Context, d contract.Dispute) error {
	m, err := s.Reports.AsReported(ctx, d.Month)
	if err != nil {
		return err
	}
	hash, err := s.keep(d.ID, func(w io.Writer) error { return m.Write(w, false) })
	if err != nil {
		return err
	}
	err = s.Book.Submit(ctx, contract.Evidence{Dispute: d.ID, Roots: []string{hash}})
	if errors.Is(err, contract.ErrState) {
		return nil // it was handed in before
	}
	return err
}

// keep writes a file of evidence whole, and returns its SHA-256.
func (s *Service) keep(id string, write func(io.Writer) error) (string, error) {
	f, err := os.CreateTemp(s.config.Dir, "new-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	h := sha256.New()
	err = write(io.MultiWriter(f, h))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("write evidence: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), os.Rename(f.Name(), s.path(id))
}

// Evidence opens what this instance has handed in, for one that was drawn to look at it; ErrNotHere for all others.
func (s *Service) Evidence(ctx context.Context, id, node string) (*os.File, error) {
	d, err := contract.DisputeAt(ctx, s.Book, id)
	if errors.Is(err, contract.ErrUnknown) || errors.Is(err, contract.ErrInvalid) ||
		err == nil && (d.Node != s.config.Node || !slices.Contains(d.Eyes, node) && !slices.Contains(d.AppealEyes, node)) {
		return nil, fmt.Errorf("%w: %.80q for %s", ErrNotHere, id, node)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(s.path(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotHere, id)
	}
	return f, err
}

// Vote recomputes the month from the evidence and writes what comes out on the ledger.
func (s *Service) Vote(ctx context.Context, id string) error {
	v, err := s.Verdict(ctx, id)
	if err != nil {
		return err
	}
	err = s.Book.Submit(ctx, v)
	if errors.Is(err, contract.ErrDuplicate) {
		return nil
	}
	return err
}

// Verdict is the vote of this instance by its own recomputation; it writes nothing on the ledger.
func (s *Service) Verdict(ctx context.Context, id string) (contract.Vote, error) {
	d, err := contract.DisputeAt(ctx, s.Book, id)
	if err != nil {
		return contract.Vote{}, err
	}
	f, err := s.fetch(ctx, d)
	if err != nil {
		return contract.Vote{}, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return contract.Vote{}, err
	}
	v, err := Recompute(ctx, s.Book, d, f, size)
	v.Node = s.config.Node
	return v, err
}

// fetch opens the evidence of a dispute, from here or from the node that has handed it in, and checks its hash.
func (s *Service) fetch(ctx context.Context, d contract.Dispute) (*os.File, error) {
	if len(d.Evidence) != 1 {
		return nil, fmt.Errorf("%w: %d roots, and one file has one", ErrEvidence, len(d.Evidence))
	}
	for range 2 {
		f, err := os.Open(s.path(d.ID))
		if errors.Is(err, os.ErrNotExist) && d.Node != s.config.Node {
			hash, err := s.keep(d.ID, func(w io.Writer) error { return s.Fetch(ctx, d.Node, d.ID, w) })
			if err != nil {
				return nil, err
			}
			if hash != d.Evidence[0] {
				return nil, errors.Join(fmt.Errorf("%w: its hash is %s, and %s is on the ledger", ErrEvidence, hash, d.Evidence[0]), os.Remove(s.path(d.ID)))
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		if want, _ := hex.DecodeString(d.Evidence[0]); err == nil && !bytes.Equal(h.Sum(nil), want) {
			err = fmt.Errorf("%w: the file was changed", ErrEvidence)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	return nil, ErrNotHere
}
