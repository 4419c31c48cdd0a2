package access_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"antiphon/media/access"
	"antiphon/vocab"
)

// answer has a proxy answer for its fragment of a set.
func (s *sale) answer(t *testing.T, i *instance, set int, code string) {
	t.Helper()
	waiting, err := s.seller.KfragsWaiting(t.Context(), s.grant.ID, set)
	must(t, err)
	for _, k := range waiting {
		if k.Proxy != i.InstanceActor() {
			continue
		}
		if code == "" {
			var raw map[string]any
			must(t, json.Unmarshal(k.Object, &raw))
			kfrag, err := vocab.ReadKeyFragment(k.Object)
			must(t, err)
			must(t, i.Hold(t.Context(), kfrag, raw))
		}
		must(t, s.seller.KfragAnswered(t.Context(), i.InstanceActor(), k.URI, code))
		return
	}
	t.Fatalf("%s has no fragment of set %d to answer for", i.base, set)
}

// stands is the grant as it is now.
func (s *sale) stands(t *testing.T) vocab.Grant {
	t.Helper()
	g, err := s.seller.Grant(t.Context(), s.grant.ID)
	must(t, err)
	return g
}

func actors(g vocab.Grant) (all []string) {
	for _, p := range g.Proxies {
		all = append(all, p.Actor)
	}
	return all
}

// four is a sale on whose network there is one proxy more than a grant needs.
func four(t *testing.T, database fresh) (*sale, *instance) {
	t.Helper()
	s := sell(t, database)
	spare := open(t, database, "https://q.example", true)
	spare.known = []*instance{s.seller}
	s.seller.peers = append(s.seller.peers, spare)
	return s, spare
}

func TestSilentProxyIsReplaced(t *testing.T) { each(t, silentProxyIsReplaced) }

func silentProxyIsReplaced(t *testing.T, database fresh) {
	s, spare := four(t, database)
	ctx := t.Context()
	s.answer(t, s.home, 1, "")
	must(t, s.seller.Round(ctx))
	s.seller.now = s.seller.now.Add(59 * time.Minute)
	must(t, s.seller.Round(ctx))
	if n := s.seller.count(t, "grant_sets", "1 = 1"); n != 1 {
		t.Fatalf("there are %d sets before the hour is over", n)
	}
	s.seller.now = s.seller.now.Add(2 * time.Minute)
	must(t, s.seller.Round(ctx))
	must(t, s.seller.Round(ctx))
	if n := s.seller.count(t, "grant_sets", "1 = 1"); n != 2 {
		t.Fatalf("there are %d sets after an hour, want 2", n)
	}
	if g := s.stands(t); g.Set != 1 {
		t.Errorf("the grant has set %d before enough have accepted the new one", g.Set)
	}
	before := s.grant
	s.answer(t, spare, 2, "")
	g := s.stands(t)
	if want := []string{s.seller.InstanceActor(), s.home.InstanceActor(), spare.InstanceActor()}; g.Set != 2 || g.Threshold != 2 || !slices.Equal(actors(g), want) {
		t.Fatalf("the grant has set %d, %d of %v; want 2, 2 of %v", g.Set, g.Threshold, actors(g), want)
	}
	if !g.Updated.After(before.Updated) || g.ReceivingKey != before.ReceivingKey || g.To != before.To || g.Product != before.Product {
		t.Errorf("the later form is %+v of %+v", g, before)
	}
	if n := s.seller.count(t, "river_job", "kind = 'grant_changed'"); n != 1 {
		t.Errorf("%d jobs bring the buyer the later form, want 1", n)
	}
	// Either form of the grant opens: players may not have heard yet.
	s.answer(t, s.home, 2, "")
	for _, form := range []vocab.Grant{before, g} {
		key, err := access.Open(ctx, form, form.Items[0], s.receiving, s.askOf(spare))
		if err != nil || key != s.key {
			t.Errorf("set %d: %v", form.Set, err)
		}
	}
	// A day later the old set is gone, and stays gone.
	s.seller.now = s.seller.now.Add(25 * time.Hour)
	must(t, s.seller.Round(ctx))
	if n := s.seller.count(t, "river_job", "kind = 'kfrags_dropped'"); n != 1 {
		t.Errorf("%d jobs tell the proxies, want 1", n)
	}
	old, err := s.seller.Kfrags(ctx, g.ID, 1)
	must(t, err)
	for _, k := range old {
		if k.Proxy == s.home.InstanceActor() {
			if err := s.home.Drop(ctx, "https://s.example/users/eve", k.URI); err == nil {
				t.Error("another artist drops it")
			}
			must(t, s.home.Drop(ctx, s.track.Artist, k.URI))
		}
	}
	for _, i := range []*instance{s.seller, s.home} {
		if got := codeOf(s.request(t, i, 1)); got != "unknown-grant" {
			t.Errorf("%s answers %s for the old set", i.base, got)
		}
		if got := codeOf(s.request(t, i, 2)); got != "ok" {
			t.Errorf("%s answers %s for the new set", i.base, got)
		}
	}
	for _, k := range s.kfrags {
		if k.Proxy == s.home.InstanceActor() {
			if got := codeOf(s.hold(t, k.Object)); got != "revoked" {
				t.Errorf("a fragment of the dropped set: %s", got)
			}
		}
	}
}

