package main

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"antiphon/payments/royalty"
)

// memberWorld is two instances that share a listening pool, a third that does not, and two listeners at browsers.
type memberWorld struct {
	*world
	// other is a listener who does not pay.
	other person
	month royalty.Month
}

// TestMember tells by hand, in real browsers, how a member of a listening pool on one instance hears music of another one:
// dues from a wallet of their own, a first play that asks the artist's instance, what is recorded of it, and where the
// money goes. With ANTIPHON_PICTURES it leaves pictures of the pages, as TestBrowser does.
func TestMember(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	w := openPool(t)
	w.report = w.run(t, "member.mjs", map[string]any{
		"audio": w.audio, "title": "Introzik", "asset": w.network.Asset, "wallet": w.network.Nodes["wallet"], "other": w.other,
	})
	w.track = w.report.Track
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"sound", w.testSound}, {"pages", w.testPages}, {"recorded", w.testRecorded}, {"books", w.testBooks}, {"policy", w.testPolicy},
		{"secrets", w.testNoSecrets},
	} {
		t.Run(part.name, part.run)
	}
}

// openPool starts the instances, each behind a tap.
func openPool(t *testing.T) *memberWorld {
	t.Helper()
	w := &memberWorld{
		world: &world{stage: newStage(t, "", "ANTIPHON_SERVER_LOG_LEVEL=debug", "ANTIPHON_SIGNUP_OPEN=true"), taps: map[*instance]*tap{}},
		month: royalty.MonthOf(time.Now()),
	}
	w.pool = true
	w.audio = cutTune(t, w.dir, "ogg", 65)
	w.front = func(i *instance) {
		// The tap's address is the instance's.
		tapped := newTap(t, i.base)
		i.base, w.taps[i] = tapped.URL, tapped
		i.env = append(i.env, "ANTIPHON_SERVER_BASE_URL="+tapped.URL)
	}
	w.playThrough("start the payment network", "start three instances")
	// Whoever runs the listeners' instance has an account already; the listeners are no admins.
	var operator *user
	must(t, signUp(w.within(soon), &operator, w.home, "operator", "Operator"))
	w.home.invite = ""
	w.artist, w.listener, w.other = w.person("ada", "Ada", w.artists), w.person("lin", "Lin", w.home), w.person("max", "Max", w.home)
	return w
}

func (w *memberWorld) testSound(t *testing.T) {
	r := w.report
	plays(t, "after the first click", r.Start, 2)
	plays(t, "after a jump ahead", r.AfterSeek, 31)
	plays(t, "after canceling", r.OnAnotherPage, 2)
	plays(t, "the preview of who is no member", r.Preview, 1)
	t.Logf("%.0f ms from payment to membership; %.0f ms from the first click ever to sound", r.PayToMemberMS, r.FirstClickMS)
}

// testPages reads what people read.
func (w *memberWorld) testPages(t *testing.T) {
	const nobody = "Nobody yet"
	month := w.month.Start().Format("January 2006")
	for name, want := range map[string][]string{
		"invoice": {"not paid yet", "To pay for " + month, "10.00 development tokens", "They are worth nothing", "Identifier"},
		"member":  {"member Everything in the pool plays.", "Paid to the end of " + month + " (UTC).", "Where your nine dollars go"},
		"lent":    {"You can play this as a member of the listening pool."},
		"outsider": {
			"A preview of 30 s", "Hear it in the listening pool", "Members who have paid for the month hear all of it, without buying it.",
		},
		"pool":       {"You are not a member.", "Ten dollars a month", host(w.artists.base)},
		"history":    {"Introzik Ada", " heard", "Save as CSV"},
		"shares":     {"So far: the month is not over", month, "Ada", "$9.00", "Keeps this instance running", "$1.00", "!" + nobody},
		"forgotten":  {"Nothing heard yet"},
		"unheard":    {nobody, "what you hear is not kept", "$9.00"},
		"canceled":   {"You have canceled. Everything plays to the end of the month.", "Paid to the end of " + month},
		"unrecorded": {"Nothing is kept", "You have chosen"},
		"listens":    {"The track is in the pool.", "Take out of the pool"},
		"statements": {month + ", so far", "told here with their statements", "Statements come on the fourth of each month"},
	} {
		text := w.report.Texts[name]
		for _, words := range want {
			absent, no := strings.CutPrefix(words, "!")
			if strings.Contains(text, absent) == no {
				t.Errorf("the page %q has %q: %t\n%s", name, absent, no, text)
			}
		}
	}
	if want := "This track is in the listening pool. Members who have paid for this month can play it."; w.report.Said != want {
		t.Errorf("to who is no member the player says %q, want %q", w.report.Said, want)
	}
}

