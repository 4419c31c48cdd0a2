package api_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/media/access"
	"antiphon/payments/purchase"
)

func TestBuy(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		ada, lin, eve := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil), i.signedUp(t, "eve", nil)
		track := i.published(t, ada.actor, "Brass Rain", nil)
		path := "/buy?track=" + url.QueryEscape(track.URI)
		i.browser(t).get(path).to("/login?next=" + url.QueryEscape(path))
		lin.get(path).want(http.StatusOK, "Brass Rain", "5.00", "100%", "development tokens", i.world.products[track.URI].URI)
		lin.get("/buy?track=" + url.QueryEscape(i.base+"/tracks/none")).want(http.StatusNotFound)
		ada.post(path, nil).want(http.StatusUnprocessableEntity, "your own")
		lin.post(path, url.Values{"proposal": {"https://a.example/other"}}).want(http.StatusConflict, "look at it again")

		order := lin.post(path, url.Values{"proposal": {i.world.products[track.URI].URI}}).want(http.StatusSeeOther).Header.Get("Location")
		if again := lin.post("/buy", url.Values{"track": {track.URI}}).Header.Get("Location"); again != order {
			t.Errorf("bought twice: %s and %s", order, again)
		}
		lin.get(order).want(http.StatusOK, `data-state="asking"`, order+"/state")
		lin.get(path).want(http.StatusOK, `href="`+order+`"`)
		lin.get("/@ada/brass-rain").want(http.StatusOK, `href="`+order+`"`)
		lin.get("/library").want(http.StatusOK, order)
		for _, other := range []string{order, order + "/state", order + "/receipt"} {
			eve.get(other).want(http.StatusNotFound)
		}
		eve.post(order+"/pay", nil).want(http.StatusNotFound)

		bought := must(i.world.ByID(t.Context(), strings.TrimPrefix(order, "/purchases/")))
		if bought.Units.String() != "5000000" || !strings.HasPrefix(bought.ReceivingKey, "zQ3s") || !strings.HasPrefix(bought.RequestingKey, "z6Mk") {
			t.Errorf("%+v", bought)
		}
		state := func(want string) {
			t.Helper()
			var s struct{ State, Words, Next string }
			lin.get(order + "/state").want(http.StatusOK).json(&s)
			if s.State != want || s.Next != order {
				t.Errorf("%+v, not %s", s, want)
			}
		}
		state("asking")
		expires := i.clock.Now().Add(30 * time.Minute)
		check(t, i.db.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return i.world.Accepted(tx, ada.actor, bought.Offer, purchase.Terms{
				Agreement: i.base + "/agreements/1", Product: bought.Product, ReceivingKey: bought.ReceivingKey, RequestingKey: bought.RequestingKey,
				Amount: bought.Amount(), Invoice: &purchase.Invoice{
					Provider: "raiden", Asset: bought.Asset, Units: bought.Units, Decimals: 6, Target: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
					Identifier: "18446744073709551615", Expires: expires,
				},
			})
		}))
		state("waiting")
		lin.get(order).want(http.StatusOK, "0x5FbDB2315678afecb367f032d93F642f64180aa3", "18446744073709551615", "<code>5000000</code>", "development network", "!"+order+"/pay")
		lin.post(order+"/pay", nil).want(http.StatusForbidden) // the node's money is the admin's
		check(t, i.db.Write.Exec("UPDATE accounts SET role = 'admin' WHERE name = 'lin'").Error)
		lin.post(order+"/pay", nil).want(http.StatusUnprocessableEntity) // and there is no node
		i.clock.Set(expires.Add(time.Second))
		state("expired")
		lin.get(order).want(http.StatusOK, `href="/buy?track=`)
		i.clock.Set(expires)

		check(t, i.db.Write.Model(&purchase.Purchase{}).Where("id = ?", bought.ID).Updates(map[string]any{"state": purchase.Receipt, "receipt_raw": []byte(`{"type":"Receipt"}`)}).Error)
		state("paid")
		lin.get(order+"/receipt").want(http.StatusOK, `{"type":"Receipt"}`)
		check(t, i.db.Write.Model(&purchase.Purchase{}).Where("id = ?", bought.ID).Update("state", purchase.Granted).Error)
		i.world.owned[lin.actor] = []access.Owned{{Track: track.URI, Artist: ada.actor}}
		state("yours")
		lin.get(order).want(http.StatusOK, `data-state="yours"`, "data-owned", "Ada thanks you")
		lin.get(path).to("/@ada/brass-rain")
		i.world.owned[lin.actor] = nil
		state("revoked")
	})
}

func TestStudio(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada := i.signedUp(t, "ada", nil)
	track := i.published(t, ada.actor, "Brass Rain", nil)
	ada.get("/studio").want(http.StatusOK, "Brass Rain", "nothing yet")
	for n, state := range []string{"delivered", "granted", "expired"} {
		i.insert(t, "orders", map[string]any{
			"uri": n, "offer": n, "product": i.world.products[track.URI].URI, "version": 1, "artist": ada.actor, "buyer": "x", "receiving_key": "", "requesting_key": "",
			"units": "9007199254740993000000", "asset": string(devAsset), "decimals": 6, "ground": "payment", "provider": "raiden", "target": "", "identifier": n, "state": state,
			"expires_at": time.Now().UTC(), "created_at": time.Now().UTC(), "updated_at": time.Now().UTC(),
		})
	}
	ada.get("/studio").want(http.StatusOK, "2 sales", "18014398509481986.00") // exact, beyond what a float holds
}
