package listen

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The union of ranges is what a list of tenths would be, and never more than its budget allows.
func TestRangesAdd(t *testing.T) {
	t.Parallel()
	draw := rapid.Custom(func(t *rapid.T) Ranges {
		var out Ranges
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			from := rapid.Int64Range(0, 100).Draw(t, "from")
			out = append(out, Range{from, from + rapid.Int64Range(1, 30).Draw(t, "long")})
		}
		return out.joined()
	})
	marked := func(all ...Ranges) (set [200]bool) {
		for _, r := range all {
			for _, one := range r {
				for i := one.From; i < one.Until; i++ {
					set[i] = true
				}
			}
		}
		return set
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		sum := a.add(b, 1000, 1000)
		if marked(sum) != marked(a, b) {
			t.Fatalf("%v and %v: %v", a, b, sum)
		}
		for i := 1; i < len(sum); i++ {
			if sum[i].From <= sum[i-1].Until {
				t.Fatalf("%v is not joined", sum)
			}
		}
		budget, length := rapid.Int64Range(0, 40).Draw(t, "budget"), rapid.Int64Range(0, 130).Draw(t, "length")
		cut := a.add(b, length, budget)
		if got := cut.Tenths() - a.Tenths(); got < 0 || got > budget {
			t.Fatalf("%v and %v with %d: %v", a, b, budget, cut)
		}
		if again := cut.add(b, length, 0); again.Tenths() != cut.Tenths() {
			t.Fatalf("a budget of nothing added to %v: %v", cut, again)
		}
		if back, err := ParseRanges(sum.String()); err != nil || back.String() != sum.String() {
			t.Fatalf("%v became %v, %v", sum, back, err)
		}
	})
}

func TestManyRanges(t *testing.T) {
	t.Parallel()
	var r Ranges
	for i := range int64(1000) {
		r = r.add(Ranges{{20 * i, 20*i + 1 + i%7}}, 1<<20, 100)
	}
	if len(r) > maxRanges || r.Tenths() < maxRanges*6 {
		t.Errorf("%d ranges of %d", len(r), r.Tenths())
	}
}

// FuzzReport feeds what a player may say: nothing panics, and what is read is within its bounds.
func FuzzReport(f *testing.F) {
	for _, seed := range []string{
		"", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA abc 30 0-300", "AAAAAAAAAAAAAAAAAAAAAA abc 0", "AAAAAAAAAAAAAAAAAAAAAA abc 0 ;BBBBBBBBBBBBBBBBBBBBBB",
		"AAAAAAAAAAAAAAAAAAAAAA abc 9999999999 5-9,1-3,2-4",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reports, err := parseReports(text)
		if err != nil {
			return
		}
		if len(reports) > maxReports {
			t.Fatalf("%d reports", len(reports))
		}
		for _, r := range reports {
			if r.age < 0 || r.age > maxAge || len(r.heard) > maxRanges || r.heard.Tenths() > 10*maxLength || len(r.session) != 22 {
				t.Fatalf("%+v", r)
			}
			for i, one := range r.heard {
				if one.From >= one.Until || i > 0 && one.From <= r.heard[i-1].Until {
					t.Fatalf("%v", r.heard)
				}
			}
		}
	})
}

// FuzzTicket tries to read tickets that nobody wrote.
func FuzzTicket(f *testing.F) {
	s := &Service{key: [32]byte{1}}
	now := time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)
	good := s.sign(ticket{issued: now, listener: "l", artist: "a", track: "t", length: 9})
	f.Add(good)
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := s.verify(text, now)
		if err == nil && (got.listener != "l" || got.artist != "a" || got.track != "t" || got.length != 9) || err != nil && text == good {
			t.Fatalf("%q: %+v, %v", text, got, err)
		}
	})
}

func TestNetworksAndAgents(t *testing.T) {
	t.Parallel()
	a, b := [32]byte{1}, [32]byte{2}
	same := func(x, y string, want bool) {
		t.Helper()
		if (networkOf(a, x) == networkOf(a, y)) != want {
			t.Errorf("%s and %s", x, y)
		}
	}
	same("192.0.2.1", "192.0.2.254", true)
	same("192.0.2.1", "192.0.3.1", false)
	same("2001:db8:1:2::1", "2001:db8:1:ffff::9", true)
	same("2001:db8:1::1", "2001:db8:2::1", false)
	same("::ffff:192.0.2.1", "192.0.2.9", true)
	same("192.0.2.1:443", "192.0.2.9", true)
	if networkOf(a, "192.0.2.1") == networkOf(b, "192.0.2.1") || networkOf(a, "@") != "" || len(networkOf(a, "192.0.2.1")) != 16 {
		t.Error("a network is told without its key")
	}
	for header, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                           "firefox on linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":        "edge on windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile Safari/604.1": "safari on ios",
		"": "other on other",
	} {
		if got := agentOf(header); got != want {
			t.Errorf("%q for %q", got, header)
		}
	}
}

// What one process had in its journal, the next one writes: once, and also when it was written already.
func TestEntriesAreSaidOnce(t *testing.T) {
	t.Parallel()
	s := &Service{plays: map[string]*play{}, accounts: map[string]*account{}, orphans: map[string]account{}}
	at := time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC)
	said := entry{
		Listener: "lin", Session: "AAAAAAAAAAAAAAAAAAAAAA", Artist: "ada", Track: "rain", Length: 2110, Started: at.UnixMilli(),
		Reported: at.Add(time.Minute).UnixMilli(), Heard: "0-600", Source: Played,
	}
	for range 3 {
		if err := s.recall(said); err != nil {
			t.Fatal(err)
		}
	}
	p := s.plays["AAAAAAAAAAAAAAAAAAAAAA"]
	if p == nil || p.heard.Tenths() != 600 || !p.dirty || p.source != Played || s.orphans["lin"].open != 1 || s.orphans["lin"].settled.Minute() != 1 {
		t.Errorf("%+v, %+v", p, s.orphans)
	}
	for _, bad := range []entry{{Listener: "eve", Session: said.Session}, {Session: "x", Heard: "9-1"}} {
		if err := s.recall(bad); err == nil {
			t.Errorf("%+v was called to mind", bad)
		}
	}
	s.lose("AAAAAAAAAAAAAAAAAAAAAA", p)
	if len(s.plays)+len(s.orphans) != 0 {
		t.Errorf("%v, %v", s.plays, s.orphans)
	}
}
