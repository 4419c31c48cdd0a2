package discover_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

func get(t *testing.T, i *fedtest.Instance, path string) (int, string, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.BaseURL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := i.HTTP.Do(t.Context(), req, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status, answer.Header.Get("Content-Type"), answer.Body
}

func TestWebFinger(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	ada := i.User(t, "ada", actor.Artist)
	for resource, want := range map[string]string{
		"acct:ada@" + i.Host: ada.URI, "acct:ADA@" + strings.ToUpper(i.Host): ada.URI, "acct:@ada@" + i.Host: ada.URI, ada.URI: ada.URI,
		i.BaseURL + "/@ada": ada.URI, i.BaseURL + "/": i.Actors.Instance(), i.BaseURL: i.Actors.Instance(), i.Actors.Instance(): i.Actors.Instance(),
		"acct:" + i.Host + "@" + i.Host: i.Actors.Instance(),
	} {
		status, contentType, body := get(t, i, "/.well-known/webfinger?resource="+strings.ReplaceAll(resource, "#", "%23"))
		j, err := vocab.ReadJRD(body)
		if status != 200 || contentType != vocab.JRDType || err != nil {
			t.Errorf("%s: %d %s %v", resource, status, body, err)
			continue
		}
		if self, err := j.Self(); err != nil || self != want {
			t.Errorf("%s leads to %s, %v", resource, self, err)
		}
	}
	for resource, want := range map[string]int{
		"": 400, strings.Repeat("a", 3000): 400, "acct:nobody@" + i.Host: 404, "acct:ada@elsewhere.example": 404, "acct:ada": 404, "ada": 404,
		"https://elsewhere.example/users/ada": 404, i.BaseURL + "/users/nobody": 404, "acct:ada@" + i.Host + "@x": 404, "%zz": 400, "acct:@@": 404,
	} {
		if status, _, body := get(t, i, "/.well-known/webfinger?resource="+resource); status != want {
			t.Errorf("%.50q: %d %s", resource, status, body)
		}
	}
}

func TestNodeInfo(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	i.User(t, "ada", actor.Artist)
	_, _, body := get(t, i, "/.well-known/nodeinfo")
	href, instance, err := vocab.ReadNodeInfoLinks(body)
	if err != nil || href != i.BaseURL+"/nodeinfo/2.1" || instance != i.Actors.Instance() {
		t.Fatalf("links are %s, %v", body, err)
	}
	for _, path := range []string{"/nodeinfo/2.0", "/nodeinfo/2.1"} {
		_, _, body = get(t, i, path)
		if n, err := vocab.ReadNodeInfo(body); err != nil || !n.SpeaksMusic() || n.Software != "antiphon" || n.Users != 1 {
			t.Errorf("%s is %s, %v", path, body, err)
		}
	}
	status, contentType, body := get(t, i, "/.well-known/host-meta")
	if status != 200 || !strings.HasPrefix(contentType, "application/xrd+xml") || !strings.Contains(string(body), `template="`+i.BaseURL+`/.well-known/webfinger?resource={uri}"`) {
		t.Errorf("host-meta is %d %s %s", status, contentType, body)
	}
}

func TestSpeaks(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	far := fedtest.New(t, fedtest.Options{Idle: true})
	micro, silent, liar := fedtest.NewPeer(t), fedtest.NewPeer(t), fedtest.NewPeer(t)
	micro.Serve(t, "/.well-known/nodeinfo", vocab.NodeInfoLinks(micro.BaseURL, ""))
	micro.Serve(t, "/nodeinfo/2.1", vocab.NodeInfo{Software: "mastodon", SoftwareVersion: "4.5"}.Object("2.1"))
	liar.Serve(t, "/.well-known/nodeinfo", vocab.NodeInfoLinks(far.BaseURL, ""))
	hosts := map[string]bool{far.Host: true, micro.Host: false, silent.Host: false, liar.Host: false}
	var names []string
	for host, want := range hosts {
		names = append(names, host)
		for range 2 {
			if got, err := i.Hosts.Speaks(t.Context(), host); err != nil || got != want {
				t.Errorf("%s speaks: %t, %v", host, got, err)
			}
		}
	}
	if got, err := i.Hosts.Speakers(t.Context(), names); err != nil || len(got) != 1 || !got[far.Host] {
		t.Errorf("speakers are %v, %v", got, err)
	}
	if n := micro.Requests("/nodeinfo/2.1"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if n := silent.Requests("/.well-known/nodeinfo"); n != 1 {
		t.Errorf("a host without NodeInfo was asked %d times", n)
	}
	i.Clock.Advance(2 * time.Hour)
	if _, err := i.Hosts.Speakers(t.Context(), names); err != nil {
		t.Error(err)
	}
	if micro.Requests("/nodeinfo/2.1") != 1 || silent.Requests("/.well-known/nodeinfo") != 2 {
		t.Error("after two hours, one that spoke was asked again, or one that did not was not")
	}
	i.Clock.Advance(8 * 24 * time.Hour)
	if _, err := i.Hosts.Speakers(t.Context(), names); err != nil || micro.Requests("/nodeinfo/2.1") != 2 {
		t.Errorf("after a week a host was not asked again, %v", err)
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	block := func(host string, blocked bool) {
		t.Helper()
		err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Hosts.Block(ctx, tx, host, blocked) })
		if err != nil {
			t.Fatal(err)
		}
	}
	block("Bad.Example.", true)
	block("bücher.example", true)
	block("192.0.2.7", true)
	for host, want := range map[string]bool{
		"bad.example": true, "BAD.example": true, "bad.example.": true, "bad.example:443": true, "bad.example:8443": true, "sub.bad.example": true,
		"a.b.bad.example": true, "notbad.example": false, "example": false, "bad.example.org": false, "": false,
		"xn--bcher-kva.example": true, "BÜCHER.example": true, "192.0.2.7:8080": true, "192.0.2.70": false, "2.7": false,
	} {
		if got, err := i.Hosts.IsBlocked(t.Context(), host); err != nil || got != want {
			t.Errorf("%q blocked: %t, %v", host, got, err)
		}
	}
	// Neither failure nor success lifts a block.
	_, err := i.Hosts.Failed(t.Context(), "bad.example", errors.New("x"))
	if err := errors.Join(err, i.Hosts.Reached(t.Context(), "bad.example")); err != nil {
		t.Fatal(err)
	}
	if got, err := i.Hosts.IsBlocked(t.Context(), "bad.example"); err != nil || !got {
		t.Errorf("block was lifted, %v", err)
	}
	if got, err := i.Hosts.Speaks(t.Context(), "bad.example"); err != nil || got {
		t.Errorf("a blocked host speaks: %t, %v", got, err)
	}
	block("bad.example", false)
	if got, err := i.Hosts.IsBlocked(t.Context(), "sub.bad.example"); err != nil || got {
		t.Errorf("block was not lifted, %v", err)
	}
	if list, err := i.Hosts.Policies(t.Context(), 0, 10); err != nil || len(list) != 2 {
		t.Errorf("%d policies, %v", len(list), err)
	}
}

func TestStatesOfAHost(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		day := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
		i := fedtest.New(t, fedtest.Options{Idle: true, DSN: fresh(), Clock: testkit.NewClock(day)})
		var back []string
		i.Hosts.Back(func(host string) { back = append(back, host) })
		fail := func() string {
			t.Helper()
			state, err := i.Hosts.Failed(t.Context(), "H.example:443", errors.New(strings.Repeat("long ", 200)))
			if err != nil {
				t.Fatal(err)
			}
			return state
		}
		host := func() discover.Host {
			t.Helper()
			h, err := i.Hosts.Standing(t.Context(), "h.example")
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		if h := host(); h.State != discover.OK || h.Host != "h.example" {
			t.Errorf("a host that nobody has met: %+v", h)
		}
		for n := range 10 {
			want := map[bool]string{true: discover.Down, false: discover.Suspect}[n == 9]
			if got := fail(); got != want || host().State != want || host().Failures != int64(n+1) {
				t.Errorf("after %d failures: %s, %+v", n+1, got, host())
			}
		}
		probe := func() bool {
			t.Helper()
			mine, err := i.Hosts.Probe(t.Context(), "h.example")
			if err != nil {
				t.Fatal(err)
			}
			return mine
		}
		// The longer it is down, the rarer it is tried.
		for _, wait := range []time.Duration{30, 30, 30, 30, 30, 37, 46, 58} {
			i.Clock.Advance(wait*time.Second - time.Second)
			if probe() {
				t.Errorf("a probe before %ds", wait)
			}
			i.Clock.Advance(time.Second)
			if !probe() || probe() {
				t.Errorf("not one probe after %ds", wait)
			}
			fail()
		}
		for n := range 7 {
			i.Clock.Set(day.Add(time.Duration(n+1) * 24 * time.Hour))
			want := map[bool]string{true: discover.Gone, false: discover.Down}[n == 6]
			if !probe() {
				t.Errorf("no probe on day %d", n+2)
			}
			if got := fail(); got != want {
				t.Errorf("after failures on %d days: %s", n+2, got)
			}
		}
		if probe() {
			t.Error("a host that is gone is tried")
		}
		if err := i.Hosts.Retry(t.Context(), "h.example"); err != nil || host().State != discover.Down || !probe() {
			t.Errorf("an admin cannot have it tried again: %v, %+v", err, host())
		}
		if err := i.Hosts.Pause(t.Context(), "h.example", true); err != nil || !host().Paused {
			t.Errorf("not paused: %v, %+v", err, host())
		}
		i.Clock.Advance(24 * time.Hour)
		if probe() {
			t.Error("a host that is paused is tried")
		}
		if err := i.Hosts.Reached(t.Context(), "h.example"); err != nil || host().State != discover.OK || host().FailedDays != 0 || !host().Paused {
			t.Errorf("after an answer: %+v, %v", host(), err)
		}
		if err := i.Hosts.Reached(t.Context(), "h.example"); err != nil || !slices.Equal(back, []string{"h.example"}) {
			t.Errorf("back: %q, %v", back, err)
		}
	})
}

