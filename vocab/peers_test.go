package vocab_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"antiphon/vocab"
)

// peerCase is one activity as another server sends it: what it is taken for, and where we know its form from. What
// becomes of it is tried in federation/inbox.
type peerCase struct {
	Source   string
	Verb     string
	Kinds    []string
	Activity json.RawMessage
}

// TestPeers reads what Mastodon, GoToSocial, Funkwhale, PeerTube, Mirlo, Bandwagon, Pleroma and Akkoma send.
func TestPeers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/peers/*.json")
	if err != nil {
		t.Fatal(err)
	}
	servers := map[string]bool{}
	for _, file := range files {
		server, _, _ := strings.Cut(filepath.Base(file), "-")
		servers[server] = true
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c peerCase
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			if c.Source == "" {
				t.Error("has no source")
			}
			a, err := vocab.ParseActivity(c.Activity)
			if known := c.Kinds != nil; known && err != nil || !known && !errors.Is(err, vocab.ErrUnknownType) {
				t.Fatalf("read with %v", err)
			}
			if a.Actor != "https://peer.example/users/bob" || a.ID == "" {
				t.Errorf("is by %q and called %q", a.Actor, a.ID)
			}
			if c.Kinds == nil {
				return
			}
			if string(a.Type) != c.Verb || !slices.Equal(a.Object.Types, c.Kinds) {
				t.Errorf("is a %s of %q; want a %s of %q", a.Type, a.Object.Types, c.Verb, c.Kinds)
			}
			if n, err := vocab.ReadNote(a.Object.Raw); a.Object.Is("Note") && (err != nil || n.Content == "" || n.AttributedTo != a.Actor) {
				t.Errorf("the note is %+v, %v", n, err)
			}
		})
	}
	for _, server := range []string{"mastodon", "gotosocial", "funkwhale", "peertube", "mirlo", "bandwagon", "pleroma", "akkoma"} {
		if !servers[server] {
			t.Errorf("nothing of %s is read", server)
		}
	}
}
