package api_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/api/web"
	"antiphon/internal/jobs"
	"antiphon/media/access"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
	"antiphon/vocab"
)

// tierShop keeps tiers as media/access does, without keys; and plays the other server.
type tierShop struct {
	base  string
	tiers []access.Tier
	there []vocab.Proposal
}

func (s *tierShop) Tier(_ context.Context, product string) (access.Tier, error) {
	for _, t := range s.tiers {
		if t.URI == product {
			return t, nil
		}
	}
	return access.Tier{}, access.ErrUnknownProduct
}

func (s *tierShop) TiersOf(_ context.Context, artist string) ([]access.Tier, error) {
	var own []access.Tier
	for _, t := range s.tiers {
		if t.Artist == artist {
			own = append(own, t)
		}
	}
	return own, nil
}

func (s *tierShop) MakeTier(_ context.Context, artist string, terms access.TierTerms, period int) (access.Tier, error) {
	id := strings.ToLower(strings.ReplaceAll(terms.Name, " ", ""))
	t := access.Tier{Product: access.Product{ID: id, URI: s.base + "/products/" + id, Artist: artist, Kind: access.KindTier, Version: period}}
	s.tiers = append(s.tiers, t)
	return s.ChangeTier(context.Background(), artist, id, terms, period)
}

func (s *tierShop) ChangeTier(_ context.Context, artist, id string, terms access.TierTerms, _ int) (access.Tier, error) {
	for n := range s.tiers {
		t := &s.tiers[n]
		if t.ID == id && t.Artist == artist {
			t.Name, t.Words, t.Whole, t.Tracks, t.Open = terms.Name, terms.Words, terms.Whole, terms.Tracks, terms.Open
			t.Units, t.Asset, t.Decimals = terms.Price.Units, terms.Price.Asset, terms.Price.Decimals
			return *t, nil
		}
	}
	return access.Tier{}, access.ErrUnknownProduct
}

func (s *tierShop) Items(context.Context, string, int) ([]string, error) {
	return []string{"a", "b"}, nil
}

func (s *tierShop) Proposal(_ context.Context, product string) (vocab.Proposal, error) {
	for _, x := range s.there {
		if x.Product == product {
			return x, nil
		}
	}
	return vocab.Proposal{}, errors.New("connection refused")
}

func (s *tierShop) Tiers(context.Context, string) ([]vocab.Proposal, error) { return s.there, nil }

// subscribing joins the rooms of subscriptions; what they would tell others nobody hears.
func (i *instance) subscribing(buying *purchase.Service, queue *jobs.Queue, log *slog.Logger) {
	i.tiers = &tierShop{base: i.base}
	i.subscriptions = subscription.New(i.base, subscription.Parts{
		DB: i.db, Jobs: queue, Purchases: buying, Log: log, Now: i.clock.Now,
		Keys: func(ctx context.Context, listener string) (receiving, requesting string, err error) {
			err = i.db.Read.WithContext(ctx).Table("actors").Where("uri = ?", listener).Select("receiving_key, requesting_key").Row().Scan(&receiving, &requesting)
			return receiving, requesting, err
		},
	})
	unheard[subscription.Wished](queue)
	unheard[subscription.Canceled](queue)
	unheard[subscription.Warned](queue)
}

func unheard[T jobs.Args](queue *jobs.Queue) {
	jobs.Handle(queue, jobs.Handler[T]{Work: func(context.Context, T, int) error { return nil }})
}

