package discover_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
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
	if err := errors.Join(i.Hosts.Failed(t.Context(), "bad.example", errors.New("x")), i.Hosts.Reached(t.Context(), "bad.example")); err != nil {
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
	i := fedtest.New(t, fedtest.Options{Idle: true})
	state := func() string {
		t.Helper()
		list, err := i.Hosts.List(t.Context(), 0, 1)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		return list[0].State
	}
	for n := range 10 {
		if err := i.Hosts.Failed(t.Context(), "h.example", errors.New(strings.Repeat("long ", 200))); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: discover.Down, false: discover.Suspect}[n == 9]; state() != want {
			t.Errorf("after %d failures: %s", n+1, state())
		}
	}
	wait := func() time.Duration {
		t.Helper()
		wait, err := i.Hosts.Wait(t.Context(), "h.example")
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	for _, want := range []time.Duration{30, 60, 120, 240, 480, 600, 600} {
		if got := wait(); got != 0 {
			t.Errorf("a probe has to wait %s", got)
		}
		for range 2 {
			if got := wait(); got != want*time.Second {
				t.Errorf("after a probe the next one waits %s, want %ds", got, want)
			}
		}
		i.Clock.Advance(want * time.Second)
	}
	if err := i.Hosts.Reached(t.Context(), "H.example:443"); err != nil || state() != discover.OK {
		t.Errorf("after an answer: %s, %v", state(), err)
	}
	for range 3 {
		if got := wait(); got != 0 {
			t.Errorf("a delivery to a host that is back waits %s", got)
		}
	}
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
