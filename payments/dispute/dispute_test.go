package dispute_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
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

// voice is one node on a ledger that all share.
type voice struct {
	ledger.Embedded
	caller string
}

func (v voice) Submit(ctx context.Context, c contract.Command) error {
	return v.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		_, err := v.Ledger.PostAs(ctx, tx, v.caller, c)
		return err
	})
}

type heard map[string][]report.Heard

func (h heard) Lines(_ context.Context, day time.Time, yield func(report.Heard) error) error {
	for _, one := range h[day.Format(time.DateOnly)] {
		if err := yield(one); err != nil {
			return err
		}
	}
	return nil
}

func (heard) Members(_ context.Context, _ royalty.Month, yield func(string) error) error {
	return errors.Join(yield("l1"), yield("l2"))
}

func (heard) Of(_ context.Context, _ *gorm.DB, month royalty.Month, listener string) (string, error) {
	return royalty.Pseudonym([32]byte{7}, month, listener), nil
}

func uri(name string) string { return "https://x.example/users/" + name }

// world is n0, which reports, n1, which doubts, and four that look on, with October reported and the fifth come.
type world struct {
	t        *testing.T
	clock    *testkit.Clock
	reports  *report.Service
	services []*dispute.Service
	books    []voice
	dirs     []string
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: testkit.NewClock(october.Start())}
	log := slog.New(slog.DiscardHandler)
	d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), log)
	w.must(err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := ledger.New(ledger.Config{Origin: "n0.example/ledger", Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Now: w.clock.Now})
	w.must(err)
	for i := range 6 {
		w.books = append(w.books, voice{ledger.Embedded{Ledger: l, DB: d}, fmt.Sprintf("n%d.example/ledger", i)})
	}
	w.must(w.books[0].Submit(t.Context(), contract.DefaultPolicy(october)))
	for i, b := range w.books {
		host := fmt.Sprintf("n%d.example", i)
		w.must(w.books[0].Submit(t.Context(), contract.Node{Host: host, Caller: b.caller, Owner: contract.Digest("owner", host)}))
	}
	lines := heard{}
	hears := func(day int, listener, artist string, plays int64) {
		date := october.Day(day).Format(time.DateOnly)
		lines[date] = append(lines[date], report.Heard{
			Listener: listener, Track: uri(artist) + "/1", Artists: []royalty.Share{{Artist: uri(artist), Points: 10_000}}, Plays: plays, Seconds: 200 * plays,
		})
	}
	// l1 hears z as the worked series of outliers has it: 412 plays after days of about ten.
	for i, plays := range []int64{12, 9, 14, 11, 8, 13, 10, 15, 9, 412} {
		hears(10+i, "l1", "z", plays)
	}
	hears(3, "l1", "a", 41)
	hears(4, "l2", "b", 5)
	w.reports, err = report.New(report.Config{Node: "n0.example"}, report.Parts{
		DB: d, Jobs: jobs.New(d, log), Book: w.books[0], Listens: lines, Members: lines, Pseudonyms: lines, Log: log, Now: w.clock.Now,
	})
	w.must(err)
	for i, b := range w.books {
		w.dirs = append(w.dirs, t.TempDir())
		s, err := dispute.New(dispute.Config{Node: fmt.Sprintf("n%d.example", i), Dir: w.dirs[i]}, dispute.Parts{
			Book: b, Reports: w.reports, Log: log, Now: w.clock.Now,
			Head: func(ctx context.Context) (string, error) {
				_, root, err := l.Head(ctx, d.Read)
				return root, err
			},
			Fetch: func(ctx context.Context, _, id string, out io.Writer) error {
				f, err := w.services[0].Evidence(ctx, id, fmt.Sprintf("n%d.example", i))
				if err != nil {
					return err
				}
				defer f.Close()
				_, err = io.Copy(out, f)
				return err
			},
		})
		w.must(err)
		w.services = append(w.services, s)
	}
	w.pay("l1", "l2")
	for at := october.Start(); at.Before(october.Next().Start()); at = at.AddDate(0, 0, 1) {
		w.clock.Set(at.AddDate(0, 0, 1).Add(2 * time.Hour))
		w.must(w.reports.ReportDay(t.Context(), at))
	}
	w.clock.Set(october.Next().Day(4))
	w.must(w.reports.ReportMonth(t.Context(), october))
	w.clock.Set(october.Next().Day(5))
	return w
}

func (w *world) pay(names ...string) {
	b := contract.Subscriptions{Node: "n0.example"}
	for _, name := range names {
		p := royalty.Pseudonym([32]byte{7}, october, name)
		paid, err := amount.Parse("1000", "iso4217:USD")
		w.must(err)
		b.Lines = append(b.Lines, contract.Subscription{Pseudonym: p, Month: october, Micro: royalty.Fee, Paid: paid, Provider: "manual", PaymentHash: contract.Digest("test", p)})
	}
	w.must(w.books[0].Submit(w.t.Context(), b))
}

