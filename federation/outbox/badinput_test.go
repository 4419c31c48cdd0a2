package outbox_test

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/outbox"
	"antiphon/internal/testkit"
)

// TestWhoReads asks for what is for one buyer. There are no tickets and no addresses that let somebody in: what a grant
// leads to lies open as ciphertext, and what says so is read by signature alone, each time anew.
func TestWhoReads(t *testing.T) {
	t.Parallel()
	i, home, other := fedtest.New(t, fedtest.Options{Idle: true}), fedtest.NewPeer(t), fedtest.NewPeer(t)
	ada := i.User(t, "ada", actor.Artist)
	buyer, neighbor, stranger := home.Person(t, "lin"), home.Person(t, "neighbor"), other.Person(t, "eve")
	for _, kind := range []string{"grants", "receipts", "agreements", "kfrags"} {
		uri := i.BaseURL + "/" + kind + "/1"
		err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			return i.Outbox.Store(ctx, tx, outbox.Object{URI: uri, Kind: kind, Owner: ada.URI, Audience: []string{buyer.URI}, Raw: []byte(`{"id":"` + uri + `"}`)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	testkit.BadInput(t, "B16", func(t *testing.T) {
		forged, renamed := *buyer, *stranger
		forged.Key, renamed.KeyID = stranger.Key, buyer.KeyID
		for _, kind := range []string{"grants", "receipts", "agreements", "kfrags"} {
			wantStatus, wantBody := fetch(t, i, "/"+kind+"/none", nil)
			for name, who := range map[string]*fedtest.Person{
				"nobody": nil, "a neighbor": neighbor, "a stranger": stranger, "the buyer with another's key": &forged, "a stranger under the buyer's key id": &renamed,
			} {
				status, body := fetch(t, i, "/"+kind+"/1", who)
				if status != 404 || status != wantStatus || string(body) != string(wantBody) {
					t.Errorf("%s by %s: %d %s, and what is not there %d %s", kind, name, status, body, wantStatus, wantBody)
				}
			}
		}
		// The inbox takes no part in reading: nothing of it was kept.
		if n := i.Count(t, "activities", "1=1"); n != 0 {
			t.Errorf("%d activities", n)
		}
		block := func(blocked bool) {
			err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Hosts.Block(ctx, tx, home.Host, blocked) })
			if err != nil {
				t.Fatal(err)
			}
		}
		block(true)
		if status, body := fetch(t, i, "/grants/1", buyer); status != 404 {
			t.Errorf("by a buyer on a blocked host: %d %s", status, body)
		}
		block(false)
	}, func(t *testing.T) {
		for _, kind := range []string{"grants", "receipts", "agreements", "kfrags"} {
			if status, body := fetch(t, i, "/"+kind+"/1", buyer); status != 200 {
				t.Errorf("%s by the buyer: %d %s", kind, status, body)
			}
		}
	})
}
