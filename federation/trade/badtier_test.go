package trade_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/media/access"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
	"antiphon/vocab"
)

// Nobody subscribes for somebody else or to what is no tier, and nobody but the artist says until when a month is paid.
func TestBadInputTier(t *testing.T) {
	t.Parallel()
	ctx, clock := t.Context(), testkit.NewClock(time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC))
	here, peer := openShop(t, "", clock, &bank{}, &helpers{}), fedtest.NewPeer(t)
	ada, ben := here.User(t, "ada", actor.Artist), here.User(t, "ben", actor.Artist)
	lin, _ := here.listener(t, "lin")
	bob, eve := peer.Person(t, "bob"), peer.Person(t, "eve")
	here.track(t, ada.URI, "one")
	terms := access.TierTerms{Name: "Engine Room", Price: access.Price{Units: "5000000", Asset: asset, Decimals: 6}, Whole: true, Open: true}
	tier, err := here.room.MakeTier(ctx, ada.URI, terms, 202611)
	must(t, err)
	terms.Open = false
	closed, err := here.room.MakeTier(ctx, ada.URI, terms, 202611)
	must(t, err)

	n := 0
	says := func(who *fedtest.Person, a vocab.Activity) string {
		t.Helper()
		n++
		a.ID, a.Actor = who.URI+"/says/"+strconv.Itoa(n), who.URI
		if status := who.Post(t, here.BaseURL+"/inbox", fedtest.JSON(t, a), clock.Now()); status != 202 {
			t.Fatalf("%s: status %d", a.Type, status)
		}
		state := ""
		fedtest.Until(t, "it is judged", func() bool {
			here.DB.Read.Table("activities").Where("id = ?", a.ID).Pluck("state", &state)
			return state != "received" && state != ""
		}, here.Instance)
		return state
	}
	wishes := func(who *fedtest.Person, x vocab.Subscription) {
		t.Helper()
		object, err := vocab.Embed(x.Object())
		must(t, err)
		says(who, vocab.Activity{Type: vocab.VerbOffer, Object: object, To: []string{x.Artist}})
	}
	// lin subscribes to bob, who has said what the month costs and that it was paid.
	_, bought, err := here.subscriptions.Join(ctx, subscription.Joining{
		Listener: lin.URI, Artist: bob.URI, Tier: peer.BaseURL + "/products/1", Name: "Shed", Price: amount.New(5_000_000, asset), Decimals: 6,
	})
	must(t, err)
	deal := peer.BaseURL + "/agreements/1"
	must(t, here.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return here.purchases.Accepted(tx, bob.URI, bought.Offer, purchase.Terms{
			Agreement: deal, Product: bought.Product, Amount: amount.New(5_000_000, asset), ReceivingKey: bought.ReceivingKey, RequestingKey: bought.RequestingKey,
			Invoice: &purchase.Invoice{
				Provider: "raiden", Asset: asset, Units: amount.NewUnits(5_000_000), Decimals: 6, Target: tillAddress, Identifier: "7", Expires: clock.Now().Add(time.Hour),
			},
		})
	}))
	tells := func(who *fedtest.Person, verb vocab.Verb, of string, end time.Time) string {
		t.Helper()
		return says(who, vocab.Activity{
			Type: verb, Object: vocab.Ref{ID: lin.URI}, Target: vocab.Ref{ID: of + "/subscribers"}, EndTime: end, Context: deal, To: []string{lin.URI},
		})
	}
	end := subscription.Period(202611).End()
	held := func() subscription.Held {
		h, err := here.subscriptions.HeldOf(ctx, lin.URI, bought.Product)
		must(t, err)
		return h
	}
	testkit.BadInput(t, "B28", func(t *testing.T) {
		for _, x := range []vocab.Subscription{
			{Artist: ada.URI, Listener: bob.URI, Tier: tier.URI},
			{Artist: ada.URI, Listener: lin.URI, Tier: tier.URI},
			{Artist: ben.URI, Listener: eve.URI, Tier: tier.URI},
			{Artist: ada.URI, Listener: eve.URI, Tier: here.room.ProductURI("one")},
			{Artist: ada.URI, Listener: eve.URI, Tier: here.room.ProductURI("none")},
			{Artist: ada.URI, Listener: eve.URI, Tier: closed.URI},
			{Artist: ada.URI, Listener: eve.URI, Tier: peer.BaseURL + "/products/1"},
		} {
			if wishes(eve, x); here.Count(t, "subscriptions", "1 = 1") != 0 {
				t.Fatalf("taken: %+v", x)
			}
		}
		before := held()
		tells(eve, vocab.VerbAdd, bob.URI, end)
		tells(eve, vocab.VerbAdd, eve.URI, end)
		for _, at := range []time.Time{{}, end.Add(time.Second), end.AddDate(0, -1, 0), end.AddDate(0, 2, 0), end.AddDate(70, 0, 0)} {
			tells(bob, vocab.VerbAdd, bob.URI, at)
		}
		if after := held(); after.State != before.State || after.Period != before.Period {
			t.Errorf("it was %s, and is %s until %v", before.State, after.State, after.EndTime)
		}
	}, func(t *testing.T) {
		wishes(eve, vocab.Subscription{Artist: ada.URI, Listener: eve.URI, Tier: tier.URI})
		wishes(eve, vocab.Subscription{Artist: ada.URI, Listener: eve.URI, Tier: tier.URI})
		if here.Count(t, "subscriptions", "listener = ?", eve.URI) != 1 {
			t.Error("a good wish is not taken, or twice")
		}
		if state := tells(bob, vocab.VerbAdd, bob.URI, end); state != "done" || held().State != subscription.Active || held().Period != 202611 {
			t.Errorf("%s: %+v", state, held())
		}
		// Somebody else does not end it; bob does.
		if tells(eve, vocab.VerbRemove, bob.URI, time.Time{}); held().State != subscription.Active {
			t.Errorf("a stranger has ended it: %s", held().State)
		}
		if tells(bob, vocab.VerbRemove, bob.URI, time.Time{}); held().State != subscription.Lapsed {
			t.Errorf("ended by its artist: %s", held().State)
		}
	})
}
