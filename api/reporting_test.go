package api_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/reporting"
	"antiphon/payments/amount"
	"antiphon/payments/dispute"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

const october = royalty.Month("2026-10")

// listened stands for what was heard, by whom, and who paid.
type listened struct {
	heard   map[string][]report.Heard
	members []string
}

func (p listened) Lines(_ context.Context, day time.Time, yield func(report.Heard) error) error {
	for _, h := range p.heard[day.Format(time.DateOnly)] {
		if err := yield(h); err != nil {
			return err
		}
	}
	return nil
}

func (p listened) Members(_ context.Context, _ royalty.Month, yield func(string) error) error {
	for _, m := range p.members {
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

func (listened) Of(_ context.Context, _ *gorm.DB, month royalty.Month, listener string) (string, error) {
	return royalty.Pseudonym([32]byte{5}, month, listener), nil
}

// reporting joins an instance with the books of a pool in which lin and eve have paid for October.
func (i *instance) reporting(t *testing.T) *reporting.Service {
	t.Helper()
	i.clock.Set(october.Start())
	l := must(ledger.New(ledger.Config{Origin: hostOf(i.base) + "/ledger", Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Now: i.clock.Now}))
	log := slog.New(slog.DiscardHandler)
	s := reporting.New(reporting.Config{BaseURL: i.base, Scheme: "http"}, reporting.Parts{DB: i.db, Jobs: i.queue, Actors: i.actors, Ledger: l, Log: log, Now: i.clock.Now})
	host := hostOf(i.base)
	line := func(who, artist string, plays, held int64) report.Heard {
		return report.Heard{
			Listener: i.base + "/users/" + who, Track: i.base + "/tracks/1", Artists: []royalty.Share{{Artist: i.base + "/users/" + artist, Points: 10_000}},
			Plays: plays, Seconds: 200 * plays, HeldPlays: held, HeldSeconds: 200 * held, Rule: "R5",
		}
	}
	p := listened{map[string][]report.Heard{"2026-10-03": {line("lin", "ada", 3, 0), line("eve", "ada", 1, 60)}}, []string{i.base + "/users/lin", i.base + "/users/eve"}}
	reports := must(report.New(report.Config{Node: host, Asset: devAsset, Decimals: 6}, report.Parts{
		DB: i.db, Jobs: i.queue, Book: s.Book(), Listens: p, Members: p, Pseudonyms: p, Prove: s.Prove, Log: log, Now: i.clock.Now,
	}))
	disputes := must(dispute.New(dispute.Config{Node: host, Dir: t.TempDir()}, dispute.Parts{
		Book: s.Book(), Reports: reports, Log: log, Now: i.clock.Now,
		Head: func(ctx context.Context) (string, error) { _, root, err := l.Head(ctx, i.db.Read); return root, err },
	}))
	s.Join(reports, disputes)
	policy := contract.DefaultPolicy(october)
	policy.ReportOnly = nil
	check(t, s.Found(t.Context(), policy, []contract.Node{reporting.NodeOf(host, "", ""), reporting.NodeOf("b.example", "", "")}))
	batch := contract.Subscriptions{Node: host}
	for _, name := range []string{"lin", "eve"} {
		pseudonym := must(p.Of(t.Context(), nil, october, i.base+"/users/"+name))
		batch.Lines = append(batch.Lines, contract.Subscription{
			Pseudonym: pseudonym, Month: october, Micro: royalty.Fee, Paid: must(amount.Parse("10000000", string(devAsset))), Provider: "manual",
			PaymentHash: contract.Digest("test", pseudonym),
		})
	}
	check(t, s.Book().Submit(t.Context(), batch))
	for at := october.Start(); at.Before(october.Next().Start()); at = at.AddDate(0, 0, 1) {
		i.clock.Set(at.AddDate(0, 0, 1).Add(2 * time.Hour))
		check(t, reports.ReportDay(t.Context(), at))
	}
	i.clock.Set(october.Next().Day(5))
	check(t, reports.ReportMonth(t.Context(), october))
	i.pages.Reporting = s
	return s
}

// TestShareSoFar shows where the money of a month goes that is not over: to nobody, to whom was heard, and in words to
// who has not paid or has nothing recorded.
func TestShareSoFar(t *testing.T) {
	t.Parallel()
	var p *pool.Service
	i := setup(t, listening(&moneyBox{}, &p))
	i.reporting(t)
	i.pages.Pool = p
	ada, lin, eve := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil), i.signedUp(t, "eve", nil)
	const november = "/pool/month/2026-11"
	check(t, p.Join(t.Context(), lin.actor))
	i.pays(t, p, lin.actor, strings.Repeat("a", 64))
	lin.get("/pool").want(http.StatusOK, `href="`+november+`"`)
	lin.get(november).want(http.StatusOK, "November 2026", "So far: the month is not over", "Nobody yet", "$9.00<", "$1.00<", "!is not kept")
	row := map[string]any{
		"listener": lin.actor, "session": strings.Repeat("s", 22), "artist": ada.actor, "track": i.base + "/tracks/1", "day": i.clock.Now().Format(time.DateOnly),
		"started_at": i.clock.Now(), "reported_at": i.clock.Now(), "seconds": 60, "length": 100, "heard": "", "bytes": 0, "blocks": []byte{}, "network": "n", "agent": "a",
		"source": "played", "counted": true,
	}
	check(t, i.db.Write.Table("plays").Create(row).Error)
	lin.get(november).want(http.StatusOK, "!Nobody yet", "Ada", "$9.00<")
	lin.get("/pool/month/2026-12").want(http.StatusOK, "Nothing for this month")
	eve.get(november).want(http.StatusOK, "Nothing for this month", "You have not paid", `href="/pool"`)
	ada.get("/statements").want(http.StatusOK, "November 2026, so far", "<dt>Plays here</dt><dd>1</dd>")
	lin.post("/history/settings", url.Values{"audience": {"nobody"}}).want(http.StatusSeeOther)
	lin.get(november).want(http.StatusOK, "what you hear is not kept")
}

func TestPoolPages(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	s := i.reporting(t)
	admin, ada, lin, eve := i.admin(t, "vera"), i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil), i.signedUp(t, "eve", nil)
	for _, path := range []string{"/admin/months", "/admin/disputes"} {
		lin.get(path).want(http.StatusForbidden)
	}
	admin.get("/admin").want(http.StatusOK, `href="/admin/months"`)
	page := admin.get("/admin/months").want(http.StatusOK, "The pool in 2026-10", "2 paid; of 18.000000 dollars 9.000000 go to 1 artists", "9.000000 wait",
		"Everything that was reported comes out", "R5", "waits", "The list is made on the 25th")
	lin.get("/pool/month/2026-10").want(http.StatusOK, "$9.00<", "This is the report", "Ada", "Keeps this instance running", "$1.00<", "!marked")
	eve.get("/pool/month/2026-10").want(http.StatusOK, "Waits, because a rule has marked", "R5", "ended as soon as they counted", "Version 1 of the policy", "!522c")
	eve.post("/pool/month/2026-10/appeal", url.Values{"words": {"I fell <asleep>."}}).want(http.StatusSeeOther)
	ada.get("/pool/month/2026-10").want(http.StatusOK, "Nothing for this month")
	ada.get("/pool/month/13").want(http.StatusNotFound)
	pseudonym := between(t, page.body, `name="pseudonym" value="`, `"`)
	decide := url.Values{"pseudonym": {pseudonym}, "artist": {ada.actor}, "state": {"removed"}}
	lin.post("/admin/months/2026-10/decide", decide).want(http.StatusForbidden)
	eve.get("/pool/month/2026-10").want(http.StatusOK, "I fell &lt;asleep&gt;.")
	// The artist is told what waits, but not of whom, and says why it should not.
	told := ada.get("/statements").want(http.StatusOK, "What a rule has marked in 2026-10", "$9.000000 wait", "all that 1 listener has paid", "ended as soon as they counted", "!asleep")
	if strings.Contains(told.body, pseudonym) {
		t.Error("the artist is told who a listener is")
	}
	lin.get("/statements").want(http.StatusOK, "!What a rule has marked")
	appeal := url.Values{"month": {"2026-10"}, "host": {hostOf(i.base)}, "words": {"It is a lullaby & short."}}
	lin.post("/statements/appeal", appeal).want(http.StatusNotFound)
	ada.post("/statements/appeal", appeal).want(http.StatusSeeOther)
	ada.post("/statements/appeal", url.Values{"month": {"13"}}).want(http.StatusNotFound)
	ada.post("/statements/appeal", url.Values{"month": {"2026-10"}, "host": {"nowhere.example"}}).want(http.StatusNotFound)
	ada.get("/statements").want(http.StatusOK, "It is a lullaby &amp; short.")
	admin.get("/admin/months").want(http.StatusOK, "I fell &lt;asleep&gt;.", "It is a lullaby &amp; short.", "!by vera")
	admin.post("/admin/months/2026-10/decide", decide).want(http.StatusSeeOther)
	admin.get("/admin/months").want(http.StatusOK, "by vera", "removed")
	ada.get("/statements").want(http.StatusOK, "removed", "by vera", "!$9.000000 wait")

	// A dispute about a month that nobody has reported, and one about the own month.
	open := url.Values{"host": {"b.example"}, "month": {"2026-10"}, "artist": {ada.actor}, "reason": {"plays"}}
	admin.post("/admin/disputes", open).want(http.StatusConflict, "The ledger does not know it")
	open.Set("host", hostOf(i.base))
	admin.post("/admin/disputes", open).want(http.StatusSeeOther)
	admin.get("/admin/disputes").want(http.StatusOK, "evidence is awaited", "About 9.000000 dollars, because of plays")
	check(t, s.Disputes.Work(t.Context()))
	list := admin.get("/admin/disputes").want(http.StatusOK, "votes are awaited", "Compute and vote")
	action := between(t, list.body, `<form method="post" action="/admin/disputes/`, `"`)
	admin.post("/admin/disputes/"+action, nil).want(http.StatusSeeOther)
	admin.get("/admin/disputes").want(http.StatusOK, hostOf(i.base)+": keep", "!Compute and vote")

	// Nobody else votes: the slice is withheld. It is the only one, and eve's comes back with the removal.
	i.clock.Set(october.Next().Day(24))
	check(t, s.Disputes.Work(t.Context()))
	check(t, s.Reports.StateFinal(t.Context(), october))
	i.clock.Set(october.Next().Day(25))
	check(t, s.Reports.ListPayouts(t.Context(), october))
	admin, ada = i.loggedIn(t, admin), i.loggedIn(t, ada)
	admin.post("/admin/months/2026-10/decide", decide).want(http.StatusConflict, "It is too late")
	admin.get("/admin/months?month=2026-10").want(http.StatusOK, "final", "removed")
	ada.post("/statements/appeal", appeal).want(http.StatusConflict, "This month is final")
	admin.get("/admin/months/2026-10/payouts.csv").want(http.StatusOK, "month,payee,host,address")
	admin.get("/admin/months/2026-10/payouts.json").want(http.StatusOK, "payouts")
	admin.post("/admin/months/2026-10/sent", url.Values{"artist": {ada.actor}, "ref": {"1"}}).want(http.StatusConflict, "There is no such report here")

	ada.get("/studio").want(http.StatusOK, `href="/statements"`)
	ada.get("/statements").want(http.StatusOK, "2026-10", "totals only", "reported", hostOf(i.base))
	ada.get("/statements.csv").want(http.StatusOK, "month,instance,statement", "2026-10,"+hostOf(i.base)+",report,1,3,600,9.000000,0.000000,")
	var st report.ArtistStatement
	raw := ada.get("/statements/2026-10/" + hostOf(i.base)).want(http.StatusOK)
	check(t, json.Unmarshal([]byte(raw.body), &st))
	if st.Artist != ada.actor || len(st.Splits) != 0 || st.Record == nil {
		t.Errorf("%+v", st)
	}
	ada.post("/statements/address", url.Values{"address": {"not an address"}}).want(http.StatusUnprocessableEntity, "Copy it from your wallet")
}

