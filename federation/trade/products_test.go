package trade_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/seal"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/vocab"
)

func (*till) Name() string               { return "till" }
func (*till) Asset() (amount.Asset, int) { return asset, 6 }

func (*till) Target(context.Context, string) (string, error) {
	return "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", nil
}

func (street) Meet(context.Context, []string, string) error { return nil }
func (street) Trusts(context.Context, string) bool          { return true }
func (street) Probe(context.Context, access.Proxy) error    { return nil }

func (street) Revocations(context.Context, string, string) ([]access.Revocation, error) {
	return nil, nil
}

// TestReleaseAtOnce reads a release from elsewhere before any job of its instance has run.
func TestReleaseAtOnce(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		seller, home := build(t, fresh()), build(t, fresh())
		ctx, ada := t.Context(), seller.User(t, "ada", actor.Artist)
		track, _ := seller.publish(t, ada.URI, "t1")
		edit := media.ReleaseEdit{Kind: media.Album, Title: "Boiler Songs", Tracks: []media.TrackID{track.ID}, Price: func(tx *gorm.DB, r media.Release) error {
			return seller.room.SetProductPrice(tx, seller.room.ProductURI(string(r.ID)), access.Price{Units: "5000000", Asset: asset, Decimals: 6})
		}}
		release, err := seller.tracks.SaveRelease(ctx, ada.URI, "", edit)
		must(t, err)
		unread := func(when string) {
			t.Helper()
			if _, err := home.Fetch.Get(ctx, release.URI); err == nil {
				t.Errorf("a release is read %s", when)
			}
		}
		unread("before it is out")
		// Out, taken back, and out again.
		for range 2 {
			release, err = seller.tracks.PublishRelease(ctx, ada.URI, release.ID)
			must(t, err)
			document, err := home.Fetch.Get(ctx, release.URI)
			must(t, err)
			album, err := vocab.ReadRelease(document.Raw)
			must(t, err)
			if album.Name != "Boiler Songs" || !slices.Equal(album.Tracks, []string{track.URI}) || len(album.Proposals) != 1 {
				t.Errorf("the release reads as %+v", album)
			}
			offer, err := home.Inbox.Proposal(ctx, album.Proposals[0].ID)
			must(t, err)
			if offer.Amount != "5000000" {
				t.Errorf("its price reads as %+v", offer)
			}
			must(t, seller.tracks.WithdrawRelease(ctx, ada.URI, release.ID))
			unread("after it was taken back")
			seller.Clock.Advance(time.Hour)
		}
	})
}