func TestTiersInTheStudio(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada, lin := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", func(m map[string]any) { m["role"] = "listener" })
	track := i.published(t, ada.actor, "Brass Rain", nil)
	lin.get("/studio/tiers").want(http.StatusForbidden)
	lin.post("/studio/tiers", url.Values{"name": {"x"}}).want(http.StatusForbidden)
	ada.get("/studio").want(http.StatusOK, `href="/studio/tiers"`)
	ada.get("/studio/tiers").want(http.StatusOK, "You sell no subscriptions yet")
	ada.get("/studio/tiers/new").want(http.StatusOK, "Brass Rain", "devUSD")
	for wrong, form := range map[string]url.Values{
		"Please give it a name.":             {"name": {" "}, "price": {"5"}, "whole": {"1"}},
		"Write a number such as 3 or 3.50":   {"name": {"Engine Room"}, "price": {"five"}, "whole": {"1"}},
		"Please choose one of these.":        {"name": {"Engine Room"}, "price": {"5"}, "asset": {"gold"}, "whole": {"1"}},
		"Choose 1 to 500 tracks.":            {"name": {"Engine Room"}, "price": {"5"}},
		"One of the tracks is not out":       {"name": {"Engine Room"}, "price": {"5"}, "track": {i.base + "/tracks/none"}},
		"2000 letters at most.":              {"name": {"Engine Room"}, "price": {"5"}, "whole": {"1"}, "words": {strings.Repeat("x", 2001)}},
		"100 letters at most.":               {"name": {strings.Repeat("x", 101)}, "price": {"5"}, "whole": {"1"}},
		"with at most 6 digits behind the p": {"name": {"Engine Room"}, "price": {"0.0000001"}, "whole": {"1"}},
	} {
		ada.post("/studio/tiers", form).want(http.StatusUnprocessableEntity, wrong)
	}
	if len(i.tiers.tiers) > 0 {
		t.Fatalf("made: %+v", i.tiers.tiers)
	}
	ada.post("/studio/tiers", url.Values{"name": {"Engine Room"}, "words": {"All <b>I</b> make."}, "price": {"5"}, "track": {track.URI, track.URI}, "open": {"1"}}).to("/studio/tiers?done=saved")
	tier := i.tiers.tiers[0]
	if tier.Units != "5000000" || len(tier.Tracks) != 1 || tier.Version != 202611 {
		t.Errorf("made: %+v", tier)
	}
	ada.get("/studio/tiers").want(http.StatusOK, "Engine Room", "5.00", "All &lt;b&gt;I&lt;/b&gt; make.", "0 subscribers")
	ada.get("/studio/tiers/"+tier.ID).want(http.StatusOK, `value="Engine Room"`, `value="5"`, "checked")
	eve := i.signedUp(t, "eve", nil)
	eve.get("/studio/tiers/" + tier.ID).want(http.StatusNotFound)
	eve.post("/studio/tiers/"+tier.ID, url.Values{"name": {"Mine"}, "price": {"0"}, "whole": {"1"}}).want(http.StatusNotFound)
	ada.post("/studio/tiers/"+tier.ID, url.Values{"name": {"Engine Room"}, "price": {"7"}, "whole": {"1"}}).to("/studio/tiers?done=saved")
	ada.get("/studio/tiers").want(http.StatusOK, "7.00", "takes no subscribers")
	if strings.Contains(i.browser(t).get("/@ada").want(http.StatusOK).body, "Engine Room") {
		t.Error("a tier that is closed is shown")
	}
	ada.get("/studio/tiers/none").want(http.StatusNotFound)
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{config: func(c *web.Config) { c.CanStand = true }}, func(t *testing.T, i *instance) {
		lin, ada, eve := i.signedUp(t, "lin", nil), i.signedUp(t, "ada", nil), i.signedUp(t, "eve", nil)
		ada.post("/studio/tiers", url.Values{"name": {"Engine Room"}, "price": {"5"}, "whole": {"1"}, "open": {"1"}}).to("/studio/tiers?done=saved")
		check(t, i.db.Write.Exec("UPDATE accounts SET role = 'admin' WHERE name = 'lin'").Error)
		tier := i.tiers.tiers[0]
		path := "/subscribe?tier=" + url.QueryEscape(tier.URI)
		i.browser(t).get("/@ada").want(http.StatusOK, "Engine Room", "5.00")
		i.browser(t).get(path).to("/login?next=" + url.QueryEscape(path))
		// Eleven of November's thirty days are left.
		lin.get(path).want(http.StatusOK, "Engine Room", "1.833334", "development tokens", "Show my name")
		lin.get("/subscribe?tier=" + url.QueryEscape(i.base+"/products/none")).want(http.StatusNotFound)
		lin.get("/subscribe?tier=x").want(http.StatusNotFound)
		ada.post(path, url.Values{"seen": {"5000000"}}).want(http.StatusUnprocessableEntity, "your own")
		lin.post(path, url.Values{"seen": {"4000000"}}).want(http.StatusConflict, "changed the price")
		lin.get("/subscriptions").want(http.StatusOK, "You subscribe to nobody yet")

		order := lin.post(path, url.Values{"seen": {"5000000"}, "shown": {"1"}}).want(http.StatusSeeOther).Header.Get("Location")
		lin.get(order).want(http.StatusOK, "Engine Room, November 2026", `data-state="asking"`)
		if again := lin.post(path, url.Values{"seen": {"5000000"}, "shown": {"1"}}).Header.Get("Location"); again != order {
			t.Errorf("joined twice: %s and %s", order, again)
		}
		lin.get("/subscriptions").want(http.StatusOK, "not paid yet", order)
		bought := must(i.world.ByID(t.Context(), strings.TrimPrefix(order, "/purchases/")))
		check(t, i.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			return i.world.Accepted(tx, ada.actor, bought.Offer, purchase.Terms{
				Agreement: i.base + "/agreements/1", Product: bought.Product, ReceivingKey: bought.ReceivingKey, RequestingKey: bought.RequestingKey, Amount: bought.Amount(),
				Invoice: &purchase.Invoice{
					Provider: "raiden", Asset: bought.Asset, Units: bought.Units, Decimals: 6, Target: "0x5FbDB2315678afecb367f032d93F642f64180aa3", Identifier: "7",
					Expires: i.clock.Now().Add(time.Hour),
				},
			})
		}))
		check(t, i.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			return i.subscriptions.Stands(ctx, tx, ada.actor, lin.actor, i.base+"/agreements/1", subscription.Period(202611).End())
		}))
		held := must(i.subscriptions.HeldOf(t.Context(), lin.actor, tier.URI))
		lin.get("/subscriptions").want(http.StatusOK, "running", "Paid until", "Standing order")
		lin.get("/@ada").want(http.StatusOK, "running")

		// A standing order is the admin's, whose the node is; the page says what is wrong with it.
		own := "/subscriptions/" + held.ID
		for wrong, form := range map[string]url.Values{
			"less than the price": {"most": {"4"}, "until": {"2027-12-31"}}, "is over": {"most": {"5"}, "until": {"2020-01-01"}}, "five years": {"most": {"5"}, "until": {"2099-01-01"}},
			"as a number": {"most": {"x"}, "until": {"2027-12-31"}}, "Write the day": {"most": {"5"}, "until": {"tomorrow"}},
		} {
			lin.post(own+"/standing", form).want(http.StatusUnprocessableEntity, wrong)
		}
		lin.post(own+"/standing", url.Values{"most": {"6"}, "until": {"2027-12-31"}}).to("/subscriptions?done=standing")
		lin.get("/subscriptions").want(http.StatusOK, "pays up to", "6.00")
		eve.post(own+"/standing", url.Values{"most": {"6"}, "until": {"2027-12-31"}}).want(http.StatusForbidden)
		for _, act := range []string{"/cancel", "/resume", "/standing/end"} {
			if status := eve.post(own+act, nil).StatusCode; status != http.StatusNotFound && status != http.StatusForbidden {
				t.Errorf("somebody else: %s answers %d", act, status)
			}
		}
		lin.post(own+"/standing/end", nil).to("/subscriptions?done=unstanding")
		if text := lin.get("/subscriptions").body; strings.Contains(text, "pays up to") {
			t.Error("the order still stands")
		}
		lin.post(own+"/cancel", nil).to("/subscriptions?done=canceled")
		lin.get("/subscriptions").want(http.StatusOK, "canceled", "Go on after all")
		lin.post(own+"/resume", nil).to("/subscriptions?done=saved")
		lin.post(own+"/resume", nil).want(http.StatusNotFound)

		// What is heard by a subscription is not owned: it can be bought for good.
		track, ends := i.published(t, ada.actor, "Brass Rain", nil), i.clock.Now().AddDate(0, 0, 14)
		i.world.owned[lin.actor] = []access.Owned{{Track: track.URI, Artist: ada.actor, Grant: i.base + "/grants/1", Ends: &ends}}
		lin.get("/@ada/brass-rain").want(http.StatusOK, "In your subscription.", "Buy it for good")
		lin.get("/buy?track="+url.QueryEscape(track.URI)).want(http.StatusOK, "Brass Rain", "5.00")
		i.world.owned[lin.actor] = append(i.world.owned[lin.actor], access.Owned{Track: track.URI, Artist: ada.actor, Grant: i.base + "/grants/2"})
		if body := lin.get("/@ada/brass-rain").want(http.StatusOK, "It is in your library.").body; strings.Contains(body, "In your subscription.") {
			t.Error("what was bought is shown as lent")
		}

		// A tier of another server is shown as that server tells it.
		i.tiers.there = []vocab.Proposal{
			{ID: "https://b.example/products/1/proposal", Product: "https://b.example/products/1", AttributedTo: "https://b.example/users/bo", Name: "Cellar", Monthly: true, Price: vocab.Price{Amount: "3000000", Asset: string(devAsset), Decimals: 6}},
			{ID: "https://b.example/products/2/proposal", Product: "https://b.example/products/2", AttributedTo: "https://b.example/users/bo", Name: "For good", Price: vocab.Price{Amount: "3000000", Asset: string(devAsset), Decimals: 6}},
		}
		check(t, i.db.Write.Exec("INSERT INTO actors (uri, local, name, host, kind, display, created_at, state) VALUES (?, ?, 'bo', 'b.example', 'Person', 'Bo', ?, '')",
			"https://b.example/users/bo", false, i.clock.Now()).Error)
		lin.get("/tiers?artist="+url.QueryEscape("https://b.example/users/bo")).want(http.StatusOK, "Cellar", "3.00")
		lin.get("/subscribe?tier="+url.QueryEscape("https://b.example/products/1")).want(http.StatusOK, "Cellar", "b.example")
		lin.get("/subscribe?tier=" + url.QueryEscape("https://b.example/products/2")).want(http.StatusNotFound)
		lin.get("/subscribe?tier="+url.QueryEscape("https://b.example/products/9")).want(http.StatusBadGateway, "does not answer")
	})
}
