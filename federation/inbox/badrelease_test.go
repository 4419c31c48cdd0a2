package inbox_test

import (
	"fmt"
	"maps"
	"testing"

	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

// A release carries no proof: it is believed from its artist and from its own address alone.
func TestBadRelease(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	y.followBob(t)
	release := func(id string, change func(*vocab.Release)) map[string]any {
		r := vocab.Release{
			ID: y.peer.BaseURL + "/albums/" + id, AttributedTo: y.bob.URI, Name: "Kettle Songs", Published: y.Clock.Now().UTC(),
			To: []string{vocab.Public}, Tracks: []string{y.peer.BaseURL + "/tracks/1"},
		}
		if change != nil {
			change(&r)
		}
		return r.Object()
	}
	sent := func(who *fedtest.Person, id string, verb vocab.Verb, object map[string]any, state string) {
		t.Helper()
		y.acts(t, who, act(who, id, verb, embed(t, object)), state)
	}
	testkit.BadInput(t, "B27", func(t *testing.T) {
		sent(y.eve, "of-bob", vocab.VerbCreate, release("1", nil), "refused")
		sent(y.bob, "of-eve", vocab.VerbCreate, release("1", func(r *vocab.Release) { r.AttributedTo = y.eve.URI }), "refused")
		sent(y.bob, "elsewhere", vocab.VerbCreate, release("1", func(r *vocab.Release) { r.ID = "https://elsewhere.example/albums/1" }), "refused")
		sent(y.bob, "here", vocab.VerbCreate, release("1", func(r *vocab.Release) { r.ID = y.BaseURL + "/albums/1" }), "refused")
		sent(y.bob, "endless", vocab.VerbCreate, release("1", func(r *vocab.Release) {
			for n := range 6000 {
				r.Tracks = append(r.Tracks, fmt.Sprintf("%s/tracks/%d", y.peer.BaseURL, n))
			}
		}), "refused")
		before := testkit.Rows(t, y.DB.Read)
		for path, document := range map[string]map[string]any{
			"/albums/other":  release("another", nil),
			"/albums/nobody": release("nobody", func(r *vocab.Release) { r.AttributedTo = "https://elsewhere.example/users/ann" }),
			"/albums/ours":   release("ours", func(r *vocab.Release) { r.ID = y.BaseURL + "/albums/1" }),
			"/albums/note":   with(release("note", nil), "type", "Note"),
			"/albums/prices": release("prices", func(r *vocab.Release) {
				r.Proposals = []vocab.ProposalLink{{ID: "https://elsewhere.example/products/1/proposal", Product: "https://elsewhere.example/products/1", Price: vocab.Price{Amount: "0"}}}
			}),
		} {
			y.peer.Serve(t, path, document)
			r, err := y.Inbox.Release(t.Context(), y.peer.BaseURL+path, false)
			if err == nil && (r.ID != y.peer.BaseURL+path || len(r.Proposals) > 0) {
				t.Errorf("%s reads as %+v", path, r)
			}
		}
		testkit.SameRows(t, y.DB.Read, before)
	}, func(t *testing.T) {
		sent(y.bob, "good", vocab.VerbCreate, release("1", nil), "done")
		y.peer.Serve(t, "/albums/2", release("2", nil))
		if r, err := y.Inbox.Release(t.Context(), y.peer.BaseURL+"/albums/2", false); err != nil || r.Name != "Kettle Songs" {
			t.Errorf("%+v, %v", r, err)
		}
		// Its artist changes it, and nobody else does.
		later := y.Clock.Advance(2e9).UTC()
		sent(y.eve, "change", vocab.VerbUpdate, release("1", func(r *vocab.Release) { r.Updated = later }), "refused")
		sent(y.bob, "change", vocab.VerbUpdate, release("1", func(r *vocab.Release) { r.Name, r.Updated = "Kettle Songs II", later }), "done")
	})
}

func with(object map[string]any, name string, value any) map[string]any {
	out := maps.Clone(object)
	out[name] = value
	return out
}
