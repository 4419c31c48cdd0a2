package main

import (
	"path/filepath"
	"strings"
	"testing"

	"antiphon/federation/actor"
	"antiphon/federation/fetch"
	"antiphon/internal/httpx"
	"antiphon/media/pre/keytree"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// TestNewKey: a listener makes a new key in the browser; the seller grants anew what was bought, takes the old grant back,
// and the new one plays.
func TestNewKey(t *testing.T) {
	t.Parallel()
	s := sold(t, nil)
	before := s.grantOf(t)
	w := &world{stage: s, listener: person{
		Base: s.home.base, Name: s.lin.name, Display: "Lin", Passphrase: s.lin.passphrase, Profile: filepath.Join(s.dir, "device-keys"),
	}}
	r := w.run(t, "rotate.mjs", map[string]any{"track": s.track})
	if !strings.Contains(r.Page, "1 of 1 granted anew.") {
		t.Fatalf("the page of keys says\n%s", r.Page)
	}
	plays(t, "after the change of keys", r.Start, 1.5)

	keys, err := keytree.Listener(s.lin.seed)
	must(t, err)
	second, err := keys.Receiving(2)
	must(t, err)
	want, err := multikey.EncodeSecp256k1(second.PublicKey().Bytes())
	must(t, err)
	after := s.grantOf(t)
	if after.ReceivingKey != want || after.ID == before.ID || after.Receipt == before.Receipt {
		t.Errorf("the grant is %s for %s; it was %s for %s", after.ID, after.ReceivingKey, before.ID, before.ReceivingKey)
	}
	s.eventually("the old grant is taken back everywhere", func() (bool, error) {
		return s.count(s.artists, "grants", "uri = ? AND revoked_at IS NOT NULL AND replaced_by = ?", before.ID, after.ID) == 1 &&
			s.count(s.home, "tombstones", "grant_uri = ?", before.ID) == 1 && s.count(s.proxy, "tombstones", "grant_uri = ?", before.ID) == 1, nil
	})
	ada, err := fetch.New(fetch.Config{BaseURL: s.home.base, Scheme: "http"}, httpx.New(httpx.Config{AllowLoopback: true}))
	must(t, err)
	document, err := ada.Get(t.Context(), s.ada.actor)
	must(t, err)
	artist, err := vocab.ReadActor(document.Raw)
	must(t, err)
	if len(artist.Payments) != 1 || !strings.HasPrefix(artist.Payments[0].Name, "Buy “") || artist.Payments[0].Proposal != after.Product+"/proposal" {
		t.Errorf("the artist's document offers %+v", artist.Payments)
	}
	if n := s.count(s.home, "key_links", "actor = ? AND number = 2", s.lin.actor); n != 1 {
		t.Errorf("%d statements vouch for the new key", n)
	}
	if host := actor.HostOf(after.AttributedTo); s.count(s.artists, "orders", "ground = 'regrant' AND state = 'delivered'") != 1 {
		t.Errorf("%s has no order of the new grant that was delivered", host)
	}
}
