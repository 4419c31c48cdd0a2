package trade_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/internal/testkit"
	"antiphon/media/access"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
)

// What is no code, no more a code, or a code for something else grants nothing, and who tries many has to wait.
func TestBadInputCode(t *testing.T) {
	t.Parallel()
	seller, home := build(t, ""), build(t, "")
	seller.others, home.others = []*house{home}, []*house{seller}
	ctx, ada := t.Context(), seller.User(t, "ada", actor.Artist)
	lin, eve, pat := home.listener(t, "lin"), home.listener(t, "eve"), home.listener(t, "pat")
	seller.open(t)
	home.open(t)
	rain, _ := seller.publish(t, ada.URI, "rain")
	seller.publish(t, ada.URI, "steam")
	product := seller.room.ProductURI("rain")
	_, codes, err := seller.orders.MakeCodes(ctx, ada.URI, product, "Flyers", 3, nil)
	must(t, err)
	_, others, err := seller.orders.MakeCodes(ctx, ada.URI, seller.room.ProductURI("steam"), "", 1, nil)
	must(t, err)
	ends := seller.Clock.Now().Add(time.Hour)
	_, old, err := seller.orders.MakeCodes(ctx, ada.URI, product, "", 1, &ends)
	must(t, err)
	batch, back, err := seller.orders.MakeCodes(ctx, ada.URI, product, "", 1, nil)
	must(t, err)
	must(t, seller.orders.RevokeCodes(ctx, ada.URI, batch.ID))
	must(t, seller.orders.RevokeCode(ctx, ada.URI, codes[1]))
	seller.Clock.Advance(2 * time.Hour)
	home.Clock.Advance(2 * time.Hour)
	redeems := func(l *listener, code string, want purchase.State) purchase.Purchase {
		t.Helper()
		return l.asks(t, purchase.Request{Artist: ada.URI, Product: product, Track: rain.URI, Title: "Flyer", Amount: amount.New(0, asset), Code: code}, want)
	}
	// A gift that was begun and not paid.
	gift := lin.asks(t, purchase.Request{Artist: ada.URI, Product: product, Track: rain.URI, Title: "Gift", Amount: amount.New(1_000_000, asset), Gift: true}, purchase.Invoiced)
	granted := func(want int64) {
		t.Helper()
		if n := seller.Count(t, "grants", "1 = 1"); n != want {
			t.Errorf("%d grants, want %d", n, want)
		}
	}
	testkit.BadInput(t, "B26", func(t *testing.T) {
		for code, words := range map[string]string{
			"'; DROP TABLE codes --":         "not a code",
			strings.Repeat("A", 5000):        "The price is",
			"AAAA-BBBB-CCCC-DDDD-EEEE":       "not known",
			home.purchases.GiftCode(gift):    "not known",
			others[0]:                        "something else",
			old[0]:                           "expired",
			codes[1]:                         "taken this code back",
			back[0]:                          "taken this code back",
			codes[0] + codes[2]:              "not a code",
			codes[0][:len(codes[0])-1] + "?": "not a code",
		} {
			if p := redeems(eve, code, purchase.Refused); !strings.Contains(p.Words, words) {
				t.Errorf("%.40s: %q, want %q", code, p.Words, words)
			}
		}
		for range 10 {
			redeems(eve, "AAAA-BBBB-CCCC-DDDD-EEEE", purchase.Refused)
		}
		if p := redeems(eve, codes[0], purchase.Refused); !strings.Contains(p.Words, "Too many") {
			t.Errorf("after many guesses: %q", p.Words)
		}
		granted(0)
	}, func(t *testing.T) {
		redeems(pat, strings.ToLower(codes[0]), purchase.Granted)
		granted(1)
		// Again it grants nothing more, to nobody.
		if p := redeems(lin, codes[0], purchase.Refused); !strings.Contains(p.Words, "redeemed already") {
			t.Errorf("used: %q", p.Words)
		}
		granted(1)
		must(t, seller.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return seller.room.SetProductPrice(tx, product, access.Price{Units: "9000000", Asset: asset, Decimals: 6})
		}))
		redeems(lin, codes[2], purchase.Granted)
		granted(2)
	})
}
