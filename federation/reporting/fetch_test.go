package reporting_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/reporting"
	"antiphon/internal/testkit"
	"antiphon/payments/report"
)

// wire is between an instance and those that it asks: it counts, and what comes may be altered on it.
type wire struct {
	reporting.Fetcher
	mu    sync.Mutex
	asked []string
	alter func(uri string, raw []byte) ([]byte, error)
}

func (w *wire) JSON(ctx context.Context, uri string) ([]byte, error) {
	raw, err := w.Fetcher.JSON(ctx, uri)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, uri)
	if err == nil && w.alter != nil {
		return w.alter(uri, raw)
	}
	return raw, err
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

func (w *wire) altering(fn func(uri string, raw []byte) ([]byte, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alter = fn
}

// crowd is a month on alpha in which members have heard so many artists of beta, up to its report; told is what these were told.
func crowd(t *testing.T, artists int) (alpha, beta *node, w *wire, uris []string, told func() []string) {
	t.Helper()
	clock := testkit.NewClock(october.Start().Add(time.Hour))
	nodes := town(t, clock, "alpha", "beta")
	alpha, beta = nodes[0], nodes[1]
	w = &wire{Fetcher: beta.reporting.Fetch}
	beta.reporting.Fetch = w
	var mu sync.Mutex
	var words []string
	beta.reporting.Tell = func(_ context.Context, _ *gorm.DB, artist, text string) error {
		mu.Lock()
		defer mu.Unlock()
		words = append(words, artist+" "+text)
		return nil
	}
	for i := range artists {
		uri := beta.User(t, fmt.Sprint("artist", i), actor.Artist).URI
		uris = append(uris, uri)
		name := fmt.Sprint("l", i/9)
		if i%9 == 0 {
			alpha.pay(name)
		}
		alpha.hears(1, name, uri, 1, 0)
	}
	clock.Set(october.Day(2).Add(2 * time.Hour))
	alpha.must(alpha.reports.ReportDay(t.Context(), october.Start()))
	exchange(t, nodes)
	clock.Set(october.Next().Day(4).Add(time.Hour))
	alpha.must(alpha.reports.ReportMonth(t.Context(), october))
	return alpha, beta, w, uris, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(words)
	}
}

// An instance asks once for all of its artists, and again when the month is final; who has not said where to be paid is told.
func TestStatementsInPages(t *testing.T) {
	t.Parallel()
	const artists = 54
	alpha, beta, w, uris, told := crowd(t, artists)
	nodes := []*node{alpha, beta}
	exchange(t, nodes)
	beta.must(beta.reporting.Round(t.Context()))
	fedtest.Until(t, "all statements are here", func() bool { return beta.Count(t, "statements_asked", "done") == 1 }, alpha.Instance, beta.Instance)
	if n := beta.Count(t, "statements_heard", "node = ? AND words = ''", alpha.Host); n != artists || w.count() != 2 {
		t.Errorf("%d statements in %d requests", n, w.count())
	}
	for range 3 {
		beta.must(beta.reporting.Round(t.Context()))
	}
	beta.must(beta.reporting.Instruct(t.Context(), uris[7], string(usdp), "0x52908400098527886E0F7030069857D2E4169EE7"))
	alpha.Clock.Set(october.Next().Day(24))
	alpha.must(alpha.reports.StateFinal(t.Context(), october))
	exchange(t, nodes)
	beta.must(beta.reporting.Round(t.Context()))
	fedtest.Until(t, "those are told who have not said where to be paid", func() bool { return len(told()) == artists-1 }, alpha.Instance, beta.Instance)
	if w.count() != 4 {
		t.Errorf("%d requests", w.count())
	}
	for _, words := range told() {
		if strings.HasPrefix(words, uris[7]+" ") || !strings.Contains(words, "for October 2026") || !strings.Contains(words, "by 25 November 2028") {
			t.Error(words)
		}
	}
	owing, err := beta.reporting.OwedTo(t.Context(), uris[8])
	if err != nil || len(owing) != 1 || owing[0].Micro != 1_000_000 || owing[0].Until.Format(time.DateOnly) != "2028-11-25" {
		t.Errorf("%+v, %v", owing, err)
	}
	if owing, err = beta.reporting.OwedTo(t.Context(), uris[7]); err != nil || len(owing) != 1 || !owing[0].Until.IsZero() {
		t.Errorf("with an address: %+v, %v", owing, err)
	}
}