// TestTakenDown: what an admin has taken down is sold with nothing else either.
func TestTakenDown(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		seller := build(t, fresh())
		ctx, ada := t.Context(), seller.User(t, "ada", actor.Artist)
		one, _ := seller.publish(t, ada.URI, "t1")
		two, _ := seller.publish(t, ada.URI, "t2")
		release, err := seller.tracks.SaveRelease(ctx, ada.URI, "", media.ReleaseEdit{
			Kind: media.EP, Title: "Boiler Songs", Tracks: []media.TrackID{one.ID, two.ID}, Price: func(tx *gorm.DB, r media.Release) error {
				return seller.room.SetProductPrice(tx, seller.room.ProductURI(string(r.ID)), access.Price{Units: "5000000", Asset: asset, Decimals: 6})
			},
		})
		must(t, err)
		release, err = seller.tracks.PublishRelease(ctx, ada.URI, release.ID)
		must(t, err)
		tier, err := seller.room.MakeTier(ctx, ada.URI, access.TierTerms{Name: "Engine Room", Price: access.Price{Units: "0"}, Tracks: []string{one.URI, two.URI}, Open: true}, 202611)
		must(t, err)
		whole := seller.room.ProductURI(string(release.ID))
		_, codes, err := seller.orders.MakeCodes(ctx, ada.URI, seller.room.ProductURI("t1"), "", 1, nil)
		must(t, err)
		_, wholes, err := seller.orders.MakeCodes(ctx, ada.URI, whole, "", 1, nil)
		must(t, err)
		must(t, seller.tracks.Remove(ctx, one.ID, func(context.Context, *gorm.DB, media.Track) error { return nil }))
		if release, err = media.ReleaseByID(ctx, seller.DB.Read, release.ID); err != nil || release.State != media.ReleaseWithdrawn {
			t.Errorf("the release that it is on is %s, %v", release.State, err)
		}
		if p, err := seller.room.ReleaseProduct(ctx, release.ID); err != nil || p.Open {
			t.Errorf("it is still sold: %v", err)
		}
		if n := seller.Count(t, "river_job", "kind = 'release_changed'"); n != 1 {
			t.Errorf("others are told %d times that it is gone", n)
		}
		must(t, seller.room.OpenPeriod(ctx, tier.URI, 202612))
		if items, err := seller.room.Items(ctx, tier.URI, 202612); err != nil || !slices.Equal(items, []string{two.URI}) {
			t.Errorf("the next month of a tier holds %v, %v", items, err)
		}
		// Codes open what is left.
		lin := seller.listener(t, "lin")
		redeem := func(product, code string) error {
			_, err := seller.orders.Place(ctx, payments.Request{
				Offer: seller.BaseURL + "/offers/" + code, Buyer: lin.URI, Artist: ada.URI, Product: product, Code: code,
				ReceivingKey: lin.ReceivingKey, RequestingKey: lin.RequestingKey,
			})
			return err
		}
		var refused *payments.Refusal
		if err := redeem(seller.room.ProductURI("t1"), codes[0]); !errors.As(err, &refused) || refused.Code != "unknown-product" {
			t.Errorf("a code of what was taken down: %v", err)
		}
		must(t, redeem(whole, wholes[0]))
		var items string
		must(t, seller.DB.Read.Table("grants").Where("product = ?", whole).Select("items").Row().Scan(&items))
		if !strings.Contains(items, two.URI) || strings.Contains(items, one.URI) {
			t.Errorf("granted is %s", items)
		}
		// Without it, the release comes out again.
		_, err = seller.tracks.SaveRelease(ctx, ada.URI, release.ID, media.ReleaseEdit{Kind: media.EP, Title: "Boiler Songs", Tracks: []media.TrackID{two.ID}})
		must(t, err)
		if release, err = seller.tracks.PublishRelease(ctx, ada.URI, release.ID); err != nil || release.State != media.ReleasePublished {
			t.Errorf("%s, %v", release.State, err)
		}
	})
}

// TestProducts sells a release, an amount that buyers name, gifts and codes from one instance to people of another.
func TestProducts(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) { products(t, fresh) })
}

