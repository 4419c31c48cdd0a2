package reporting_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/evidence"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/payments/report"
)

var update = flag.Bool("update", false, "write the statement in cmd/antiphon/testdata/proof anew from the month of TestStatementElsewhere")

// TestStatementElsewhere is about an artist of beta whom six members of alpha have heard: the statement comes over with a
// proof for every line, holds without any server, and the artist is on alpha's list of payouts. With -update it leaves the
// papers for cmd/antiphon/testdata/script/statement.txtar; the keys that signed them are gone with the test.
func TestStatementElsewhere(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(october.Start().Add(time.Hour))
	nodes := town(t, clock, "alpha", "beta")
	alpha, beta := nodes[0], nodes[1]
	ada, other := beta.User(t, "ada", actor.Artist).URI, alpha.User(t, "other", actor.Artist).URI
	const fans = 6
	for i := range fans {
		name := fmt.Sprint("fan", i)
		alpha.pay(name)
		alpha.hears(1, name, ada, int64(i+1), 0)
		alpha.hears(2, name, other, 1, 0)
	}
	for day := 1; day <= 2; day++ {
		clock.Set(october.Day(day + 1).Add(2 * time.Hour))
		alpha.must(alpha.reports.ReportDay(t.Context(), october.Day(day)))
	}
	exchange(t, nodes)
	clock.Set(october.Next().Day(4).Add(time.Hour))
	alpha.must(alpha.reports.ReportMonth(t.Context(), october))
	exchange(t, nodes)
	clock.Set(october.Next().Day(24))
	alpha.must(alpha.reports.StateFinal(t.Context(), october))
	exchange(t, nodes)
	beta.must(beta.reporting.Round(t.Context()))
	fedtest.Until(t, "the statement is here", func() bool { return beta.Count(t, "statements_heard", "artist = ? AND words = ''", ada) == 1 }, alpha.Instance, beta.Instance)

	told, err := beta.reporting.StatementsOf(t.Context(), october, ada)
	beta.must(err)
	if len(told) != 1 || told[0].Node != alpha.Host || told[0].Listeners != fans || len(told[0].Splits) != fans || told[0].Stage != report.Final {
		t.Fatalf("%+v", told)
	}
	// A fan who has heard her n times and the other artist once gives her n of n+1 parts of nine dollars.
	if got := told[0].Micro.String(); got != "39.664285" && got != "39.664286" {
		t.Errorf("owed %s", got)
	}
	raw, err := json.MarshalIndent(told[0].ArtistStatement, "", " ")
	beta.must(err)
	notes, err := json.Marshal(map[string]any{"notes": []string{alpha.key}})
	beta.must(err)
	ring := evidence.NewRing()
	beta.must(ring.Give(notes))
	f, err := evidence.CheckPoolStatement(raw, ring)
	if err != nil || f.Trust.By != evidence.Ledger || f.Proved != 2*fans {
		t.Errorf("%+v, %v", f, err)
	}
	// One play more in one line of one day.
	forged := strings.Replace(string(raw), "|10000|", "|20000|", 1)
	if _, err := evidence.CheckPoolStatement([]byte(forged), ring); !errors.Is(err, evidence.ErrBroken) || forged == string(raw) {
		t.Errorf("a line that was altered holds: %v", err)
	}

	clock.Set(october.Next().Day(25))
	alpha.must(alpha.reports.ListPayouts(t.Context(), october))
	list, err := alpha.reports.Payouts(t.Context(), october)
	alpha.must(err)
	at := -1
	for i, l := range list {
		if l.Artist == ada {
			at = i
		}
	}
	if at < 0 || list[at].Micro != told[0].Micro || list[at].State != report.Unclaimed {
		t.Errorf("%+v", list)
	}
	if *update {
		dir := filepath.Join("..", "..", "cmd", "antiphon", "testdata", "proof")
		for name, paper := range map[string][]byte{"statement.json": append(raw, '\n'), "statement-notes.json": append(notes, '\n')} {
			beta.must(os.WriteFile(filepath.Join(dir, name), paper, 0o600))
		}
	}
}
