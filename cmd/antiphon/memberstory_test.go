package main

import (
	"testing"
)

// TestMember tells by hand, in real browsers, how a member of a listening pool on one instance hears music of another one:
// dues from a wallet of their own, the first play that asks the artist's instance, what is recorded of it, and where the
// money goes.
func TestMember(t *testing.T) {
	needPrograms(t)
	w := openPool(t)
	w.report = w.run(t, "member.mjs", map[string]any{
		"audio": w.audio, "title": "Introzik", "asset": w.network.Asset, "wallet": w.network.Nodes["wallet"],
		"other": w.person("max", "Max", w.home),
	})
	for name, text := range w.report.Texts {
		t.Logf("%s:\n%s\n", name, text)
	}
}

// openPool starts two instances that share a pool, each behind a tap, and a third that does not.
func openPool(t *testing.T) *world {
	t.Helper()
	w := &world{stage: newStage(t, "", "ANTIPHON_SIGNUP_OPEN=true"), taps: map[*instance]*tap{}}
	w.pool = true
	w.audio = cutTune(t, w.dir, "ogg", 65)
	w.front = func(i *instance) {
		// The tap's address is the instance's.
		tapped := newTap(t, i.base)
		i.base, w.taps[i] = tapped.URL, tapped
		i.env = append(i.env, "ANTIPHON_SERVER_BASE_URL="+tapped.URL)
	}
	w.playThrough("start the payment network", "start three instances")
	// Whoever runs the listeners' instance has an account; the listeners are not admins.
	var operator *user
	must(t, signUp(w.within(soon), &operator, w.home, "operator", "Operator"))
	w.home.invite = ""
	w.artist = w.person("ada", "Ada", w.artists)
	w.listener = w.person("lin", "Lin", w.home)
	return w
}
