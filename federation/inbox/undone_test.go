package inbox_test

import (
	"testing"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/vocab"
)

// TestUndoneAtOnce has a follow and a like taken back before either was acted on.
func TestUndoneAtOnce(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	track := y.Track(t, y.ada.URI, "rain")
	var note string
	fedtest.Until(t, "the note of the artist", func() bool {
		return y.DB.Read.Table("posts").Where("track = ?", track.URI).Pluck("uri", &note).Error == nil && note != ""
	}, y.Instance)
	for _, a := range []vocab.Activity{
		y.follow(y.bob, y.bob.URI+"/follows/1"),
		{ID: y.bob.URI + "/likes/1", Type: vocab.VerbLike, Actor: y.bob.URI, Object: vocab.Ref{ID: note}, To: []string{y.ada.URI}},
	} {
		undo := vocab.Activity{ID: a.ID + "/undo", Type: vocab.VerbUndo, Object: vocab.Ref{ID: a.ID}}
		y.say(t, y.bob, undo, "ignored")
		y.say(t, y.bob, a, "ignored")
		a.ID += "-again"
		y.say(t, y.bob, a, "done")
	}
	if state := followState(t, y.Instance, y.bob.URI, y.ada.URI); state != actor.Accepted {
		t.Errorf("the follow that was not taken back is %q", state)
	}
	if n := y.Count(t, "reactions", "actor = ?", y.bob.URI); n != 1 {
		t.Errorf("there are %d likes, want the one that was not taken back", n)
	}
}
