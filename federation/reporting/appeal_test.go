package reporting_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/reporting"
	"antiphon/internal/testkit"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// party is an instance that has decisions to make, or artists whom they concern.
type party struct {
	*fedtest.Instance
	reporting *reporting.Service
	reports   *report.Service
}

func openParty(t testing.TB, clock *testkit.Clock, name string) *party {
	t.Helper()
	p := &party{}
	p.Instance = fedtest.New(t, fedtest.Options{Clock: clock, Idle: true, Join: func(in *fedtest.Instance) {
		key := sha256.Sum256([]byte(name))
		l, err := ledger.New(ledger.Config{Origin: in.Host + "/ledger", Key: ed25519.NewKeyFromSeed(key[:]), Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(slog.DiscardHandler)
		p.reporting = reporting.New(reporting.Config{BaseURL: in.BaseURL, Scheme: "http", Every: time.Hour}, reporting.Parts{
			DB: in.DB, Jobs: in.Queue, Actors: in.Actors, Outbox: in.Outbox, Fetch: in.Fetch, Ledger: l, Log: log, Now: clock.Now,
		})
		if p.reports, err = report.New(report.Config{Node: in.Host}, report.Parts{DB: in.DB, Jobs: in.Queue, Book: p.reporting.Book(), Log: log, Now: clock.Now}); err != nil {
			t.Fatal(err)
		}
		p.reporting.Join(p.reports, nil)
		p.reporting.Receive(in.Inbox)
		in.Routes["GET "+reporting.WaitsPath] = p.reporting.Waits()
	}})
	return p
}

// An artist is told what waits on another instance, and never of whom, and says why it should not; nobody else is told.
func TestAppealElsewhere(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(october.Start())
	alpha, beta := openParty(t, clock, "alpha"), openParty(t, clock, "beta")
	for _, one := range []*party{alpha, beta} {
		nodes := []contract.Node{reporting.NodeOf(alpha.Host, "", ""), reporting.NodeOf(beta.Host, "", "")}
		if err := one.reporting.Found(t.Context(), contract.DefaultPolicy(october), nodes); err != nil {
			t.Fatal(err)
		}
	}
	alpha.reporting.Add(beta.Host)
	beta.reporting.Add(alpha.Host)
	alpha.Start(t)
	beta.Start(t)
	ada, bob := beta.User(t, "ada", actor.Artist), alpha.User(t, "bob", actor.Artist)
	clock.Set(october.Next().Day(5))
	for i, d := range []report.Decision{
		{Artist: ada.URI, Rule: "R7", State: report.Held}, {Artist: ada.URI, Rule: "R7", State: report.Held}, {Artist: ada.URI, Rule: "R5", State: report.Removed, DecidedBy: "vera"},
		{Artist: ada.URI, Rule: "R4", State: report.Noted}, {Artist: bob.URI, Rule: "R6", State: report.Held},
	} {
		d.Month, d.Policy, d.Pseudonym, d.Evidence, d.UpdatedAt = october, 1, royalty.Pseudonym([32]byte{byte(i)}, october, "x"), contract.Digest("test", "x"), clock.Now()
		if err := alpha.DB.Write.Create(&d).Error; err != nil {
			t.Fatal(err)
		}
	}

	told, err := beta.reporting.WaitsOf(t.Context(), ada.URI)
	if err != nil || len(told) != 1 || told[0].Host != alpha.Host || told[0].Own || len(told[0].Waits) != 2 {
		t.Fatalf("%+v, %v", told, err)
	}
	removed, held := told[0].Waits[0], told[0].Waits[1]
	if held.Rule != "R7" || held.Listeners != 2 || held.Micro != 2*royalty.Pool || held.Final || len(held.Evidence) != 1 {
		t.Errorf("held: %+v", held)
	}
	if removed.Rule != "R5" || removed.State != report.Removed || removed.DecidedBy != "vera" || removed.Micro != 0 {
		t.Errorf("removed: %+v", removed)
	}
	if _, err := beta.Fetch.JSON(t.Context(), alpha.BaseURL+reporting.WaitsPath+"?"+url.Values{"artist": {bob.URI}}.Encode()); err == nil {
		t.Error("an instance is told of another one's artist")
	}

	for host, month := range map[string]royalty.Month{"nowhere.example": october, beta.Host: october} {
		if err := beta.reporting.AppealFor(t.Context(), ada.URI, host, month, "It is a school."); !errors.Is(err, report.ErrUnknown) {
			t.Errorf("at %s: %v", host, err)
		}
	}
	// A month in which nothing is marked is refused there, and changes nothing.
	for _, month := range []royalty.Month{october.Next(), october} {
		clock.Advance(time.Second)
		if err := beta.reporting.AppealFor(t.Context(), ada.URI, alpha.Host, month, "It is a school."); err != nil {
			t.Fatal(err)
		}
	}
	const said = `appeal = '{"artist":"It is a school."}'`
	fedtest.Until(t, "the words are there", func() bool { return alpha.Count(t, "report_decisions", said) > 0 }, alpha.Instance, beta.Instance)
	if n := alpha.Count(t, "report_decisions", said+" AND artist = ? AND state <> 'noted'", ada.URI); n != 3 || alpha.Count(t, "report_decisions", "appeal <> ''") != 3 {
		t.Errorf("the words stand beside %d decisions", n)
	}
	clock.Advance(10 * time.Minute)
	if told, err = beta.reporting.WaitsOf(t.Context(), ada.URI); err != nil || told[0].Waits[1].Words != "It is a school." {
		t.Errorf("%+v, %v", told, err)
	}

	// Who has become silent, or talks nonsense, has said what it said before; and is not asked at once again.
	asked := 0
	answer := "nonsense"
	alpha.Front(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answer))
	}))
	for _, answer = range []string{"nonsense", `{"waits":[{"month":"2026-13"}]}`, `{"waits":[{"month":"2026-10","state":"noted"}]}`} {
		clock.Advance(10 * time.Minute)
		asked = 0
		for range 2 {
			if told, err = beta.reporting.WaitsOf(t.Context(), ada.URI); err != nil || len(told) != 1 || len(told[0].Waits) != 2 || asked != 1 {
				t.Errorf("%s: asked %d times, %+v, %v", answer, asked, told, err)
			}
		}
	}
}