// loggedIn is the browser of somebody whose session has ended meanwhile.
func (i *instance) loggedIn(t *testing.T, b *browser) *browser {
	t.Helper()
	fresh := i.browser(t)
	fresh.name, fresh.actor, fresh.auth = b.name, b.actor, b.auth
	fresh.postJSON("/login", map[string]any{"name": b.name, "auth": b.auth}).want(http.StatusOK)
	return fresh
}

// An admin sets the next version of the policy, which holds from the next month on.
func TestPoolRules(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	s := i.reporting(t)
	admin, lin := i.admin(t, "vera"), i.signedUp(t, "lin", nil)
	lin.get("/admin/rules").want(http.StatusForbidden)
	admin.get("/admin/months").want(http.StatusOK, `href="/admin/rules"`)
	admin.get("/admin/rules").want(http.StatusOK, "Version 1 of the policy, from 2026-10 on", "Set from 2026-12 on", "ended as soon as they counted")
	form := url.Values{"seconds": {"29"}, "cap": {"10"}, "R1": {"holds"}, "R3": {"holds"}, "R5": {"tells"}, "R7": {"off"}, "R8": {"holds"}, "R0": {"off"}}
	lin.post("/admin/rules", form).want(http.StatusForbidden)
	admin.post("/admin/rules", form).want(http.StatusConflict, "out of bounds", "Version 1 of the policy")
	form.Set("seconds", "45")
	admin.post("/admin/rules", form).want(http.StatusSeeOther)
	admin.get("/admin/rules").want(http.StatusOK, "Version 2 of the policy, from 2026-12 on", `value="45"`)
	form.Set("R5", "holds")
	admin.post("/admin/rules", form).want(http.StatusSeeOther)
	for month, want := range map[royalty.Month]string{
		"2026-11": "1 30 20 [R0 R1 R2 R3 R4 R5 R6 R7 R8 R9] []", "2026-12": "3 45 10 [R0 R1 R3 R5 R8] []",
	} {
		p := must(contract.PolicyFor(t.Context(), s.Book(), month))
		if got := fmt.Sprint(p.Version, " ", p.MinSeconds, " ", p.DayCap, " ", p.Rules, " ", p.ReportOnly); got != want {
			t.Errorf("%s: %s, want %s", month, got, want)
		}
	}
}