// askOf is [sale.ask] with one more instance on the network.
func (s *sale) askOf(spare *instance) access.Ask {
	t := *s
	t.proxy = spare
	return t.ask()
}

func TestRefusingProxyIsReplacedAtOnce(t *testing.T) { each(t, refusingProxyIsReplacedAtOnce) }

func refusingProxyIsReplacedAtOnce(t *testing.T, database fresh) {
	s, spare := four(t, database)
	ctx := t.Context()
	s.answer(t, s.home, 1, "")
	s.answer(t, s.proxy, 1, "limit")
	if n := s.seller.count(t, "river_job", "kind = 'set_lacks'"); n != 1 {
		t.Errorf("%d jobs replace the set, want 1", n)
	}
	// The round finds it, too, if the job is lost.
	s.seller.now = s.seller.now.Add(61 * time.Minute)
	must(t, s.seller.Round(ctx))
	s.answer(t, s.home, 2, "")
	if g := s.stands(t); g.Set != 2 || !slices.Contains(actors(g), spare.InstanceActor()) || slices.Contains(actors(g), s.proxy.InstanceActor()) {
		t.Errorf("set %d of %v", g.Set, actors(g))
	}
	// The new one refuses as well, and nobody is left: the set opens without it and stays.
	s.answer(t, spare, 2, "not-a-proxy-for")
	s.seller.now = s.seller.now.Add(2 * time.Hour)
	must(t, s.seller.Round(ctx))
	if n := s.seller.count(t, "grant_sets", "1 = 1"); n != 2 {
		t.Errorf("there are %d sets, want 2", n)
	}
}

func TestNobodyWantsIt(t *testing.T) { each(t, nobodyWantsIt) }

// nobodyWantsIt has both other proxies refuse: what is left is the seller, and the grant opens with it alone.
func nobodyWantsIt(t *testing.T, database fresh) {
	s := sell(t, database)
	s.answer(t, s.home, 1, "limit")
	s.answer(t, s.proxy, 1, "limit")
	s.seller.now = s.seller.now.Add(61 * time.Minute)
	must(t, s.seller.Round(t.Context()))
	g := s.stands(t)
	if g.Set != 2 || g.Threshold != 1 || len(g.Proxies) != 1 {
		t.Fatalf("set %d, %d of %v", g.Set, g.Threshold, actors(g))
	}
	if key, err := access.Open(t.Context(), g, g.Items[0], s.receiving, s.ask()); err != nil || key != s.key {
		t.Errorf("it does not open: %v", err)
	}
}

