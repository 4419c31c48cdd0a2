package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/outbox"
	"antiphon/internal/testkit"
	"antiphon/media"
)

var update = flag.Bool("update", false, "write testdata anew")

// golden compares a document with its file, after what differs from run to run has been replaced.
func golden(t *testing.T, name string, raw []byte, replace ...string) {
	t.Helper()
	var m any
	if err := json.Unmarshal([]byte(strings.NewReplacer(replace...).Replace(string(raw))), &m); err != nil {
		t.Fatalf("%s: %v in %s", name, err, raw)
	}
	got, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != strings.TrimSpace(string(want)) {
		t.Errorf("%s is\n%s", path, got)
	}
}

func tx(t *testing.T, i *fedtest.Instance, fn func(ctx context.Context, tx *gorm.DB) error) {
	t.Helper()
	if err := i.DB.Tx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// noteOf waits for the announcement of a track.
func noteOf(t *testing.T, i *fedtest.Instance, artist, track string) string {
	t.Helper()
	var post outbox.Post
	fedtest.Until(t, "the track is announced", func() bool {
		var err error
		post, err = outbox.PostOf(t.Context(), i.DB.Read, artist, track)
		return err == nil
	}, i)
	return post.URI
}

// TestCollectionDocuments reads each collection as another server does, against its golden file.
func TestCollectionDocuments(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))
	i := fedtest.New(t, fedtest.Options{Clock: clock})
	ada, lin := i.User(t, "ada", actor.Artist), i.User(t, "lin", actor.Listener)
	rain, steam := i.Track(t, ada.URI, "rain"), i.Track(t, ada.URI, "steam")
	note := noteOf(t, i, ada.URI, rain.URI)
	noteOf(t, i, ada.URI, steam.URI)
	for _, track := range []media.Track{rain, steam} {
		before := i.Count(t, "outbox", "public")
		i.Change(t, track.ID, map[string]any{"album": "Boiler Songs"})
		fedtest.Until(t, "the album is told", func() bool { return i.Count(t, "outbox", "public") == before+2 }, i)
	}
	if err := i.Outbox.Pin(t.Context(), ada.URI, rain.URI, true); err != nil {
		t.Fatal(err)
	}
	if err := i.Outbox.React(t.Context(), lin.URI, note, outbox.Like, true); err != nil {
		t.Fatal(err)
	}
	fedtest.Until(t, "the like is counted", func() bool { return i.Count(t, "reactions", "object = ?", note) == 1 }, i)
	album := outbox.AlbumURI(i.BaseURL, ada.URI, "Boiler Songs")
	var like string
	if err := i.DB.Read.Raw("SELECT uri FROM reactions").Scan(&like).Error; err != nil {
		t.Fatal(err)
	}
	replace := []string{like, "https://music.example/activities/like", note, "https://music.example/notes/1", album, "https://music.example/albums/1", i.BaseURL, "https://music.example"}
	for name, path := range map[string]string{
		"featured": "/users/ada/featured", "liked": "/users/lin/liked?page=true", "liked-whole": "/users/lin/liked",
		"releases": "/users/ada/releases?page=true", "playlists": "/users/ada/playlists?page=true", "album": strings.TrimPrefix(album, i.BaseURL),
		"tracks": "/users/ada/tracks?page=true", "likes": strings.TrimPrefix(note, i.BaseURL) + "/likes?page=true",
		"shares": strings.TrimPrefix(note, i.BaseURL) + "/shares", "replies": strings.TrimPrefix(note, i.BaseURL) + "/replies",
		"note": strings.TrimPrefix(note, i.BaseURL), "following": "/users/lin/following",
	} {
		status, raw := fetch(t, i, path, nil)
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, raw)
			continue
		}
		golden(t, name, raw, replace...)
	}
	for path, want := range map[string]int{
		"/users/ada/subscribers": 404, "/users/lin/subscribers": 404, "/notes/none/likes": 404,
		strings.TrimPrefix(note, i.BaseURL) + "/none": 404, "/users/ada/outbox?page=true&after=x": 404, "/users/ada/outbox?page=2": 404,
	} {
		if status, raw := fetch(t, i, path, nil); status != want {
			t.Errorf("%s: %d %s", path, status, raw)
		}
	}
	self := &fedtest.Person{URI: ada.URI, KeyID: ada.URI + "#main-key"}
	var err error
	if _, self.Key, err = i.Actors.HTTPKey(t.Context(), ada.URI); err != nil {
		t.Fatal(err)
	}
	if status, raw := fetch(t, i, "/users/ada/subscribers", self); status != 200 {
		t.Errorf("subscribers, read by the artist: %d %s", status, raw)
	}

	// Everyone is told of those who want to be seen, and the artist of all; who has left is in no list.
	for n, row := range []struct {
		who, state string
		shown      bool
	}{{"lin", "active", true}, {"bo", "grace", false}, {"eve", "lapsed", true}, {"lin", "ending", true}} {
		err := i.DB.Write.Exec("INSERT INTO subscriptions (uri, tier, artist, listener, state, shown, period, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 202611, ?, ?)",
			i.BaseURL+"/subscriptions/"+strconv.Itoa(n), i.BaseURL+"/products/"+strconv.Itoa(n), ada.URI, "https://b.example/users/"+row.who, row.state, row.shown,
			i.Clock.Now(), i.Clock.Now()).Error
		if err != nil {
			t.Fatal(err)
		}
	}
	for who, want := range map[*fedtest.Person][]string{nil: {"lin"}, self: {"lin", "bo"}} {
		status, raw := fetch(t, i, "/users/ada/subscribers?page=true", who)
		got := strings.Count(string(raw), "https://b.example/users/")
		if status != 200 || got != len(want) || !strings.Contains(string(raw), `"totalItems":`+strconv.Itoa(len(want))) {
			t.Errorf("subscribers: %d %s, want %s", status, raw, want)
		}
		for _, name := range want {
			if !strings.Contains(string(raw), "https://b.example/users/"+name) {
				t.Errorf("%s is not among %s", name, raw)
			}
		}
	}

	// The album follows its tracks, and goes with the last one.
	i.Change(t, rain.ID, map[string]any{"state": media.Unpublished})
	i.Change(t, steam.ID, map[string]any{"album": ""})
	fedtest.Until(t, "the album is gone", func() bool {
		status, _ := fetch(t, i, strings.TrimPrefix(album, i.BaseURL), nil)
		return status == 410
	}, i)
	// The track's own job may be the later one of the two.
	fedtest.Until(t, "the track that was taken back is no longer featured", func() bool {
		status, raw := fetch(t, i, "/users/ada/featured", nil)
		return status == 200 && !strings.Contains(string(raw), note)
	}, i)
}