// Every received activity and every delivery asks about its host: of a healthy one that costs no query.
func TestHealthyHostCostsNoQuery(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	ask := func(host string) {
		t.Helper()
		if _, err := i.Hosts.Standing(t.Context(), host); err != nil {
			t.Fatal(err)
		}
		if err := i.Hosts.Reached(t.Context(), host); err != nil {
			t.Fatal(err)
		}
	}
	var queries atomic.Int64
	count := func(*gorm.DB) { queries.Add(1) }
	if err := i.DB.Read.Callback().Query().Before("gorm:query").Register("count", count); err != nil {
		t.Fatal(err)
	}
	ask("h.example")
	if queries.Load() != 1 {
		t.Errorf("the first look costs %d queries", queries.Load())
	}
	for range 100 {
		ask("H.example")
	}
	if queries.Load() != 1 {
		t.Errorf("a hundred more cost %d queries", queries.Load()-1)
	}
	// Another process sees it fail.
	other := discover.NewHosts(discover.HostsConfig{}, i.DB, i.HTTP, slog.New(slog.DiscardHandler), i.Clock.Now)
	if _, err := other.Failed(t.Context(), "h.example", errors.New("no answer")); err != nil {
		t.Fatal(err)
	}
	i.Clock.Advance(5 * time.Second)
	if h, err := i.Hosts.Standing(t.Context(), "h.example"); err != nil || h.State != discover.Suspect {
		t.Errorf("what another process learnt is not seen: %+v, %v", h, err)
	}
}

