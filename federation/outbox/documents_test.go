package outbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/httpsig"
	"antiphon/federation/outbox"
	"antiphon/media"
	"antiphon/vocab"
	"antiphon/vocab/proof"
)

func fetch(t *testing.T, i *fedtest.Instance, path string, signer *fedtest.Person) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.BaseURL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", vocab.ActivityType)
	if signer != nil {
		if err := httpsig.Sign(req, nil, signer.KeyID, signer.Key, i.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := i.HTTP.Do(t.Context(), req, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status == 200 && !vocab.IsActivityType(answer.Header.Get("Content-Type")) {
		t.Errorf("%s: content type %q", path, answer.Header.Get("Content-Type"))
	}
	return answer.Status, answer.Body
}

func TestPrivateDocuments(t *testing.T) {
	t.Parallel()
	i, home, other := fedtest.New(t, fedtest.Options{Idle: true}), fedtest.NewPeer(t), fedtest.NewPeer(t)
	ada := i.User(t, "ada", actor.Artist)
	buyer, neighbor, stranger := home.Person(t, "lin"), home.Person(t, "neighbor"), other.Person(t, "eve")
	instance, elsewhere := home.Person(t, "instance"), other.Person(t, "instance")
	for _, who := range []*fedtest.Person{instance, elsewhere} {
		who.Document["type"] = "Application"
		who.Publish(t)
	}
	grant := i.BaseURL + "/grants/1"
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		return i.Outbox.Store(ctx, tx, outbox.Object{
			URI: grant, Kind: "AccessGrant", Owner: ada.URI, Audience: []string{buyer.URI}, Raw: []byte(`{"id":"` + grant + `"}`),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	try := func(when string, good int) {
		t.Helper()
		forged := *buyer
		forged.Key = stranger.Key
		for name, tc := range map[string]struct {
			who  *fedtest.Person
			want int
		}{
			"nobody": {nil, 404}, "the buyer": {buyer, good}, "the buyer's instance": {instance, good}, "a neighbor": {neighbor, 404},
			"a stranger": {stranger, 404}, "another instance": {elsewhere, 404}, "a forger": {&forged, 404},
		} {
			if status, body := fetch(t, i, "/grants/1", tc.who); status != tc.want {
				t.Errorf("%s, asked by %s: %d %s", when, name, status, body)
			}
		}
	}
	try("as it stands", 200)
	err = i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		return outbox.DeleteObject(ctx, tx, ada.URI, grant, true, i.Clock.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	try("deleted", 410)
	block := func(blocked bool) {
		err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Hosts.Block(ctx, tx, home.Host, blocked) })
		if err != nil {
			t.Fatal(err)
		}
	}
	block(true)
	try("its buyer's host blocked", 404)
}

func TestTrackDocuments(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{})
	ada := i.User(t, "ada", actor.Artist)
	track := i.Track(t, ada.URI, "rain")
	fedtest.Until(t, "the track is told of", func() bool { return i.Count(t, "outbox", "public") == 2 }, i)

	status, raw := fetch(t, i, "/tracks/rain", nil)
	if status != 200 {
		t.Fatalf("track: %d %s", status, raw)
	}
	if _, err := proof.Verify(raw, i.Actors.Resolver(t.Context()), i.Clock.Now()); err != nil {
		t.Errorf("proof: %v", err)
	}
	x, err := vocab.ReadTrack(raw)
	if err != nil {
		t.Fatal(err)
	}
	if x.Name != track.Title || x.URL != i.BaseURL+"/@ada/rain" || len(x.Capsules) != 1 || len(x.Proposals) != 1 || x.Preview.MediaType != "audio/mpeg" ||
		x.Duration != 211*time.Second || x.Size != track.SealedBytes || x.Manifest.Size != 100 || !x.Updated.IsZero() {
		t.Errorf("track is %+v", x)
	}
	status, raw = fetch(t, i, strings.TrimPrefix(x.Note, i.BaseURL), nil)
	n, err := vocab.ReadNote(raw)
	if status != 200 || err != nil {
		t.Fatalf("note: %d %v", status, err)
	}
	if n.Track != x.ID || n.Name != "" || n.Summary != "" || len(n.Attachments) != 1 || n.Attachments[0].Duration != 30*time.Second ||
		!strings.Contains(n.Content, "<p>Recorded in a boiler.</p><p>Twice.</p>") || !strings.Contains(n.Content, "(3:31)") {
		t.Errorf("note is %s", raw)
	}
	// A pasted address of the page leads to the announcement.
	if status, page := fetch(t, i, "/@ada/rain", nil); status != 200 || string(page) != string(raw) {
		t.Errorf("page: %d", status)
	}
	status, raw = fetch(t, i, strings.TrimPrefix(x.Proposals[0].ID, i.BaseURL), nil)
	if p, err := vocab.ReadProposal(raw); status != 200 || err != nil || p.Amount != "5000000" || p.AttributedTo != ada.URI {
		t.Errorf("proposal: %d %s %v", status, raw, err)
	}
	for path, want := range map[string]int{
		"/tracks/none": 404, "/notes/none": 404, "/users/none": 404, "/users/ada/inbox": 404, "/users/ada/none": 404, "/products/none/proposal": 404,
		"/@ada/none": 404, "/@ada": 200, "/users/ada": 200, "/actor": 200, "/users/ada/tracks?page=1": 200, "/": 404, "/users/ada/outbox?page=0": 404,
		"/users/ada/outbox?page=x": 404, "/users/ada/outbox?page=99999999999999999999": 404,
	} {
		if status, body := fetch(t, i, path, nil); status != want {
			t.Errorf("%s: %d %.100s", path, status, body)
		}
	}
	// Told again by a job that was run twice: nothing new.
	i.Change(t, track.ID, map[string]any{"title": "Other"})
	fedtest.Until(t, "the change is told", func() bool { return i.Count(t, "outbox", "public") == 4 }, i)
	i.Change(t, track.ID, map[string]any{"state": media.Unpublished})
	fedtest.Until(t, "the track is taken back", func() bool { return i.Count(t, "outbox", "public") == 6 }, i)
	status, raw = fetch(t, i, "/tracks/rain", nil)
	if status != 410 || !strings.Contains(string(raw), "Tombstone") {
		t.Errorf("track: %d %s", status, raw)
	}
}

func TestCollections(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	ada, lin := i.User(t, "ada", actor.Artist), i.User(t, "lin", actor.Listener)
	for n := range 65 {
		i.Clock.Advance(time.Second)
		a := vocab.Activity{ID: i.BaseURL + "/likes/" + time.Duration(n).String(), Type: vocab.VerbLike, Actor: ada.URI, Object: vocab.Ref{ID: lin.URI}}
		if n%2 == 0 {
			a.To = []string{vocab.Public}
		}
		if err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Outbox.Tell(ctx, tx, a) }); err != nil {
			t.Fatal(err)
		}
	}
	_, raw := fetch(t, i, "/users/ada/outbox", nil)
	c, err := vocab.ReadCollection(raw)
	if err != nil || c.TotalItems != 33 || c.First == "" {
		t.Fatalf("outbox is %s, %v", raw, err)
	}
	seen := map[string]bool{}
	for next := c.First; next != ""; {
		status, raw := fetch(t, i, strings.TrimPrefix(next, i.BaseURL), nil)
		page, err := vocab.ReadCollection(raw)
		if status != 200 || err != nil || page.PartOf != c.ID || len(page.Items) == 0 {
			t.Fatalf("page %s: %d %v", next, status, err)
		}
		for _, item := range page.Items {
			seen[item.ID] = true
			if a, err := vocab.ParseActivity(item.Raw); err != nil || !a.Public() {
				t.Errorf("item is %s, %v", item.Raw, err)
			}
		}
		next = page.Next
	}
	if len(seen) != 33 {
		t.Errorf("%d of 33 activities seen", len(seen))
	}
	follow(t, i, lin.URI, ada.URI)
	for path, want := range map[string]string{"/users/ada/followers?page=1": lin.URI, "/users/lin/following?page=1": ada.URI} {
		_, raw := fetch(t, i, path, nil)
		var page struct{ OrderedItems []string }
		if err := json.Unmarshal(raw, &page); err != nil || len(page.OrderedItems) != 1 || page.OrderedItems[0] != want {
			t.Errorf("%s: %s", path, raw)
		}
	}
}

func TestWantsDocument(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		vocab.ActivityType: true, vocab.LinkedDataType: true, "application/ld+json": true, "": false, "*/*": false,
		"text/html,application/activity+json": false, vocab.ActivityType + ", text/html;q=0.5": true,
	} {
		r := &http.Request{Header: http.Header{"Accept": {accept}}}
		if got := outbox.WantsDocument(r); got != want {
			t.Errorf("%q: %t", accept, got)
		}
	}
}