func products(t *testing.T, fresh func() string) {
	seller, home := build(t, fresh()), build(t, fresh())
	seller.others, home.others = []*house{home}, []*house{seller}
	ctx, ada := t.Context(), seller.User(t, "ada", actor.Artist)
	moe := seller.User(t, "moe", actor.Artist)
	lin, eve, pat := home.listener(t, "lin"), home.listener(t, "eve"), home.listener(t, "pat")
	seller.open(t)
	home.open(t)

	keys := map[string]seal.ContentKey{}
	var ids []media.TrackID
	var uris []string
	for _, id := range []string{"t1", "t2", "t3", "t4"} {
		track, key := seller.publish(t, ada.URI, id)
		keys[track.URI], ids, uris = key, append(ids, track.ID), append(uris, track.URI)
	}
	edit := media.ReleaseEdit{Kind: media.Album, Title: "Boiler Songs", ReleasedOn: "2026-11-20", Tracks: []media.TrackID{ids[1], ids[0], ids[2]}}
	product := func(r media.Release) string { return seller.room.ProductURI(string(r.ID)) }
	edit.Price = func(tx *gorm.DB, r media.Release) error {
		return errors.Join(
			seller.room.SetProductPrice(tx, product(r), access.Price{Units: "5000001", Asset: asset, Decimals: 6}),
			payments.SetSplits(ctx, tx, product(r), payments.Splits{
				{Payee: ada.URI, Name: "Ada", BasisPoints: 6666}, {Payee: moe.URI, Name: "Moe", Role: "drums", BasisPoints: 3334},
			}))
	}
	release, err := seller.tracks.SaveRelease(ctx, ada.URI, "", edit)
	must(t, err)
	release, err = seller.tracks.PublishRelease(ctx, ada.URI, release.ID)
	must(t, err)

	// The other instance reads what it is, what it costs and who gets that.
	var album vocab.Release
	fedtest.Until(t, "the release can be read", func() bool {
		album, err = home.Inbox.Release(ctx, release.URI, false)
		return err == nil && len(album.Proposals) == 1
	}, seller.Instance)
	if !slices.Equal(album.Tracks, []string{uris[1], uris[0], uris[2]}) || album.Name != "Boiler Songs" || album.Type != "album" || album.Released != "2026-11-20" {
		t.Errorf("the release reads as %+v", album)
	}
	offer, err := home.Inbox.Proposal(ctx, album.Proposals[0].ID)
	must(t, err)
	if offer.Amount != "5000001" || offer.Suggested != "" || len(offer.Shares) != 2 || offer.Shares[1] != (vocab.Share{Payee: moe.URI, Name: "Moe", Role: "drums", BasisPoints: 3334}) {
		t.Errorf("the proposal is %+v", offer)
	}
	if uri := album.Proposals[0].Product; uri != product(release) || offer.Product != uri {
		t.Errorf("it sells %s", uri)
	}
	fedtest.Until(t, "a track says what it is on", func() bool {
		document, err := home.Fetch.Get(ctx, uris[0])
		if err != nil {
			return false // its document is made by a job
		}
		track, err := vocab.ReadTrack(document.Raw)
		must(t, err)
		return track.Album == (vocab.Album{ID: release.URI, Name: "Boiler Songs"}) && track.Position == 2 && len(track.Capsules) == 2
	}, seller.Instance)

	buy := purchase.Request{Artist: ada.URI, Product: product(release), Track: release.URI, Title: "Boiler Songs", Amount: amount.New(5_000_001, asset)}
	// One of its tracks was bought before, and stays.
	single := purchase.Request{Artist: ada.URI, Product: seller.room.ProductURI("t1"), Track: uris[0], Title: "Track t1", Amount: amount.New(1_000_000, asset)}
	p := lin.asks(t, single, purchase.Invoiced)
	seller.pays(t, p)
	lin.awaits(t, p, purchase.Granted)
	cheap := buy
	cheap.Amount = amount.New(5_000_000, asset)
	if p := lin.asks(t, cheap, purchase.Refused); !strings.Contains(p.Words, "5.000001") {
		t.Errorf("less than the price: %q", p.Words)
	}
	more := buy
	more.Amount = amount.New(9_000_000, asset)
	p = eve.asks(t, more, purchase.Invoiced)
	if i, _ := p.Invoiced(); i.Units.String() != "5000001" {
		t.Errorf("who offers more than a fixed price is asked for %s", i.Units)
	}
	p = lin.asks(t, buy, purchase.Invoiced)
	seller.pays(t, p)
	lin.awaits(t, p, purchase.Granted)
	if got := lin.opens(t, product(release), keys); !slices.Equal(got, []string{uris[1], uris[0], uris[2]}) {
		t.Errorf("the release opens %v", got)
	}
	if got := lin.opens(t, single.Product, keys); !slices.Equal(got, uris[:1]) {
		t.Errorf("the single opens %v", got)
	}
	// 5,000,001 x 6666 / 10,000 = 3,333,000.6666: the larger remainder gets the unit that is left.
	if a, m := seller.owed(t, ada.URI), seller.owed(t, moe.URI); a != "4333001" || m != "1667000" {
		t.Errorf("owed are %s and %s", a, m)
	}

	// A track is added: who has the release gets it.
	edit.Tracks = append(edit.Tracks, ids[3])
	edit.Price = nil
	_, err = seller.tracks.SaveRelease(ctx, ada.URI, release.ID, edit)
	must(t, err)
	fedtest.Until(t, "the buyer has the track that was added", func() bool {
		return home.Count(t, "grant_items", "track = ?", uris[3]) == 1
	}, seller.Instance, home.Instance)
	if got := lin.opens(t, product(release), keys); len(got) != 4 || got[3] != uris[3] {
		t.Errorf("the grown release opens %v", got)
	}

	// Buyers name the price from nothing upward.
	must(t, seller.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return errors.Join(
			seller.room.SetProductPrice(tx, seller.room.ProductURI("t2"), access.Price{Units: "0", Asset: asset, Decimals: 6, Flexible: true, Suggested: "3000000"}),
			seller.room.SetProductPrice(tx, seller.room.ProductURI("t3"), access.Price{Units: "2000000", Asset: asset, Decimals: 6, Flexible: true, Suggested: "3000000"}))
	}))
	free := purchase.Request{Artist: ada.URI, Product: seller.room.ProductURI("t2"), Track: uris[1], Title: "Track t2", Amount: amount.New(0, asset)}
	eve.asks(t, free, purchase.Granted)
	free.Amount = amount.New(2_500_000, asset)
	p = pat.asks(t, free, purchase.Invoiced)
	if i, _ := p.Invoiced(); i.Units.String() != "2500000" {
		t.Errorf("the invoice is for %s", i.Units)
	}
	seller.pays(t, p)
	pat.awaits(t, p, purchase.Granted)
	least := purchase.Request{Artist: ada.URI, Product: seller.room.ProductURI("t3"), Track: uris[2], Title: "Track t3", Amount: amount.New(1_999_999, asset)}
	if p := eve.asks(t, least, purchase.Refused); !strings.Contains(p.Words, "least that is taken is 2") {
		t.Errorf("below the least: %q", p.Words)
	}
	least.Amount = amount.New(2_000_000, asset)
	p = eve.asks(t, least, purchase.Invoiced)
	seller.pays(t, p)
	eve.awaits(t, p, purchase.Granted)
	if offer, err = home.Inbox.Proposal(ctx, least.Product+"/proposal"); err != nil || offer.Suggested != "3000000" || offer.Amount != "2000000" {
		t.Errorf("the proposal is %+v, %v", offer, err)
	}

	// A gift is paid by one and redeemed by another.
	before := seller.owed(t, ada.URI)
	gift := buy
	gift.Gift = true
	p = lin.asks(t, gift, purchase.Invoiced)
	if p := pat.asks(t, purchase.Request{Artist: ada.URI, Product: product(release), Track: release.URI, Title: "Gift", Amount: amount.New(0, asset), Code: home.purchases.GiftCode(p)}, purchase.Refused); !strings.Contains(p.Words, "not known") {
		t.Errorf("a gift that is not paid: %q", p.Words)
	}
	seller.pays(t, p)
	p = lin.awaits(t, p, purchase.Granted)
	if p.GrantURI != "" || p.Receipt == "" {
		t.Errorf("the buyer of a gift has grant %q and receipt %q", p.GrantURI, p.Receipt)
	}
	if seller.owed(t, ada.URI) == before {
		t.Error("a gift is owed to nobody")
	}
	redeem := purchase.Request{Artist: ada.URI, Product: product(release), Track: release.URI, Title: "Gift", Amount: amount.New(0, asset), Code: strings.ToLower(home.purchases.GiftCode(p))}
	got := pat.asks(t, redeem, purchase.Granted)
	if opened := pat.opens(t, product(release), keys); len(opened) != 4 {
		t.Errorf("the gift opens %v", opened)
	}
	var ground string
	must(t, seller.DB.Read.Table("orders").Where("offer = ?", got.Offer).Select("ground").Row().Scan(&ground))
	if ground != "gift" || got.Code != "" {
		t.Errorf("the ground of a gift is %q, and the buyer keeps the code %q", ground, got.Code)
	}
	payments0 := seller.Count(t, "ledger_entries", "1 = 1")

	// Codes: used once, also by two at once; revoked and expired ones are refused.
	batch, codes, err := seller.orders.MakeCodes(ctx, ada.URI, seller.room.ProductURI("t4"), "Flyers", 3, nil)
	must(t, err)
	redeem = purchase.Request{Artist: ada.URI, Product: seller.room.ProductURI("t4"), Track: uris[3], Title: "Flyer", Code: codes[0]}
	race := map[*listener]purchase.Purchase{}
	for _, l := range []*listener{lin, eve} {
		r := redeem
		r.Buyer, r.ReceivingKey, r.RequestingKey = l.URI, l.ReceivingKey, l.RequestingKey
		race[l], err = home.purchases.Begin(ctx, r)
		must(t, err)
	}
	fedtest.Until(t, "one of two has redeemed the code", func() bool {
		return home.Count(t, "purchases", "track = ? AND state = 'granted'", uris[3]) == 1 && home.Count(t, "purchases", "track = ? AND state = 'refused'", uris[3]) == 1
	}, seller.Instance, home.Instance)
	if n := seller.Count(t, "grants", "product = ?", redeem.Product); n != 1 {
		t.Errorf("%d grants for one code", n)
	}
	loser := lin
	for l, p := range race {
		if p, err = home.purchases.ByID(ctx, p.ID); err != nil || p.State == purchase.Refused {
			loser = l
			if !strings.Contains(p.Words, "redeemed already") {
				t.Errorf("the second is told %q, %v", p.Words, err)
			}
		}
	}
	redeem.Code = codes[1]
	must(t, seller.orders.RevokeCode(ctx, ada.URI, codes[1]))
	if p := loser.asks(t, redeem, purchase.Refused); !strings.Contains(p.Words, "taken this code back") {
		t.Errorf("a revoked code: %q", p.Words)
	}
	wrong := redeem
	wrong.Code, wrong.Product, wrong.Track = codes[2], seller.room.ProductURI("t3"), uris[2]
	if p := pat.asks(t, wrong, purchase.Refused); !strings.Contains(p.Words, "something else") {
		t.Errorf("a code for something else: %q", p.Words)
	}
	// What was refused has not used it up; an offer that comes again is the same order.
	redeem.Code = codes[2]
	p = loser.asks(t, redeem, purchase.Granted)
	again, err := seller.orders.Place(ctx, payments.Request{
		Offer: p.Offer, Buyer: loser.URI, Artist: ada.URI, Product: redeem.Product, Amount: amount.New(0, asset),
		ReceivingKey: loser.ReceivingKey, RequestingKey: loser.RequestingKey, Code: codes[2],
	})
	if err != nil || again.Order.URI != p.Agreement {
		t.Errorf("the same offer again: %+v, %v", again, err)
	}
	if all, err := seller.orders.CodeBatches(ctx, ada.URI, 10); err != nil || len(all) != 1 || all[0].ID != batch.ID || all[0].Used != 2 {
		t.Errorf("the artist's codes are %+v, %v", all, err)
	}
	soon := seller.Clock.Now().Add(time.Hour)
	_, codes, err = seller.orders.MakeCodes(ctx, ada.URI, seller.room.ProductURI("t4"), "", 1, &soon)
	must(t, err)
	if _, err := seller.orders.CodeFor(ctx, "somebody", codes[0]); err != nil {
		t.Errorf("a code that is good: %v", err)
	}
	seller.Clock.Advance(2 * time.Hour)
	var refused *payments.Refusal
	if _, err := seller.orders.CodeFor(ctx, "somebody", codes[0]); !errors.As(err, &refused) || refused.Code != "code-expired" {
		t.Errorf("an expired code: %v", err)
	}
	for range 10 {
		_, err = seller.orders.CodeFor(ctx, "guesser", "AAAA-AAAA-AAAA-AAAA-AAAA")
	}
	if !errors.As(err, &refused) || refused.Code != "code" {
		t.Errorf("the tenth guess: %v", err)
	}
	if _, err := seller.orders.CodeFor(ctx, "guesser", codes[0]); !errors.As(err, &refused) || refused.Code != "busy" {
		t.Errorf("the eleventh guess: %v", err)
	}
	if n := seller.Count(t, "ledger_entries", "1 = 1"); n != payments0 {
		t.Errorf("codes made %d ledger entries", n-payments0)
	}
	if n, err := seller.ledger.VerifyAll(ctx, seller.DB.Read); err != nil || n == 0 {
		t.Errorf("the ledger: %d, %v", n, err)
	}
}