func TestUnread(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{Idle: true, DSN: fresh()})
		reads := func(host, kind string) bool {
			t.Helper()
			ok, err := i.Hosts.Reads(t.Context(), host, kind)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if !reads("h.example", "Listen") {
			t.Error("nothing is known, and it is not sent")
		}
		for range 2 {
			if err := i.Hosts.Unread(t.Context(), "H.example", "Listen"); err != nil {
				t.Fatal(err)
			}
		}
		if reads("h.example", "Listen") || !reads("h.example", "Offer") || !reads("g.example", "Listen") {
			t.Error("one kind and one host, no more and no less")
		}
		i.Clock.Advance(29 * 24 * time.Hour)
		if reads("h.example", "Listen") {
			t.Error("forgotten after 29 days")
		}
		i.Clock.Advance(24 * time.Hour)
		if !reads("h.example", "Listen") {
			t.Error("remembered for more than 30 days")
		}
		if err := i.Hosts.Unread(t.Context(), "h.example", "Offer"); err != nil || i.Count(t, "unread_kinds", "1=1") != 1 {
			t.Errorf("what has run out is kept, %v", err)
		}
		err := i.DB.Write.Exec("INSERT INTO hosts (host, software) VALUES ('h.example', 'newer 2.0')").Error
		i.Clock.Advance(5 * time.Second)
		if err != nil || !reads("h.example", "Offer") {
			t.Errorf("new software is not given a chance, %v", err)
		}
	})
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Music.Example": "music.example", "music.example.": "music.example", "music.example:443": "music.example", "music.example:8443": "music.example:8443",
		"bücher.example": "xn--bcher-kva.example", "127.0.0.1:80": "127.0.0.1", "[::1]:8080": "[::1]:8080", "": "",
	} {
		if got := discover.Normalize(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