func TestRevokedIsNotReplaced(t *testing.T) { each(t, revokedIsNotReplaced) }

func revokedIsNotReplaced(t *testing.T, database fresh) {
	s, _ := four(t, database)
	ctx := t.Context()
	s.seller.now = s.seller.now.Add(61 * time.Minute)
	must(t, s.seller.Round(ctx))
	must(t, s.seller.Revoke(ctx, s.track.Artist, s.grant.ID, ""))
	for _, k := range s.kfrags {
		must(t, s.seller.KfragAnswered(ctx, k.Proxy, k.URI, ""))
	}
	waiting, err := s.seller.KfragsWaiting(ctx, s.grant.ID, 2)
	must(t, err)
	s.seller.now = s.seller.now.Add(61 * time.Minute)
	must(t, s.seller.Round(ctx))
	if n := s.seller.count(t, "grant_sets", "state <> 'dropped'"); n != 0 || len(waiting) != 0 {
		t.Errorf("%d sets are not dropped, %d fragments wait to be sent", n, len(waiting))
	}
}

func TestHealth(t *testing.T) { each(t, health) }

func health(t *testing.T, database fresh) {
	s := sell(t, database)
	ctx, ada := t.Context(), s.track.Artist
	if got := codeOf(s.seller.Choose(ctx, ada, "nowhere.example")); got != "unknown" {
		t.Errorf("an instance that is none: %s", got)
	}
	must(t, s.seller.Choose(ctx, ada, "p.example"))
	must(t, s.seller.Choose(ctx, ada, " https://p.example/actor "))
	look := func() access.Health {
		t.Helper()
		s.seller.now = s.seller.now.Add(11 * time.Minute)
		must(t, s.seller.Round(ctx))
		all, err := s.seller.ChosenHealth(ctx, ada)
		must(t, err)
		if len(all) != 1 || all[0].Actor != s.proxy.InstanceActor() {
			t.Fatalf("chosen: %+v", all)
		}
		return all[0]
	}
	if h := look(); !h.Known || !h.Well || h.Words != "" || h.Seen.IsZero() {
		t.Errorf("a proxy that answers: %+v", h)
	}
	s.proxy.away.Store(true)
	seen := look()
	if seen.Well || seen.Words == "" || seen.Seen.IsZero() {
		t.Errorf("a proxy that does not: %+v", seen)
	}
	s.proxy.away.Store(false)
	if h := look(); !h.Well || !h.Seen.After(seen.Seen) {
		t.Errorf("a proxy that is back: %+v", h)
	}
	must(t, s.seller.Unchoose(ctx, ada, s.proxy.InstanceActor()))
	if all, err := s.seller.Chosen(ctx, ada); err != nil || len(all) != 0 {
		t.Errorf("after it was removed: %v, %v", all, err)
	}
}

func TestExpiredFragmentsAreErased(t *testing.T) { each(t, expiredFragmentsAreErased) }

func expiredFragmentsAreErased(t *testing.T, database fresh) {
	s := sell(t, database)
	s.deliver(t)
	end := s.proxy.now.Add(time.Hour).UTC()
	must(t, s.proxy.db.Write.Exec("UPDATE kfrags_held SET end_time = ?", end).Error)
	for _, step := range []struct {
		after time.Duration
		code  string
	}{{64 * time.Minute, "ok"}, {66 * time.Minute, "expired"}, {24 * time.Hour, "expired"}, {26 * time.Hour, "unknown-grant"}} {
		s.proxy.now = end.Add(step.after - time.Hour)
		must(t, s.proxy.Round(t.Context()))
		if got := s.code(t, s.proxy); got != step.code {
			t.Errorf("%s after the end: %s, want %s", step.after-time.Hour, got, step.code)
		}
	}
	if n := s.proxy.count(t, "kfrags_held", "1 = 1"); n != 0 {
		t.Errorf("%d fragments are left", n)
	}
}