// testRecorded reads the exports: one play of more than 30 seconds, in both forms; and how it was told.
func (w *memberWorld) testRecorded(t *testing.T) {
	var plays []struct {
		Track, Artist, Source string
		Seconds, Length       int
		Counted               bool
	}
	must(t, json.Unmarshal([]byte(w.report.Files["json"]), &plays))
	if len(plays) != 1 {
		t.Fatalf("exported as JSON: %+v", plays)
	}
	p := plays[0]
	if p.Track != w.track || p.Artist != w.artists.base+"/users/ada" || p.Seconds <= 30 || p.Seconds > p.Length || !p.Counted || p.Source != "played" {
		t.Errorf("recorded %+v", p)
	}
	rows, err := csv.NewReader(strings.NewReader(w.report.Files["csv"])).ReadAll()
	must(t, err)
	if len(rows) != 2 || !slices.Equal(rows[1][1:], []string{p.Track, p.Artist, strconv.Itoa(p.Seconds), strconv.Itoa(p.Length), "true", "played"}) {
		t.Errorf("exported as CSV: %q", rows)
	}
	before, after := w.reports()
	if before == 0 || after > 0 {
		t.Errorf("%d requests carried reports before that was switched off, and %d after it", before, after)
	}
	w.lin = w.visitor(t, w.listener, w.report.Seed)
	must(t, w.lin.logIn(t.Context()))
	must(t, w.lin.getJSON(t.Context(), "/history/export.json", &plays))
	if len(plays) != 0 {
		t.Errorf("kept of who wants nothing kept: %+v", plays)
	}
	t.Logf("%d of %d seconds recorded; %d requests carried reports", p.Seconds, p.Length, before)
}

// reports counts requests that told what was heard, before the listener switched that off and after it.
func (w *memberWorld) reports() (before, after int) {
	off := false
	for _, e := range w.taps[w.home].seen(exchange.fromBrowser) {
		off = off || e.method == "POST" && e.url == "/history/settings"
		switch {
		case e.header.Get("Antiphon-Listen") == "" && e.url != "/play/listen":
		case off:
			after++
		default:
			before++
		}
	}
	return before, after
}

// testBooks looks at what the two instances have written down.
func (w *memberWorld) testBooks(t *testing.T) {
	lin := w.home.base + "/users/lin"
	for _, c := range []struct {
		at           *instance
		table, where string
		want         int64
	}{
		{w.home, "pool_payments", "listener = '" + lin + "' AND state = 'counted' AND month = '" + string(w.month) + "' AND posted_at IS NOT NULL", 1},
		{w.home, "pool_payments", "1 = 1", 1},
		{w.artists, "pool_admitted", "listener = '" + lin + "'", 1},
		{w.artists, "pool_admitted", "1 = 1", 1},
		{w.artists, "grants", "buyer = '" + lin + "'", 1},
		{w.artists, "grants", "1 = 1", 1},
		{w.artists, "orders", "1 = 1", 0},
		{w.home, "grants_held", "buyer = '" + lin + "' AND pool AND end_time IS NOT NULL", 1},
		{w.home, "grants_held", "1 = 1", 1},
		{w.home, "purchases", "1 = 1", 0},
	} {
		if n := w.count(c.at, c.table, c.where); n != c.want {
			t.Errorf("%s has %d rows in %s where %s; want %d", c.at.name, n, c.table, c.where, c.want)
		}
	}
}

// testPolicy holds every page that a browser got to the strict policy.
func (w *memberWorld) testPolicy(t *testing.T) {
	pages := 0
	for _, i := range []*instance{w.home, w.artists} {
		for _, e := range w.taps[i].seen(func(e exchange) bool {
			return e.fromBrowser() && strings.HasPrefix(e.answer.Get("Content-Type"), "text/html")
		}) {
			pages++
			policy := e.answer.Get("Content-Security-Policy")
			if !strings.Contains(policy, "default-src 'none'") && !strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s %s has the policy %q", e.method, e.url, policy)
			}
		}
	}
	if pages < 20 {
		t.Errorf("only %d pages were seen", pages)
	}
}

// testNoSecrets looks for what only people's own browsers may know in all that instances were sent, keep and write.
func (w *memberWorld) testNoSecrets(t *testing.T) {
	must(t, w.openGrant(t.Context(), map[string]any{}))
	all := map[string][]byte{"the content key": w.key[:]}
	w.secretsOfOne(t, all, w.lin, w.report.Recovery)
	w.secretsOfOne(t, all, w.visitor(t, w.artist, w.report.ArtistSeed), w.report.ArtistRecovery)
	all["max's passphrase"] = []byte(w.other.Passphrase)
	for name, secret := range all {
		for _, i := range []*instance{w.home, w.artists} {
			for _, e := range w.taps[i].seen(func(exchange) bool { return true }) {
				if form := found(secret, e.sent()) + found(secret, e.got()); form != "" {
					t.Errorf("%s: %s %s carries %s (%s)", i.name, e.method, e.url, name, form)
				}
			}
		}
		for _, place := range []string{w.home.dir, w.artists.dir, w.home.log, w.artists.log, w.network.log} {
			for _, where := range foundIn(t, secret, place) {
				t.Errorf("%s stands in %s", name, where)
			}
		}
	}
	// The search finds what is there: where it finds nothing of this, its silence means nothing.
	if len(foundIn(t, []byte(w.track), w.home.dir)) == 0 || len(foundIn(t, []byte(w.home.base), w.home.log)) == 0 {
		t.Error("the search finds neither the track nor the address")
	}
}
