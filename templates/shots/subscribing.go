package main

import (
	"time"

	. "antiphon/templates"
)

// subscribing are the pages of what is sold by the month.
func subscribing() map[string]View {
	user := lin()
	usd := func(units string) Money { return Money{Units: units, Decimals: 6, Symbol: "USDC"} }
	tier := Tier{
		Name: "Engine Room", Words: []string{"Everything I record, also what is never going to be an album.", "Once a year a letter."}, Price: usd("5000000"),
		Tracks: 38, Whole: true, URL: "/subscribe?tier=x",
	}
	long := Tier{
		Name: "Freunde und Förderer der vergessenen Straßenbahnhaltestellen, mit allen Proben", Price: usd("12500000"), Tracks: 4, URL: "/subscribe?tier=y", State: "grace",
	}
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	artist := Artist{
		Layout: layout("/@ada", user), Name: "Ada Brandt", Handle: "@ada@kirchplatz.example", Total: 4, Followers: 121, Actor: site + "/users/ada",
		Tracks: tracks()[:4], Tiers: []Tier{tier, long},
	}
	join := Subscribe{
		Layout: layout("/subscribe", user), Tier: tier, Artist: "Ada Brandt", ArtistURL: "/@ada", Action: "/subscribe?tier=x", Seen: "5000000", Seller: "music.example",
		Provider: "Raiden", First: usd("1833334"), Partly: true, Month: december.AddDate(0, -1, 0), Ends: december, Closes: december.AddDate(0, 0, 3),
		ReceivingKey: keys[0], RequestingKey: keys[1],
	}
	changed := join
	changed.Error, changed.Partly, changed.State = "The seller has changed the price. Please look at it again.", false, "grace"
	since := now.AddDate(0, -3, 0)
	row := func(state string) Subscription {
		return Subscription{
			ID: state, Name: tier.Name, Artist: "Ada Brandt", ArtistURL: "/@ada", State: state, Price: usd("5000000"), Ends: december, Closes: december.AddDate(0, 0, 3),
			Since: since, Most: "5.00", Until: "2027-12-31", CanCancel: state == "active" || state == "grace" || state == "asked", CanResume: state == "ending",
		}
	}
	standing := row("active")
	standing.Standing = &Standing{Most: usd("6000000"), Until: december.AddDate(1, 0, 0), Covers: true}
	late := row("grace")
	late.Name, late.TierURL, late.Words = long.Name, "/subscribe?tier=y", "The price is 6."
	late.Standing = &Standing{Most: usd("5000000"), Until: december.AddDate(1, 0, 0)}
	asked := row("asked")
	asked.PurchaseURL, asked.Ends = "/purchases/1", time.Time{}
	lapsed := row("lapsed")
	lapsed.TierURL = "/subscribe?tier=x"
	form := TierForm{
		Layout: layout("/studio", user), Name: tier.Name, Words: "Everything I record.", Price: "5", Assets: []Choice{{Value: "usdc", Label: "USDC on Arbitrum", Selected: true}},
		Open: true, Whole: true,
	}
	for _, t := range tracks() {
		form.Tracks = append(form.Tracks, Choice{Value: t.URI, Label: t.Title, Selected: len(form.Tracks)%2 == 0})
	}
	wrong := form
	wrong.ID, wrong.Whole, wrong.Errors = "x", false, map[string]string{"name": "Please give it a name.", "price": "Write a number such as 3 or 3.50, with at most 6 digits behind the point.", "tracks": "A tier holds at least one published track."}
	return map[string]View{
		"artist-tiers": &artist, "subscribe": &join, "subscribe-changed": &changed, "tierform": &form, "tierform-wrong": &wrong,
		"tiers": &Tiers{Layout: layout("/tiers", user), Artist: "Ada Brandt", ArtistURL: "/artist?uri=x", Tiers: []Tier{tier, long}},
		"subscriptions": &Subscriptions{
			Layout: layout("/subscriptions", user), CanStand: true, Rows: []Subscription{standing, late, asked, row("ending"), lapsed, row("ended")},
			ErrorID: "grace", Error: "The day on which the order ends is over.",
		},
		"subscriptions-empty": &Subscriptions{Layout: layout("/subscriptions", user)},
		"studiotiers": &StudioTiers{
			Layout: layout("/studio", user), Rows: []StudioTier{{Tier: tier, EditURL: "/studio/tiers/x", Open: true, Subscribers: 12}, {Tier: long, EditURL: "/studio/tiers/y"}},
			Subscribers: []Subscriber{
				{Name: "@lin@b.example", URL: "/artist?uri=x", Tier: tier.Name, State: "active", Since: since, Ends: december, Shown: true},
				{Name: "@orchester_der_vergessenen@a-very-long-instance-name.music.example", Tier: long.Name, State: "grace", Since: since, Ends: december},
				{Name: "@eve@b.example", Tier: tier.Name, State: "asked", Since: now},
			},
		},
		"studiotiers-empty": &StudioTiers{Layout: layout("/studio", user)},
	}
}
