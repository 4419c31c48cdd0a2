package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"antiphon/internal/testkit"
	"antiphon/vocab"
)

// A release of another server names what it likes. It has nothing fetched from anywhere else, and nothing shown as its
// artist's that is not.
func TestBadInputRelease(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	lin := i.signedUp(t, "lin", nil)
	uri, bo := "https://b.example/albums/9", "https://b.example/users/bo"
	names := func(tracks ...string) {
		i.world.fetched.Store(0)
		i.world.releases = map[string]vocab.Release{uri: {ID: uri, AttributedTo: bo, Name: "Kettle Songs", Tracks: tracks}}
	}
	named := func(id, artist, title string) string {
		i.world.tracks[id] = vocab.Track{ID: id, AttributedTo: artist, Name: title}
		return id
	}
	page := "/release?uri=" + url.QueryEscape(uri)
	testkit.BadInput(t, "B27", func(t *testing.T) {
		names(named("https://b.example/tracks/kim", "https://b.example/users/kim", "Kims Own"), named("https://c.example/tracks/1", "https://c.example/users/cat", "Cats Own"))
		if body := lin.get(page).want(http.StatusOK, "Kettle Songs").body; strings.Contains(body, "Kims Own") || strings.Contains(body, "Cats Own") {
			t.Error("what others have made is shown as this artist's")
		}
		var many []string
		for n := range 400 {
			many = append(many, fmt.Sprintf("https://victim%d.example/tracks/1", n%2))
		}
		names(many...)
		lin.get(page).want(http.StatusOK, "Kettle Songs")
		if n := i.world.fetched.Load(); n != 0 {
			t.Errorf("%d documents were asked of other servers for the sake of one release", n)
		}
		many = many[:0]
		for n := range 400 {
			many = append(many, fmt.Sprintf("https://b.example/tracks/gone%d", n))
		}
		names(many...)
		lin.get(page).want(http.StatusOK, "Kettle Songs")
		if n := i.world.fetched.Load(); n > 30 {
			t.Errorf("%d tracks that are not there were asked for by one page", n)
		}
	}, func(t *testing.T) {
		names(named("https://b.example/tracks/own", bo, "Bos Own"))
		lin.get(page).want(http.StatusOK, "Kettle Songs", "Bos Own")
	})
}
