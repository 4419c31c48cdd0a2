package main

import (
	"fmt"
	"html/template"
	"maps"
	"strings"
	"time"

	. "antiphon/templates"
)

const story = `<p>Recorded in one night in the empty church, with the door open to the square. You can hear the last tram.</p><p>Ada: voice, harmonium. Josef: double bass. Lin held the lamp.</p>`

// pages are all pages in all states that have a face of their own.
func pages() map[string]View {
	all := tracks()
	user := lin()
	out := subscribing()
	maps.Copy(out, listening())
	maps.Copy(out, months())

	stranger := append([]Track(nil), all...)
	stranger[1].Owned = false
	out["landing"] = &Landing{Layout: layout("/", nil), Newest: stranger, Artists: 5, Tracks: 38, About: "A small server run by the choir of Kirchplatz for its friends."}
	out["landing-empty"] = &Landing{Layout: layout("/", nil)}

	posts := []Post{
		{Author: "Ada Brandt", Handle: "@ada@kirchplatz.example", AuthorURL: "/@ada", When: now.Add(-2 * time.Hour), Text: "<p>New today, and a little rough. Thank you for waiting.</p>", Track: &all[0]},
		{Author: "نور الهاشمي", Handle: "@nour@music.example", AuthorURL: "/@nour", When: now.Add(-26 * time.Hour), Text: "<p>أغنية كتبتها في ليلة ممطرة.</p>", Track: &all[4]},
		{Author: "Orchester der vergessenen Straßenbahnhaltestellen", Handle: "@orchester_der_vergessenen@a-very-long-instance-name.music.example", AuthorURL: "/@o", When: now.Add(-50 * time.Hour), Text: "<p>Rehearsal is on Thursday. Bring chairs.</p>"},
		{Author: "Ada Brandt", Handle: "@ada@kirchplatz.example", AuthorURL: "/@ada", When: now.Add(-80 * time.Hour), Track: &all[1]},
		{Author: "Orchester der vergessenen Straßenbahnhaltestellen", Handle: "@orchester@b.example", AuthorURL: "/@o", When: now.Add(-90 * time.Hour), Track: &all[3]},
		{Author: "Ada Brandt", Handle: "@ada@kirchplatz.example", AuthorURL: "/@ada", When: now.Add(-99 * time.Hour), Text: "<p>Demo from the attic.</p>", Track: &all[2]},
	}
	out["timeline"] = &Timeline{Layout: layout("/", user), Posts: posts, Following: 4, Older: "/?after=x"}
	out["timeline-empty"] = &Timeline{Layout: layout("/", user), Address: "ada@@kirchplatz", AddressError: "This is neither an address nor a link. An address looks like @ada@kirchplatz.example."}

	out["told"] = &Notices{Layout: layout("/notices", user), Older: "/notices?after=x", Told: []Told{
		{Kind: "reply", Actor: "Ada Brandt", ActorURL: "/@ada", Handle: "@ada@kirchplatz.example", When: now, Text: "<p>It was the last one of that night.</p>", URL: "/@ada/dusk", Title: all[0].Title, New: true},
		{Kind: "like", Actor: "Nour", ActorURL: "/artist?uri=x", Handle: "@nour@music.example", When: now, URL: "/@ada/dusk", Title: all[0].Title},
	}}
	out["told-empty"] = &Notices{Layout: layout("/notices", user)}
	out["release"] = &Album{
		Layout: layout("/albums/2", user), URI: "https://kirchplatz.example/albums/2", Name: "Kirchplatz", Artist: "Ada Brandt", ArtistURL: "/@ada", Cover: all[0].Cover, Accent: all[0].Accent,
		Kind: "album", Released: "2026-11-20", About: story, Tracks: stranger[:4], Length: 17 * time.Minute, Price: Money{Units: "5000000", Decimals: 6, Symbol: "EUR"}, AtLeast: true, BuyURL: "/buy?release=x",
	}
	mine := append([]Track(nil), all[:4]...)
	for i := range mine {
		mine[i].Owned = true
	}
	out["release-yours"] = &Album{
		Layout: layout("/albums/2", user), URI: "https://kirchplatz.example/albums/2", Name: "Kirchplatz", Artist: "Ada Brandt", ArtistURL: "/@ada", Cover: all[0].Cover, Accent: all[0].Accent,
		Kind: "ep", Tracks: mine, Length: 17 * time.Minute, Owned: true,
	}
	choices := []ReleaseChoice{{ID: "a", Title: all[0].Title, Place: 1, Length: all[0].Duration}, {ID: "b", Title: all[3].Title, Place: 2, Length: all[3].Duration}, {ID: "c", Title: all[4].Title, Length: all[4].Duration, Unlisted: true}}
	kinds := []Choice{{Value: "album", Label: "Album", Selected: true}, {Value: "ep", Label: "EP"}}
	prices := Pricing{Price: "5", Assets: []Choice{{Value: "x", Label: "devUSD", Selected: true}}, Flexible: true, Suggested: "8", Shares: "@josef@kirchplatz.example 25 double bass\n@lin@b.example 5 lamp"}
	out["releaseform"] = &ReleaseForm{
		Layout: layout("/releases/x", user), Pricing: prices, ID: "x", State: "draft", Title: "Kirchplatz", About: "Recorded in one night.", ReleasedOn: "2026-11-20",
		Kinds: kinds, Sample: all[0], Choices: choices,
	}
	out["releaseform-wrong"] = &ReleaseForm{
		Layout: layout("/releases/new", user), Pricing: prices, State: "draft", Kinds: kinds, Choices: choices,
		Errors: map[string]string{"title": "A release needs a title.", "tracks": "Number at least one track.", "shares": "\"@joseff\" was not found. Check the spelling.", "suggested": "This is less than the price above."},
	}
	out["releaseform-empty"] = &ReleaseForm{Layout: layout("/releases/new", user), State: "draft"}
	out["codes"] = &Codes{
		Layout: layout("/codes", user), Products: []Choice{{Value: "x", Label: "Kirchplatz (release)", Selected: true}}, Number: "10",
		Batches: []CodeBatch{
			{ID: "a", Product: "Kirchplatz", Label: "Cards for the concert", Codes: 200, Used: 31, Made: now, Expires: now.Add(999 * time.Hour)},
			{ID: "b", Product: all[0].Title, Codes: 10, Used: 10, Made: now, Revoked: now},
		},
		Errors: map[string]string{"code": "This is none of your codes, or it was redeemed already."},
	}
	out["redeem"] = &Redeem{Layout: layout("/redeem", nil), Code: "ABCD-EFGH-IJKL-MNOP-QRST", Track: &all[0], Link: "https://kirchplatz.example/redeem?by=ada&code=ABCD-EFGH-IJKL-MNOP-QRST&of=x", GuestURL: "/guest?track=x"}
	out["redeem-wrong"] = &Redeem{Layout: layout("/redeem", user), Code: "ABCD", Error: "This is not a code: it has five groups of four letters and digits."}
	out["buy-named"] = &Buy{
		Layout: layout("/buy", user), Track: stranger[1], Action: "/buy?release=x", Tracks: 4, Price: Money{Units: "5000000", Decimals: 6, Symbol: "EUR"}, NameYourPrice: true, Amount: "8",
		Suggested: Money{Units: "8000000", Decimals: 6, Symbol: "EUR"}, CanGift: true, Seller: "kirchplatz.example", Provider: "Raiden", ReceivingKey: keys[0], RequestingKey: keys[1],
		Splits:  []Split{{Name: "Ada Brandt", Role: "artist", BasisPoints: 7000, Amount: Money{Units: "5600000", Decimals: 6, Symbol: "EUR"}}, {Name: "Josef", Role: "double bass", BasisPoints: 3000, Amount: Money{Units: "2400000", Decimals: 6, Symbol: "EUR"}}},
		Keepers: []string{"kirchplatz.example", "b.example"}, Needed: 2, OperatorHolds: true,
	}
	out["order-gift"] = &Order{Layout: layout("/purchases/x", user), ID: "x", State: OrderGift, StateURL: "/purchases/x/state", Track: all[0], Price: Money{Units: "5000000", Decimals: 6, Symbol: "EUR"}, Seller: "kirchplatz.example", GiftCode: "ABCD-EFGH-IJKL-MNOP-QRST", GiftURL: "https://kirchplatz.example/redeem?by=ada&code=ABCD-EFGH-IJKL-MNOP-QRST&of=x", ReceiptURL: "/r", ProofURL: "/p"}
	out["album"] = &Album{Layout: layout("/albums/1", nil), Name: "Kirchplatz", Artist: "Ada Brandt", ArtistURL: "/@ada", Cover: all[0].Cover, Accent: all[0].Accent, Tracks: all[:4], Length: 17 * time.Minute}
	out["embed"] = &Embed{Layout: layout("/embed/1", nil), Track: all[1], URL: "https://kirchplatz.example/@ada/dusk"}

	out["signup"] = &Signup{Layout: layout("/signup", nil), Host: "kirchplatz.example", InviteNeeded: true, Invite: "k3f9-lantern", Rules: []string{"Post only what you made or may share.", "Be kind; there are children in the choir."}}
	out["signup-closed"] = &Signup{Layout: layout("/signup", nil), Closed: true}
	out["login"] = &Login{Layout: layout("/login", nil), Name: "lin"}
	out["recover"] = &Recover{Layout: layout("/recover/x", nil), Token: "x", Name: "lin", Actor: user.Actor, Custody: CustodyOwn, Recovery: "CQkJ", Version: 2}
	out["recover-gone"] = &Recover{Layout: layout("/recover/x", nil), Gone: true}
	out["guest"] = &Guest{Layout: layout("/guest", nil), Track: stranger[1], Host: "kirchplatz.example"}
	out["guest-sent"] = &Guest{Layout: layout("/guest", nil), Track: stranger[1], Host: "kirchplatz.example", Handle: "@lin@b.example", SentTo: "@lin@b.example"}
	out["guest-refused"] = &Guest{Layout: layout("/guest", nil), Track: stranger[1], Host: "kirchplatz.example", Handle: "lin", Error: "Write your address as @name@server."}
	out["guestlink"] = &GuestLink{Layout: layout("/guest", nil), Handle: "@lin@b.example", Title: "Dusk Over Kirchplatz", Host: "kirchplatz.example", Action: "/guest/x"}
	out["guestlink-gone"] = &GuestLink{Layout: layout("/guest", nil), Host: "kirchplatz.example", Action: "/guest/x", Gone: true}
	out["guestlink-refused"] = &GuestLink{Layout: layout("/guest", nil), Host: "kirchplatz.example", Refused: true}
	guest := &User{Name: "lin@b.example", Display: "@lin@b.example", Actor: "https://b.example/users/lin", URL: "/library", Custody: CustodyOwn, Guest: true}
	out["guestkeys"] = &GuestKeys{Layout: layout("/guest/keys", guest), Host: "kirchplatz.example", Next: "/library"}
	out["guestkeys-open"] = &GuestKeys{Layout: layout("/guest/keys", guest), Host: "kirchplatz.example", ReceivingKey: keys[0], Recovery: "CQkJ", Next: "/library"}
	out["signup-guest"] = &Signup{Layout: layout("/signup", guest), Host: "kirchplatz.example", Guest: "@lin@b.example"}
	out["settings"] = &Settings{Layout: layout("/settings", user), ReceivingKey: keys[0], RequestingKey: keys[1], Version: 2, Bio: "I hold the lamp.", HasRecovery: true, Sessions: []Session{
		{ID: "1", Agent: "Firefox on Linux", Since: now.AddDate(0, -2, 0), Last: now, Current: true},
		{ID: "2", Agent: "Safari on iPhone", Since: now.AddDate(0, -1, 0), Last: now.AddDate(0, 0, -2)},
		{ID: "3", Agent: "Symfonium", Since: now.AddDate(0, 0, -9), Last: now.AddDate(0, 0, -1), ForMusicPlayer: true},
	}}

	withProxies := *out["settings"].(*Settings)
	withProxies.Proxies = &Proxies{Threshold: 2, Number: 3, Trusted: []string{"choir.example", "music.example"}, Address: "nowhere", Error: "There is no Antiphon instance at this address, or it does not answer.", Own: []Holder{
		{Actor: "https://b.example/actor", Host: "b.example", Known: true, Well: true, Seen: now}, {Actor: "https://c.example/actor", Host: "c.example", Known: true, Words: "It does not answer.", Seen: now.AddDate(0, 0, -3)},
		{Actor: "https://d.example/actor", Host: "d.example"},
	}}
	out["settings-artist"] = &withProxies

	audiences := []Choice{{Value: "nobody", Selected: true}, {Value: "artist"}, {Value: "followers"}}
	history := &History{Layout: layout("/history", user), Older: "/history?after=x", Recording: true, Audiences: audiences}
	for n, track := range all[:5] {
		history.Plays = append(history.Plays, HeardTrack{ID: "x", Track: track, When: now.Add(-time.Duration(n*n) * time.Hour), Heard: track.Duration - time.Duration(n*40)*time.Second, Counted: n != 3})
	}
	out["history"] = history
	out["history-empty"] = &History{Layout: layout("/history", user), Audiences: audiences, Recording: true}
	out["history-off"] = &History{Layout: layout("/history", user), Audiences: audiences}
	listens := &Listens{Layout: layout("/studio/listens", user), Since: now.AddDate(0, 0, -19), Plays: 1283, Elsewhere: 412, Few: 7, Least: 5, Pager: Pager{Page: 1, Pages: 1}}
	for n, track := range all[:5] {
		listens.Tracks = append(listens.Tracks, TrackListens{ID: "1", Track: track, Plays: 1000 - 300*n, Listeners: 80 - 20*n, Elsewhere: 400 - 100*n, Pooled: n%2 == 0})
	}
	listens.Tracks[4].Plays, listens.Tracks[4].Listeners, listens.Tracks[4].Elsewhere = 0, 0, 0
	out["listens"] = listens
	out["listens-empty"] = &Listens{Layout: layout("/studio/listens", user), Since: now.AddDate(0, 0, -19), Least: 5}

	out["upload"] = &Upload{Layout: layout("/upload", user), MaxBytes: 2 << 30, Formats: []string{"FLAC", "WAV", "AIFF", "ALAC", "MP3", "Ogg"}}
	licenses := []Choice{{Value: "", Label: "All rights reserved", Selected: true}, {Value: "by", Label: "CC BY 4.0"}, {Value: "by-sa", Label: "CC BY-SA 4.0"}}
	assets := []Choice{{Value: "dev", Label: "Development tokens", Selected: true}, {Value: "usdc", Label: "USDC on Arbitrum"}}
	draft := Draft{Layout: layout("/drafts/9", user), ID: "9", File: "07 dusk over kirchplatz (final 3).wav", Licenses: licenses, Pricing: Pricing{Assets: assets}}
	working := draft
	working.State, working.Steps, working.Left = DraftWorking, steps(2), 48*time.Second
	out["draft-working"] = &working
	ready := draft
	ready.State, ready.Steps, ready.Track, ready.Price, ready.PreviewStart = DraftReady, steps(7), all[0], "5.00", 62*time.Second
	ready.Description, ready.Tags = "Recorded in one night in the empty church.", "folk, choir, field recording"
	out["draft-ready"] = &ready
	wrong := ready
	wrong.Errors = map[string]string{"price": "This is not a number. Write it like 5 or 4.50.", "title": "A title is needed."}
	wrong.Price, wrong.Track.Title = "five", ""
	out["draft-errors"] = &wrong
	failed := draft
	failed.State, failed.Steps = DraftFailed, steps(1)
	failed.Steps[1] = Step{Name: "probe", State: "failed", Message: "07 dusk over kirchplatz (final 3).wav holds no sound: its header says 0 samples. Export it again from your editor and upload that file."}
	out["draft-failed"] = &failed
	published := ready
	published.State = DraftPublished
	published.Published = &Published{Link: site + "/tracks/01jd8k3v6m2q9x", Name: "Ada Brandt", Handle: "@ada@kirchplatz.example", Text: "<p>Dusk Over Kirchplatz</p><p>Recorded in one night in the empty church.</p>", Followers: 214}
	out["draft-published"] = &published
	out["studio"] = &Studio{Layout: layout("/studio", user), Followers: 1214, Sales: 87, Earned: []Money{price("435000000000000000000")}, Owed: []Money{price("12000000000000000000")},
		Releases: []StudioRelease{{Title: "Kirchplatz", EditURL: "/releases/x", State: "published", Tracks: 8, Price: price("9000000000000000000"), Sales: 12}, {Title: "B-sides", EditURL: "/releases/y", State: "draft", Tracks: 2}},
		Drafts: []StudioTrack{
			{ID: "9", State: DraftWorking, File: "07 dusk over kirchplatz (final 3).wav", EditURL: "/drafts/9", Step: "transcode", Done: 0.42},
			{ID: "8", State: DraftReady, Track: all[7], EditURL: "/drafts/8", Changed: now.AddDate(0, 0, -1)},
			{ID: "7", State: DraftFailed, File: "scratch.aup3", EditURL: "/drafts/7", Message: "This is a project file, not sound."},
		},
		Published: []StudioTrack{{ID: "1", Track: all[0], EditURL: "/tracks/1/edit", BuyersURL: "/tracks/1/buyers", Sales: 51}, {ID: "4", Track: all[3], EditURL: "/tracks/4/edit", Sales: 36}, {ID: "3", Track: all[2], EditURL: "/tracks/3/edit"}}}
	holders := []Holder{
		{Actor: site + "/actor", Host: "kirchplatz.example", State: "accepted", Known: true, Well: true, Seen: now},
		{Actor: "https://b.example/actor", Host: "b.example", State: "accepted", Known: true, Well: true, Seen: now},
		{Actor: "https://a-very-long-instance-name.music.example/actor", Host: "a-very-long-instance-name.music.example", State: "waiting", Known: true, Words: "It does not answer.", Seen: now.AddDate(0, 0, -1)},
	}
	erased := append([]Holder(nil), holders...)
	erased[0].State, erased[1].State = "erased", "erased"
	out["buyers"] = &Buyers{Layout: layout("/tracks/1/buyers", user), Title: all[0].Title, URL: all[0].URL, Total: 3, Pager: Pager{Page: 1, Pages: 1}, Grants: []IssuedGrant{
		{ID: site + "/grants/1", Buyer: "@nour@music.example", BuyerURL: "/artist?uri=x", Since: now, Threshold: 2, Ready: 2, Holders: holders},
		{ID: site + "/grants/2", Buyer: "@orchester_der_vergessenen@a-very-long-instance-name.music.example", BuyerURL: "/artist?uri=y", Since: now.AddDate(0, -1, 0), Ends: now.AddDate(0, 1, 0), Threshold: 2, Ready: 1, Holders: holders},
		{ID: site + "/grants/3", Buyer: "@josef@b.example", BuyerURL: "/artist?uri=z", Since: now.AddDate(0, -2, 0), Threshold: 2, Holders: erased, Revoked: now.AddDate(0, 0, -1), Reason: "You asked for your money back, and it is on its way.", Erased: 2},
	}}
	out["buyers-empty"] = &Buyers{Layout: layout("/tracks/1/buyers", user), Title: all[4].Title, URL: all[4].URL, Pager: Pager{Page: 1, Pages: 1}}
	out["studio-empty"] = &Studio{Layout: layout("/studio", user)}

	artist := Artist{Layout: layout("/@ada", user), Name: "Ada Brandt", Handle: "@ada@kirchplatz.example", Accent: "#c4626b", Actor: site + "/users/ada",
		Bio: "<p>Voice, harmonium and whatever stands in the church. I write one song a month.</p>", Links: []Link{{Label: "adabrandt.example", URL: "https://adabrandt.example", Verified: true}, {Label: "Choir of Kirchplatz", URL: "https://choir.example"}},
		Tracks: all, Total: 8, Followers: 1214}
	out["artist"] = &artist
	big := artist
	big.Layout, big.Following, big.Tracks, big.Total = layout("/@orchester", user), true, many(PageSize), 500
	big.Name, big.Handle = all[3].Artist, "@orchester_der_vergessenen@a-very-long-instance-name.music.example"
	big.Pager = Pager{Page: 2, Pages: 20, Prev: "?page=1", Next: "?page=3"}
	big.Remote = &Remote{Host: "a-very-long-instance-name.music.example", URL: "https://x.example", Silent: true, Since: now.AddDate(0, -3, 0)}
	out["artist-500"] = &big
	rtl := artist
	rtl.Layout, rtl.Name, rtl.Handle, rtl.Accent = layout("/@nour", nil), all[4].Artist, "@nour@music.example", all[4].Accent
	rtl.Bio, rtl.Tracks, rtl.Total, rtl.Links = "<p>أكتب أغاني قصيرة عن المدن والمطر.</p>", all[4:5], 1, nil
	out["artist-rtl"] = &rtl
	empty := artist
	empty.Layout, empty.Tracks, empty.Total, empty.Self = layout("/@lin", user), nil, 0, true
	out["artist-empty"] = &empty

	page := TrackPage{Layout: layout("/tracks/1", nil), Track: all[0], Description: template.HTML(story), Tags: []Link{{Label: "#folk", URL: "/tags/folk"}, {Label: "#choir", URL: "/tags/choir"}},
		License: Link{Label: "CC BY-SA 4.0", URL: "https://creativecommons.org/licenses/by-sa/4.0/"}, Formats: []string{"FLAC", "MP3", "Opus"}, Likes: 48, Boosts: 12, Away: true, Talk: talk(true), More: []Track{all[1], all[2], all[7]}}
	out["track"] = &page
	owned := page
	owned.Layout, owned.Track = layout("/tracks/2", user), all[1]
	out["track-owned"] = &owned
	long := page
	long.Layout, long.Track, long.More, long.Away = layout("/tracks/4", user), all[3], nil, false
	long.Remote = &Remote{Host: "a-very-long-instance-name.music.example", URL: "https://x.example/4"}
	out["track-remote-long"] = &long
	bare := page
	bare.Layout, bare.Track, bare.Description, bare.Tags, bare.More = layout("/tracks/3", nil), all[2], "", nil, nil
	out["track-nocover"] = &bare
	arabic := page
	arabic.Layout, arabic.Track, arabic.Description, arabic.More = layout("/tracks/5", user), all[4], "<p>كُتبت في ليلة ممطرة، وسُجّلت في غرفة واحدة.</p>", nil
	out["track-rtl"] = &arabic

	buy := Buy{Layout: layout("/tracks/1/buy", user), Track: all[0], Action: "/purchases", Proposal: "p", Formats: []string{"FLAC", "MP3", "Opus"}, Price: all[0].Price,
		Splits: []Split{{Name: "Ada Brandt", Role: "artist", BasisPoints: 7500, Amount: price("3750000000000000000")}, {Name: "Josef Lindqvist", Role: "double bass", BasisPoints: 2000, Amount: price("1000000000000000000")}, {Name: "Kirchplatz", Role: "this server", BasisPoints: 500, Amount: price("250000000000000000")}},
		Seller: "music.example", Provider: "Raiden", ReceivingKey: keys[0], RequestingKey: keys[1], Keepers: []string{"a", "b", "c"}, Needed: 2}
	out["buy"] = &buy
	real := buy
	real.Layout.DevTokens, real.NameYourPrice, real.OperatorHolds = false, true, true
	real.Price = Money{Units: "4500000", Decimals: 6, Symbol: "USDC"}
	real.Track = all[3]
	for i := range real.Splits {
		real.Splits[i].Amount = Money{Units: []string{"3375000", "900000", "225000"}[i], Decimals: 6, Symbol: "USDC"}
	}
	real.Splits = append([]Split(nil), real.Splits...)
	real.Error = "music.example did not answer. Nothing was paid; try again in a minute."
	buy.Splits = append([]Split(nil), buy.Splits...)
	for i := range buy.Splits {
		buy.Splits[i].Amount = price([]string{"3750000000000000000", "1000000000000000000", "250000000000000000"}[i])
	}
	out["buy-real"] = &real

	order := Order{Layout: layout("/purchases/1", user), ID: "1", State: OrderWaiting, StateURL: "/purchases/1/state", Track: all[0], Price: all[0].Price, Seller: "music.example", PayAction: "/purchases/1/pay", CancelAction: "/purchases/1/cancel", AgainURL: "/tracks/1/buy",
		Invoice: &Invoice{Provider: "Raiden", Network: "Antiphon development network", Target: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", Token: "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", Amount: "5000000000000000000", Identifier: "1844674407370955161", Expires: now.Add(30 * time.Minute)}}
	out["order-waiting"] = &order
	hand := order
	hand.PayAction = ""
	out["order-byhand"] = &hand
	chain := hand
	chain.Price = Money{Units: "5000000", Decimals: 6, Symbol: "USDC"}
	chain.Message = "5 of 5 seen in block 21964313, 3 of 12 confirmations."
	chain.Invoice = &Invoice{Provider: "a wallet on Arbitrum One", Network: "Arbitrum One", Target: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
		Token: "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", Amount: "5000000", Expires: now.Add(30 * time.Minute), PageURL: site + "/pay/1",
		Link: "ethereum:0xaf88d065e77c8cC2239327C5EDb3A432268e5831@42161/transfer", Code: sampleCode()}
	out["order-chain"] = &chain
	out["pay"] = &Pay{Layout: layout("/pay/1", nil), Product: all[0].Title, Artist: "Ada Brandt", Price: chain.Price, State: "awaiting", Open: true,
		Seen: chain.Message, Invoice: chain.Invoice}
	out["pay-manual"] = &Pay{Layout: layout("/pay/2", nil), Product: all[3].Title, Artist: all[3].Artist, Price: Money{Units: "500", Decimals: 2, Symbol: "EUR"},
		State: "awaiting", Open: true, Instructions: []string{"By transfer to DE00 0000 0000 0000 0000 00,", "or in cash after a concert."}, Reference: "1844674407370955161"}
	out["pay-late"] = &Pay{Layout: layout("/pay/3", nil), Product: all[0].Title, Artist: "Ada Brandt", Price: chain.Price, State: "delivered", Remark: "late",
		Words: "The payment came after the invoice had expired; it was honored."}
	orders := &Orders{Layout: layout("/orders", user), Manual: true, Instructions: "By transfer to DE00 0000 0000 0000 0000 00.", Pager: Pager{Page: 1, Pages: 2, Next: "?page=2"}}
	for i, state := range []string{"quoted", "awaiting", "underpaid", "expired", "granted", "delivered", "failed", "refunded", "paid"} {
		row := OrderRow{ID: state, Product: all[i%len(all)].Title, Buyer: "@lin@music.example", Provider: "the artist", Price: Money{Units: "500", Decimals: 2, Symbol: "EUR"},
			State: state, Created: now, PayURL: "/pay/1", CanMark: i < 4, CanFail: i < 4, CanRefund: state == "granted"}
		orders.Rows = append(orders.Rows, row)
	}
	orders.Rows[1].Seen, orders.Rows[2].Words = chain.Message, "2 of 5 has arrived; the rest is still to be paid."
	orders.Rows[4].Remark, orders.Rows[5].Remark, orders.Rows[6].Remark = "overpaid", "late", "duplicate"
	orders.Rows[3].Buyer = "@orchester_der_vergessenen@a-very-long-instance-name.music.example"
	out["orders"] = orders
	out["orders-empty"] = &Orders{Layout: layout("/orders", user)}

	for _, state := range []OrderState{OrderAsking, OrderPaid, OrderGranted, OrderYours, OrderExpired, OrderHeld} {
		at := order
		at.State = state
		if state == OrderYours || state == OrderGranted {
			at.Bought, at.ReceiptURL, at.ProofURL, at.Track.Owned = now, "/receipts/1", "/purchases/1/proof", state == OrderYours
		}
		out["order-"+string(state)] = &at
	}

	proved := many(PageSize)
	for i := range proved {
		proved[i].ProofURL = "/purchases/1/proof"
	}
	out["library-proofs"] = &Library{Layout: layout("/library", user), Tracks: proved[:6], Total: 6, Sort: "newest"}
	out["library-500"] = &Library{Layout: layout("/library", user), Tracks: many(PageSize), Total: 500, Sort: "newest", Pager: Pager{Page: 1, Pages: 20, Next: "?page=2"}, Withdrawn: []Withdrawn{{Title: all[3].Title, Artist: all[3].Artist, ArtistURL: all[3].ArtistURL, Reason: "The choir asked me to take this recording down.", When: now.AddDate(0, 0, -2)}}, Open: []OpenPurchase{{URL: "/purchases/1", Title: all[3].Title, Artist: all[3].Artist, State: OrderWaiting}}}
	out["library-empty"] = &Library{Layout: layout("/library", user)}
	out["library-none"] = &Library{Layout: layout("/library", user), Query: "zither"}

	told := *user
	told.Tidings = 2
	out["timeline-told"] = &Timeline{Layout: layout("/", &told), Following: 3}

	admin := Admin{Layout: layout("/admin", user), Disk: Disk{Used: 91e9, Free: 4.2e9, Total: 95e9, Low: true}, Reports: 2, ReportsURL: "/admin/reports", HeldGrants: 1, Signups: 4, HeldGrantsURL: "/admin/held", FailedJobs: 3,
		Peers:  []Peer{{Host: "a-very-long-instance-name.music.example", Since: now.AddDate(0, 0, -4), Waiting: 212, Words: "It refuses the connection."}},
		Tracks: 38, Artists: 5, Listeners: 61, Version: "0.1.0",
		Invites: []Invite{{ID: "1", Link: site + "/signup?invite=k3f9-lantern-otter", Uses: 1, Max: 5, Expires: now.AddDate(0, 0, 6)}}}
	for _, name := range []string{"ada", "josef", "lin", "orchester_der_vergessenen_strassenbahn", "nour"} {
		admin.Accounts = append(admin.Accounts, Account{Name: name, Display: name, URL: "/@" + name, Created: now, LastSeen: now.AddDate(0, 0, -len(name)), Custody: CustodyOwn, Tracks: len(name), Admin: name == "lin", Suspended: name == "josef"})
	}
	admin.Accounts[3].Display, admin.Accounts[4].Display = all[3].Artist, all[4].Artist
	out["admin"] = &admin
	calm := admin
	calm.Disk.Low, calm.Reports, calm.Signups, calm.HeldGrants, calm.FailedJobs, calm.Peers = false, 0, 0, 0, 0, nil
	calm.RecoverLink, calm.RecoverFor, calm.RecoverUntil = site+"/recover/4nq7rk2v5tz8w1xya6bc3de", "josef", now.Add(24*time.Hour)
	out["admin-calm"] = &calm

	out["admin-hosts"] = &AdminHosts{Layout: layout("/admin/hosts", user), Pager: Pager{Page: 1, Pages: 3, Next: "?page=2"}, Hosts: []Host{
		{Name: "a-very-long-instance-name-that-goes-on-and-on.music.example", Software: "mastodon 4.4.1", State: "down", Waiting: 1212, Oldest: now.AddDate(0, 0, -4), Next: now.Add(20 * time.Minute), Words: "dial tcp 203.0.113.9:443: connect: connection refused", Retry: true, Dropped: 3},
		{Name: "gone.example", State: "gone", Words: "status 503", Retry: true, Dropped: 41},
		{Name: "quiet.example:8443", Software: "gotosocial 0.20.1", State: "ok", Paused: true, Waiting: 2, Oldest: now.Add(-3 * time.Hour)},
		{Name: "slow.example", Software: "funkwhale 1.4.0", Music: true, State: "suspect", Waiting: 1, Oldest: now.Add(-time.Minute), Words: "context deadline exceeded", Retry: true},
		{Name: "music.example", Software: "antiphon 0.1.0", Music: true, Newer: true, State: "ok"},
	}}

	maps.Copy(out, raidenPages(user))
	maps.Copy(out, keyPages(user))

	lost := layout("/tracks/gone", nil)
	lost.RequestID = "01JD8K3V6M2Q9X"
	out["failure-404"] = &Failure{Layout: lost, Status: 404}
	lost.Notices = []Notice{{Kind: NoticeError, Text: "The payment node did not answer."}}
	out["failure-500"] = &Failure{Layout: lost, Status: 500}
	maps.Copy(out, moderationPages(user))
	notices := layout("/library", user)
	notices.Notices = []Notice{{Kind: NoticeDone, Text: "Saved."}, {Kind: NoticeInfo, Text: "Your session ends in an hour.", LinkURL: "/settings", LinkText: "Settings"}}
	out["notices"] = &Library{Layout: notices, Tracks: all[:3], Total: 3}
	return out
}

// sampleCode looks like a QR code and says nothing.
func sampleCode() Code {
	var path strings.Builder
	for y := range 33 {
		for x := range 33 {
			if (x*7+y*13+x*y)%3 == 0 {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+4, y+4)
			}
		}
	}
	return Code{Size: 41, Path: path.String()}
}

// talk is a conversation with all that can happen in one.
func talk(open bool) *Talk {
	return &Talk{Subject: "https://kirchplatz.example/tracks/1", Open: open, Liked: true, Total: 3, Comments: []Comment{
		{URI: "1", ID: "c-1", Author: "Lin", Handle: "@lin@b.example", AuthorURL: "/artist?uri=x", When: now, Text: "<p>The tram at the end!</p>", Original: "https://b.example/1"},
		{URI: "2", ID: "c-2", Author: "Ada Brandt", Handle: "@ada@kirchplatz.example", AuthorURL: "/@ada", When: now, Text: "<p>It was the last one of that night.</p>", Indent: 1, Removable: true},
		{URI: "3", ID: "c-3", Deleted: true, Indent: 2},
		{URI: "4", ID: "c-4", Author: "نور الهاشمي", Handle: "@nour@music.example", AuthorURL: "/@nour", When: now, Text: "<p>أغنية جميلة جدا.</p>", Indent: 3},
	}}
}