// What another instance answers is bounded, and believed of artists of here alone.
func TestBadPages(t *testing.T) {
	t.Parallel()
	alpha, beta, w, uris, _ := crowd(t, 3)
	stranger := alpha.User(t, "stranger", actor.Artist).URI
	w.altering(func(string, []byte) ([]byte, error) { return nil, errors.New("not now") })
	exchange(t, []*node{alpha, beta})
	type page struct {
		Node       string            `json:"node"`
		Month      string            `json:"month"`
		Statements []json.RawMessage `json:"statements"`
		Next       string            `json:"next"`
	}
	for _, c := range []struct {
		name  string
		alter func(p *page)
		says  string
	}{
		{"another node", func(p *page) { p.Node = beta.Host }, "another page"},
		{"another month", func(p *page) { p.Month = "2026-09" }, "another page"},
		{"too many", func(p *page) {
			for range 41 {
				p.Statements = append(p.Statements, p.Statements[0])
			}
		}, "another page"},
		{"without end", func(p *page) { p.Statements, p.Next = nil, uris[0] }, "an empty page that is not the last"},
		{"in a circle", func(p *page) { p.Next = uris[0] }, "for nobody of here, or twice"},
		{"twice", func(p *page) { p.Statements[1] = p.Statements[0] }, "for nobody of here, or twice"},
		{"for a stranger", func(p *page) {
			p.Statements[1] = json.RawMessage(strings.ReplaceAll(string(p.Statements[1]), uris[1], stranger))
		}, "for nobody of here, or twice"},
		{"of another month", func(p *page) {
			p.Statements[1] = json.RawMessage(strings.ReplaceAll(string(p.Statements[1]), `"month":"2026-10"`, `"month":"2026-09"`))
		}, "another statement"},
		{"no statement", func(p *page) { p.Statements[1] = json.RawMessage(`7`) }, "cannot unmarshal"},
		{"a cursor without end", func(p *page) { p.Next = strings.Repeat("x", 3000) }, "another page"},
		{"one left out", func(p *page) { p.Statements = p.Statements[:2] }, "a statement is missing"},
	} {
		w.altering(func(_ string, raw []byte) ([]byte, error) {
			var p page
			if err := json.Unmarshal(raw, &p); err != nil {
				return nil, err
			}
			c.alter(&p)
			return json.Marshal(p)
		})
		before := w.count()
		err := beta.reporting.FetchStatements(t.Context(), alpha.Host, october, report.Reported, 0, reporting.LastAttempt)
		if err == nil || !strings.Contains(err.Error(), c.says) || w.count() > before+2 {
			t.Errorf("%s: %v after %d requests", c.name, err, w.count()-before)
		}
		kind := "altered"
		if c.name == "one left out" {
			kind = "silent"
		}
		if !hasFound(beta, alpha, kind) {
			t.Errorf("%s: no finding", c.name)
		}
		beta.must(beta.DB.Write.Exec("DELETE FROM report_findings").Error)
	}
	// A total that is another one is kept with the finding.
	w.altering(func(_ string, raw []byte) ([]byte, error) {
		return []byte(strings.Replace(string(raw), `"micro":3000000`, `"micro":3000001`, 1)), nil
	})
	beta.must(beta.reporting.FetchStatements(t.Context(), alpha.Host, october, report.Reported, 0, 1))
	if n := beta.Count(t, "statements_heard", "words <> ''"); n != 1 || !hasFound(beta, alpha, "altered") {
		t.Errorf("%d altered statements", n)
	}
}

// A fetch that has failed for good is tried again by the next round.
func TestFetchedAfterAll(t *testing.T) {
	t.Parallel()
	alpha, beta, w, _, _ := crowd(t, 3)
	w.altering(func(string, []byte) ([]byte, error) { return nil, errors.New("not now") })
	exchange(t, []*node{alpha, beta})
	beta.must(beta.reporting.Round(t.Context()))
	fedtest.Until(t, "it was tried once", func() bool { return w.count() == 1 }, alpha.Instance, beta.Instance)
	if err := beta.reporting.FetchStatements(t.Context(), alpha.Host, october, report.Reported, 0, reporting.LastAttempt); err == nil {
		t.Error("fetched")
	}
	w.altering(nil)
	beta.must(beta.reporting.Round(t.Context()))
	fedtest.Until(t, "the statements are here", func() bool {
		return beta.Count(t, "statements_heard", "node = ?", alpha.Host) == 3 && beta.Count(t, "statements_asked", "done AND tries = 1") == 1
	}, alpha.Instance, beta.Instance)
}