func TestPins(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{})
	ada, lin := i.User(t, "ada", actor.Artist), i.User(t, "lin", actor.Listener)
	var tracks []media.Track
	for n := range outbox.MaxPins + 1 {
		tracks = append(tracks, i.Track(t, ada.URI, "track-"+strconv.Itoa(n)))
	}
	for _, track := range tracks {
		noteOf(t, i, ada.URI, track.URI)
	}
	before := i.Count(t, "outbox", "public")
	for _, track := range tracks[:outbox.MaxPins] {
		for range 2 {
			if err := i.Outbox.Pin(t.Context(), ada.URI, track.URI, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := tracks[outbox.MaxPins].URI
	if err := i.Outbox.Pin(t.Context(), ada.URI, last, true); !errors.Is(err, outbox.ErrPins) {
		t.Errorf("one pin too many: %v", err)
	}
	if err := i.Outbox.Pin(t.Context(), lin.URI, last, true); !errors.Is(err, outbox.ErrNotFound) {
		t.Errorf("a stranger's pin: %v", err)
	}
	if err := i.Outbox.Pin(t.Context(), ada.URI, tracks[0].URI, false); err != nil {
		t.Fatal(err)
	}
	if n := i.Count(t, "outbox", "public") - before; n != outbox.MaxPins+1 {
		t.Errorf("%d activities tell of ten pins and one taken back", n)
	}
	if err := i.Outbox.Pin(t.Context(), ada.URI, last, true); err != nil {
		t.Error(err)
	}
	if pins, err := outbox.Pinned(t.Context(), i.DB.Read, ada.URI); err != nil || len(pins) != outbox.MaxPins {
		t.Errorf("pins are %v, %v", pins, err)
	}
}

// TestTimeline reads a timeline page by page, on both databases.
func TestTimeline(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{Idle: true, DSN: fresh()})
		lin := i.User(t, "lin", actor.Listener)
		start := i.Clock.Now().UTC().Truncate(time.Second)
		for n := range 40 {
			author := "https://far.example/users/" + string(rune('a'+n%4))
			if n%4 == 3 {
				author = lin.URI
			}
			tx(t, i, func(ctx context.Context, tx *gorm.DB) error {
				if n < 3 && n != 2 {
					f := actor.Follow{Follower: lin.URI, Followed: author, URI: author + "/follow", State: actor.Accepted, CreatedAt: start}
					if err := actor.SetFollow(ctx, tx, f); err != nil {
						return err
					}
				}
				// Pairs have one time, so that the URI decides.
				at := start.Add(time.Duration(n/2) * time.Second)
				return outbox.PutPost(ctx, tx, outbox.Post{URI: author + "/notes/" + strconv.Itoa(n), Actor: author, PublishedAt: at, CreatedAt: at})
			})
		}
		var seen []outbox.Post
		for after := (outbox.Position{}); ; {
			posts, err := outbox.Timeline(t.Context(), i.DB.Read, lin.URI, after, 7)
			if err != nil {
				t.Fatal(err)
			}
			if len(posts) == 0 {
				break
			}
			seen = append(seen, posts...)
			last := outbox.Position{At: posts[len(posts)-1].PublishedAt, URI: posts[len(posts)-1].URI}
			if after, err = outbox.ParsePosition(last.String()); err != nil || !after.At.Equal(last.At) {
				t.Fatal(after, err)
			}
		}
		if len(seen) != 30 {
			t.Fatalf("%d posts of 30", len(seen))
		}
		for n, p := range seen {
			if strings.Contains(p.Actor, "users/c") {
				t.Errorf("%s is not followed", p.Actor)
			}
			if n > 0 && (p.PublishedAt.After(seen[n-1].PublishedAt) || p.URI == seen[n-1].URI) {
				t.Errorf("post %d is out of order", n)
			}
		}
	})
}

func FuzzPosition(f *testing.F) {
	f.Add("")
	f.Add(outbox.Position{At: time.Unix(1, 5), URI: "https://a.example/notes/1"}.String())
	f.Fuzz(func(t *testing.T, text string) {
		p, err := outbox.ParsePosition(text)
		if err != nil {
			return
		}
		again, err := outbox.ParsePosition(p.String())
		if err != nil || again != p {
			t.Errorf("%q is %v, then %v, %v", text, p, again, err)
		}
	})
}