func (w *world) open(artist string) string {
	w.t.Helper()
	id, err := w.services[1].Open(w.t.Context(), "n0.example", october, uri(artist), "plays", uri("fan"), "n1.example")
	w.must(err)
	return id
}

func (w *world) work(nodes ...int) {
	w.t.Helper()
	for _, i := range nodes {
		w.must(w.services[i].Work(w.t.Context()))
	}
}

func (w *world) at(id string) contract.Dispute {
	w.t.Helper()
	d, err := contract.DisputeAt(w.t.Context(), w.books[0], id)
	w.must(err)
	return d
}

// A day that stands out is removed by two who were drawn, and by two more on appeal; the final statement follows.
func TestUpheldOnAppeal(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.open("z")
	for host, may := range map[string]bool{w.at(id).Eyes[0]: true, "n1.example": false, "stranger.example": false} {
		w.work(0)
		f, err := w.services[0].Evidence(t.Context(), id, host)
		if may != (err == nil) {
			t.Errorf("evidence for %s: %v", host, err)
		}
		if err == nil {
			w.must(f.Close())
		}
	}
	w.work(2, 3, 4, 5)
	d := w.at(id)
	if d.State != contract.Ruled || d.Ruling.Verdict != contract.Remove {
		t.Fatalf("%+v", d)
	}
	w.must(w.services[0].Appeal(t.Context(), id))
	w.work(0, 1, 2, 3, 4, 5)
	d = w.at(id)
	if d.State != contract.Final || d.Ruling.Verdict != contract.Remove || len(d.AppealEyes) != 2 {
		t.Fatalf("%+v", d)
	}
	w.clock.Set(october.Next().Day(24))
	w.must(w.reports.StateFinal(t.Context(), october))
	st, err := contract.Finally(t.Context(), w.books[0], october, "n0.example")
	w.must(err)
	// 101 plays of z stay beside 41 of a: the 412 are gone.
	if z, _ := st.Total(contract.Digest("payee", uri("z"))); z != 6_401_408 || st.SplitsRoot != d.Ruling.Root {
		t.Errorf("z gets %s, root %s", z, st.SplitsRoot)
	}
}

// Who hands nothing in proves nothing; and a dispute without a reason changes nothing.
func TestSilenceAndVain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	silent, vain := w.open("a"), w.open("b")
	w.must(os.RemoveAll(w.dirs[0])) // no evidence can be written
	w.clock.Advance(time.Hour)
	if err := w.services[0].Work(t.Context()); err == nil {
		t.Error("evidence without a folder")
	}
	w.must(os.MkdirAll(w.dirs[0], 0o700))
	// One is answered after all, the other one too late.
	first := w.at(vain)
	w.must(w.books[0].Submit(t.Context(), contract.Evidence{Dispute: silent, Roots: []string{contract.Digest("test", "nothing")}}))
	w.work(0, 2, 3, 4, 5)
	if d := w.at(vain); d.State != contract.Ruled || d.Ruling.Verdict != contract.Keep || first.State != contract.Opened {
		t.Fatalf("%+v", d)
	}
	// What was handed in is not there: nobody votes, and on the 24th the slice is withheld alone.
	if d := w.at(silent); d.State != contract.InProof {
		t.Fatalf("%+v", d)
	}
	if _, err := w.services[2].Verdict(t.Context(), silent); err == nil {
		t.Error("a verdict on nothing")
	}
	w.clock.Set(october.Next().Day(24))
	w.work(0, 1, 2, 3, 4, 5)
	w.must(w.reports.StateFinal(t.Context(), october))
	st, err := contract.Finally(t.Context(), w.books[0], october, "n0.example")
	w.must(err)
	slice := w.at(silent).Slice
	if w.at(silent).State != contract.Withheld || st.Held != slice || slice == 0 || st.Pool != st.Splits+st.Held {
		t.Errorf("%+v", st)
	}
}

// Evidence that was changed after it was handed in is not looked at.
func TestChangedEvidence(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.open("z")
	w.work(0)
	path := filepath.Join(w.dirs[0], id+".txt")
	raw, err := os.ReadFile(path)
	w.must(err)
	w.must(os.WriteFile(path, append(raw, '\n'), 0o600))
	var eye int
	if _, err := fmt.Sscanf(w.at(id).Eyes[0], "n%d", &eye); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, eye} {
		if _, err := w.services[i].Verdict(t.Context(), id); !errors.Is(err, dispute.ErrEvidence) {
			t.Errorf("n%d: %v", i, err)
		}
	}
}
