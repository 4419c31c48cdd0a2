package discover_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

func TestNodeInfoFromOutside(t *testing.T) {
	t.Parallel()
	const rel = "http://nodeinfo.diaspora.software/ns/schema/2.1"
	i := fedtest.New(t, fedtest.Options{Idle: true})
	victim := fedtest.NewPeer(t)
	// Peers stay until the end: what was found out about a host is remembered, and a port that is free again may be given to
	// another one.
	until := t
	info := vocab.NodeInfo{Software: "antiphon", SoftwareVersion: "1", Features: []string{vocab.MusicFeature}}.Object("2.1")
	victim.Serve(t, "/nodeinfo/2.1", info)
	testkit.BadInput(t, "C3", func(t *testing.T) {
		for name, href := range map[string]string{
			"private": "http://10.0.0.1/nodeinfo/2.1", "metadata": "http://169.254.169.254/nodeinfo/2.1", "another host": victim.BaseURL + "/nodeinfo/2.1",
			"file": "file:///etc/passwd", "gopher": "gopher://127.0.0.1/1", "data": "data:application/json,{}", "relative": "/nodeinfo/2.1",
			"our own": i.BaseURL + "/nodeinfo/2.1", "empty": "", "user name": strings.Replace(victim.BaseURL, "http://", "http://x@", 1) + "/nodeinfo/2.1",
		} {
			peer := fedtest.NewPeer(until)
			peer.Serve(t, "/.well-known/nodeinfo", map[string]any{"links": []any{map[string]any{"rel": rel, "href": href}}})
			if speaks, err := i.Hosts.Speaks(t.Context(), peer.Host); err != nil || speaks {
				t.Errorf("%s: speaks %t, %v", name, speaks, err)
			}
		}
		if n := victim.Requests("/nodeinfo/2.1"); n > 0 {
			t.Errorf("another host was asked %d times", n)
		}
		var asked atomic.Int32
		away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, "http://10.0.0.1/nodeinfo/2.1", http.StatusFound)
		}))
		until.Cleanup(func() { away.CloseClientConnections(); away.Close() })
		if speaks, err := i.Hosts.Speaks(t.Context(), strings.TrimPrefix(away.URL, "http://")); err != nil || speaks || asked.Load() != 1 {
			t.Errorf("redirect to a private address: speaks %t, %v, after %d requests", speaks, err, asked.Load())
		}
	}, func(t *testing.T) {
		peer := fedtest.NewPeer(t)
		peer.Serve(t, "/.well-known/nodeinfo", map[string]any{"links": []any{map[string]any{"rel": rel, "href": peer.BaseURL + "/nodeinfo/2.1"}}})
		peer.Serve(t, "/nodeinfo/2.1", info)
		if speaks, err := i.Hosts.Speaks(t.Context(), peer.Host); err != nil || !speaks {
			t.Errorf("speaks %t, %v", speaks, err)
		}
	})
}
