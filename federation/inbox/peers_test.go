package inbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"antiphon/federation/fedtest"
	"antiphon/vocab"
)

// TestPeers has a person of another server send, signed, what servers of the fediverse send, and looks at what comes of
// it: the state of the activity, and what a follower is shown. The shapes are vocab's.
func TestPeers(t *testing.T) {
	t.Parallel()
	const folder = "../../vocab/testdata/peers"
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no shapes in %s: %v", folder, err)
	}
	y := newYard(t, fedtest.Options{})
	lin := y.followBob(t)
	track := y.Track(t, y.ada.URI, "rain")
	var note string
	fedtest.Until(t, "the note of the artist", func() bool {
		return y.DB.Read.Table("posts").Where("track = ?", track.URI).Pluck("uri", &note).Error == nil && note != ""
	}, y.Instance)
	// The shapes are about the artist's note, and about the one who is followed.
	here := strings.NewReplacer(
		"https://peer.example/users/bob", y.bob.URI, "https://peer.example", y.peer.BaseURL,
		"https://s.example/notes/77", note, "https://s.example/users/ada", y.ada.URI, "https://s.example", y.BaseURL,
	)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c struct {
				// State is what becomes of the activity; it is not kept at all when there is none.
				State string
				// Shown are words that a follower sees, Audio is what the follower may play.
				Shown, Audio string
				Activity     json.RawMessage
			}
			if err := json.Unmarshal([]byte(here.Replace(string(raw))), &c); err != nil {
				t.Fatal(err)
			}
			a, _ := vocab.ParseActivity(c.Activity)
			before := len(timeline(t, y.Instance, lin.URI))
			if c.State == "" {
				if got := y.bob.Post(t, y.BaseURL+"/inbox", c.Activity, y.Clock.Now()); got != 202 {
					t.Errorf("answered with %d", got)
				}
				if n := y.Count(t, "activities", "id = ?", a.ID); n != 0 {
					t.Error("what has no effect was kept")
				}
			} else {
				y.sayRaw(t, y.bob, c.Activity, a.ID, c.State)
			}
			posts := timeline(t, y.Instance, lin.URI)
			if c.Shown == "" {
				if len(posts) != before {
					t.Errorf("is shown among %+v", posts)
				}
				return
			}
			for _, p := range posts {
				if strings.Contains(p.Content, c.Shown) && p.Audio == c.Audio && len(posts) == before+1 {
					return
				}
			}
			t.Errorf("shown are %+v; want %q with the sound %q", posts, c.Shown, c.Audio)
		})
	}
}
