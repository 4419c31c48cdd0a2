package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"antiphon/api/web"
	"antiphon/federation/actor"
	"antiphon/federation/trade"
	"antiphon/payments/purchase"
)

// keyring stands for federation/trade.
type keyring struct {
	web.Keyring
	links, asked, brought int
}

func (k *keyring) Rotate(_ context.Context, _ string, link []byte) error {
	if !strings.Contains(string(link), "good") {
		return &trade.Refusal{Words: "The statement is malformed."}
	}
	k.links++
	return nil
}

func (k *keyring) AskAnew(_ context.Context, _ string, agreements []json.RawMessage) (int, error) {
	k.asked += len(agreements)
	return len(agreements), nil
}

func (k *keyring) BringLibrary(_ context.Context, _ string, file []byte) (int, error) {
	if len(file) < 3 {
		return 0, &trade.Refusal{Words: "This file is not a library."}
	}
	k.brought++
	return 1, nil
}

func (k *keyring) Confirm(_ context.Context, _, buyer, _ string) error {
	if buyer != "https://b.example/users/bo" {
		return trade.ErrNoHold
	}
	return nil
}

func (k *keyring) Target(context.Context, string) (actor.Actor, error) {
	return actor.Actor{URI: "https://c.example/users/lin", ReceivingKey: "zQ3sx", RequestingKey: "z6Mkx"}, nil
}

// TestKeysPage: the page says how far sellers have granted anew what was bought, and lets a listener ask again or let go.
func TestKeysPage(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		lin, eve := i.signedUp(t, "lin", nil), i.signedUp(t, "eve", nil)
		var receiving string
		check(t, i.db.Read.Table("actors").Where("uri = ?", lin.actor).Pluck("receiving_key", &receiving).Error)
		now := i.clock.Now()
		write := func(id, receipt, regrants, key string, state purchase.State, at time.Time) {
			check(t, i.db.Write.Create(&purchase.Purchase{
				ID: id, Offer: i.base + "/offers/" + id, Buyer: lin.actor, Artist: "https://" + id + ".example/users/ada", Product: "https://s.example/products/" + id,
				Track: "https://s.example/tracks/" + id, Title: "Song " + id, Decimals: 6, ReceivingKey: key, RequestingKey: "z6Mk1", State: state, Receipt: receipt, Regrants: regrants,
				CreatedAt: at, UpdatedAt: at,
			}).Error)
		}
		lin.get("/settings/keys").want(http.StatusOK, "Make a new key", "!granted anew.")
		i.browser(t).get("/settings/keys").want(http.StatusSeeOther)
		write("a", "https://s.example/receipts/a", "", "zQ3sold", purchase.Granted, now)
		write("b", "https://s.example/receipts/b", "", "zQ3sold", purchase.Granted, now)
		write("c", "https://s.example/receipts/c", "", "zQ3sold", purchase.Granted, now)
		write("d", "https://s.example/receipts/d", "", receiving, purchase.Granted, now)
		write("a2", "https://s.example/receipts/a2", "https://s.example/receipts/a", receiving, purchase.Granted, now)
		write("b2", "", "https://s.example/receipts/b", receiving, purchase.Offered, now.Add(-time.Hour))
		lin.get("/settings/keys").want(http.StatusOK, "1 of 3 granted anew.", "no answer yet", "b2.example", "1 purchase was not asked for yet.", "Song a2")
		lin.get("/library").want(http.StatusOK, "!Song b2")
		var open struct {
			Actor  string
			Number int
			Items  []struct{ Receipt string }
			To     *struct{ Actor string }
		}
		lin.get("/settings/keys/open").want(http.StatusOK).json(&open)
		if open.Actor != lin.actor || len(open.Items) != 0 {
			t.Errorf("what is not in the library is to be signed for: %+v", open)
		}
		eve.post("/settings/keys/again", url.Values{"id": {"b2"}}).want(http.StatusNotFound)
		lin.post("/settings/keys/again", url.Values{"id": {"a2"}}).want(http.StatusNotFound)
		lin.post("/settings/keys/letgo", url.Values{"id": {"b2"}}).to("/settings/keys?done=letgo")
		lin.get("/settings/keys").want(http.StatusOK, "let go", "opens with your old key")
		lin.post("/settings/keys/again", url.Values{"id": {"b2"}}).to("/settings/keys?done=askedagain")
		lin.get("/settings/keys").want(http.StatusOK, "asked", "!opens with your old key.<")

		lin.postJSON("/settings/keys", map[string]any{"link": map[string]any{"good": true}}).want(http.StatusNotFound)
		k := &keyring{}
		i.pages.Keyring = k
		lin.postJSON("/settings/keys", map[string]any{"link": map[string]any{}}).want(http.StatusUnprocessableEntity, "The statement is malformed.")
		lin.postJSON("/settings/keys", map[string]any{"link": map[string]any{"good": true}}).want(http.StatusOK, "/settings/keys?done=rotated")
		lin.postJSON("/settings/keys/anew", map[string]any{"agreements": []any{map[string]any{}}}).want(http.StatusOK)
		lin.get("/settings/keys/open?along").want(http.StatusOK).json(&open)
		if open.To == nil || open.To.Actor != "https://c.example/users/lin" {
			t.Errorf("taken along to %+v", open.To)
		}
		lin.postFile("/settings/keys/library", "library.json", "{}").want(http.StatusUnprocessableEntity, "not a library")
		lin.postFile("/settings/keys/library", "library.json", "{...}").to("/settings/keys?done=brought")
		if k.links != 1 || k.asked != 1 || k.brought != 1 {
			t.Errorf("the keyring was used %+v", k)
		}

		i.insert(t, "key_holds", map[string]any{
			"artist": eve.actor, "buyer": "https://b.example/users/bo", "requesting_key": "z6Mkbo", "state": "held", "created_at": now, "updated_at": now,
		})
		eve.get("/orders").want(http.StatusOK, "https://b.example/users/bo", "It is them")
		i.admin(t, "root_1").get("/admin").want(http.StatusOK, "1 purchase is held")
		lin.post("/orders/confirm", url.Values{"buyer": {"https://b.example/users/other"}, "key": {"z6Mkbo"}}).want(http.StatusNotFound)
		eve.post("/orders/confirm", url.Values{"buyer": {"https://b.example/users/bo"}, "key": {"z6Mkbo"}}).to("/orders?done=confirmed")
	})
}
