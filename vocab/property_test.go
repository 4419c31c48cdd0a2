package vocab_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/multikey"
)

// draw is one value of a generator; the label only matters when a test fails.
func draw[T any](t *rapid.T, g *rapid.Generator[T]) T { return g.Draw(t, "value") }

func maybe(t *rapid.T) bool { return draw(t, rapid.Bool()) }

func whole(t *rapid.T, low, high int) int { return draw(t, rapid.IntRange(low, high)) }

func raw(t *rapid.T, n int) []byte { return draw(t, rapid.SliceOfN(rapid.Byte(), n, n)) }

func words(t *rapid.T) string {
	return draw(t, rapid.StringMatching(`[^\x00]{1,40}`))
}

// below is a URI on the host of the seller.
func below(t *rapid.T, folder string) string {
	return "https://s.example:8443/" + folder + "/" + draw(t, rapid.StringMatching(`[a-z2-7]{26}`))
}

func elsewhere(t *rapid.T) string {
	return draw(t, rapid.StringMatching(`https?://[a-z]{1,9}\.example/[a-zA-Z0-9/_.~-]{0,30}(\?[a-z]=[0-9%]{0})?`))
}

func secp(t *rapid.T) string {
	p := raw(t, 33)
	p[0] = 2 + p[0]&1
	s, err := multikey.EncodeSecp256k1(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ed(t *rapid.T) string {
	s, err := multikey.EncodeEd25519(raw(t, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func moment(t *rapid.T) time.Time {
	return time.Unix(draw(t, rapid.Int64Range(946_684_800, 7_000_000_000)), 0).UTC()
}

func end(t *rapid.T, start time.Time) *time.Time {
	if maybe(t) {
		return nil
	}
	e := start.Add(time.Duration(whole(t, 1, 1_000_000)) * time.Second)
	return &e
}

func length(t *rapid.T) time.Duration { return time.Duration(whole(t, 1, 359_999)) * time.Second }

func money(t *rapid.T) vocab.Price {
	return vocab.Price{
		Amount:   draw(t, rapid.StringMatching(`[1-9][0-9]{0,77}`)),
		Asset:    draw(t, rapid.StringMatching(`(eip155|antiphon-dev):[1-9][0-9]{0,9}/erc20:0x[0-9a-fA-F]{40}|iso4217:[A-Z]{3}`)),
		Decimals: whole(t, 0, 77),
	}
}

func anyMoney(t *rapid.T) vocab.Price {
	p := money(t)
	if maybe(t) {
		p.Amount = "0"
		if maybe(t) {
			return vocab.Price{Amount: "0"}
		}
	}
	return p
}

func contentID(t *rapid.T) string { return draw(t, rapid.StringMatching(`bafkrei[a-z2-7]{52}`)) }

func file(t *rapid.T) vocab.Media {
	if maybe(t) {
		return vocab.Media{}
	}
	return vocab.Media{URL: elsewhere(t), MediaType: draw(t, rapid.StringMatching(`(audio|image)/[a-z0-9][a-z0-9.+-]{0,9}`))}
}

func audience(t *rapid.T) []string {
	var out []string
	for range whole(t, 0, 3) {
		out = append(out, draw(t, rapid.SampledFrom([]string{vocab.Public, artist + "/followers", buyer})))
	}
	return out
}

// some is a list of low to high values.
func some[T any](t *rapid.T, low, high int, one func(i int) T) []T {
	var out []T
	for i := range whole(t, low, high) {
		out = append(out, one(i))
	}
	return out
}

func drawTrack(t *rapid.T) vocab.Track {
	x := vocab.Track{
		ID: below(t, "tracks"), AttributedTo: below(t, "users"), Name: words(t), Duration: length(t), Published: moment(t),
		To: audience(t), Cc: audience(t), URL: elsewhere(t), Preview: file(t), Cover: file(t), Icon: file(t),
		Manifest: vocab.Manifest{CID: contentID(t), Size: int64(whole(t, 0, 1<<40))}, Size: int64(whole(t, 0, 1<<40)),
		ContentKeyHash: raw(t, 32), Position: whole(t, 0, 100), Pooled: maybe(t),
	}
	if maybe(t) {
		x.Updated, x.Summary, x.Content, x.Note, x.License = moment(t), words(t), words(t), below(t, "notes"), elsewhere(t)
	}
	if maybe(t) {
		x.Album.Name = words(t)
	}
	for _, format := range []string{"flac", "mp3", "opus"} {
		if maybe(t) {
			x.Downloads = append(x.Downloads, vocab.Download{Format: format, CID: contentID(t), Size: int64(whole(t, 0, 1<<40))})
		}
	}
	if maybe(t) {
		x.Album.ID = below(t, "albums")
	}
	x.Capsules = some(t, 0, 3, func(i int) vocab.Capsule {
		return vocab.Capsule{Product: below(t, "products"), Version: i + 1, DelegatingKey: secp(t), Capsule: raw(t, 98), Ciphertext: raw(t, 72)}
	})
	x.Proposals = some(t, 0, 2, func(int) vocab.ProposalLink {
		return vocab.ProposalLink{ID: below(t, "proposals"), Product: below(t, "products"), Price: anyMoney(t)}
	})
	return x
}

func drawProposal(t *rapid.T) vocab.Proposal {
	x := vocab.Proposal{
		ID: below(t, "proposals"), AttributedTo: below(t, "users"), Name: words(t), Product: below(t, "products"),
		Resource: vocab.Namespace + "Subscription", Monthly: maybe(t), Price: anyMoney(t),
	}
	if maybe(t) {
		x.Updated = moment(t)
	}
	return x
}

func drawOffered(t *rapid.T) vocab.Agreement {
	x := vocab.Agreement{Product: below(t, "products"), Price: anyMoney(t), ReceivingKey: secp(t), RequestingKey: ed(t), Nonce: raw(t, 16)}
	if maybe(t) {
		x.Receipt, x.AttributedTo = below(t, "receipts"), elsewhere(t)
	}
	if x.Receipt == "" || maybe(t) {
		x.Proposal, x.Monthly = below(t, "proposals"), maybe(t)
	}
	return x
}

func drawInvoice(t *rapid.T) vocab.Invoice {
	x := vocab.Invoice{
		Provider: draw(t, rapid.StringMatching(`[a-z][a-z0-9-]{0,9}x`)), Price: money(t), Target: words(t),
		Identifier: fmt.Sprint(draw(t, rapid.Uint64())), Expires: moment(t),
	}
	if maybe(t) {
		x.Provider, x.Target = "raiden", draw(t, rapid.StringMatching(`0x[0-9a-fA-F]{40}`))
	}
	if maybe(t) {
		x.URL = elsewhere(t)
	}
	return x
}

func drawAgreement(t *rapid.T) vocab.Agreement {
	x := vocab.Agreement{
		ID: below(t, "agreements"), AttributedTo: below(t, "users"), Product: below(t, "products"), Version: whole(t, 1, 1000),
		Price: anyMoney(t), ReceivingKey: secp(t), RequestingKey: ed(t),
	}
	if maybe(t) {
		x.Proposal, x.Monthly = below(t, "proposals"), maybe(t)
	}
	if !x.Free() {
		i := drawInvoice(t)
		i.Price = x.Price
		x.Invoice = &i
	}
	return x
}

func drawReceipt(t *rapid.T) vocab.Receipt {
	x := vocab.Receipt{
		ID: below(t, "receipts"), AttributedTo: below(t, "users"), To: elsewhere(t), Product: below(t, "products"),
		Version: whole(t, 1, 1000), ReceivingKey: secp(t), RequestingKey: ed(t), PaidAt: moment(t),
		Ground: draw(t, rapid.SampledFrom([]vocab.Ground{vocab.GroundPayment, vocab.GroundCode, vocab.GroundFree,
			vocab.GroundMembership, vocab.GroundGift, vocab.GroundOwn, vocab.GroundRegrant})),
	}
	if x.Ground == vocab.GroundPayment {
		x.Price, x.Provider, x.PaymentHash, x.Agreement = money(t), "raiden", raw(t, 32), below(t, "agreements")
		return x
	}
	x.Amount = "0"
	if maybe(t) {
		x.Agreement, x.Asset, x.Decimals = below(t, "agreements"), token, 6
	}
	return x
}

func drawGrant(t *rapid.T) vocab.Grant {
	x := vocab.Grant{
		ID: below(t, "grants"), AttributedTo: below(t, "users"), To: elsewhere(t), Receipt: below(t, "receipts"),
		Product: below(t, "products"), Version: whole(t, 1, 1000), DelegatingKey: secp(t), VerifyingKey: secp(t),
		ReceivingKey: secp(t), RequestingKey: ed(t), Set: whole(t, 1, 9), StartTime: moment(t), Updated: moment(t),
	}
	if x.DelegatingKey == x.VerifyingKey || x.ReceivingKey == x.DelegatingKey || x.ReceivingKey == x.VerifyingKey {
		x.DelegatingKey, x.VerifyingKey, x.ReceivingKey = point(1), point(2), point(3)
	}
	if maybe(t) {
		x.Agreement = below(t, "agreements")
	}
	x.EndTime = end(t, x.StartTime)
	x.Proxies = some(t, 1, 16, func(i int) vocab.Proxy {
		return vocab.Proxy{Actor: fmt.Sprintf("https://p%d.example/actor", i), Reencrypt: elsewhere(t)}
	})
	x.Threshold = whole(t, 1, len(x.Proxies))
	x.Items = some(t, 1, 4, func(i int) vocab.Item {
		return vocab.Item{
			Track: below(t, fmt.Sprint(i)), Capsule: raw(t, 98), Ciphertext: raw(t, 72), Manifest: contentID(t), ContentKeyHash: raw(t, 32),
		}
	})
	return x
}

func drawKeyFragment(t *rapid.T) vocab.KeyFragment {
	g := drawGrant(t)
	x := vocab.KeyFragment{
		ID: below(t, "kfrags"), AttributedTo: g.AttributedTo, Target: elsewhere(t), Grant: g.ID, Set: g.Set,
		DelegatingKey: g.DelegatingKey, VerifyingKey: g.VerifyingKey, ReceivingKey: g.ReceivingKey, RequestingKey: g.RequestingKey,
		StartTime: g.StartTime, EndTime: g.EndTime, Updated: g.Updated,
	}
	x.Capsules = some(t, 1, 4, func(i int) []byte { return append(raw(t, 31), byte(i)) })
	x.Sealed = vocab.Sealed{
		Key: x.Target + "#sealing-" + fmt.Sprint(whole(t, 1, 9)), Enc: fill(1120, raw(t, 1)[0]), Ciphertext: fill(326, raw(t, 1)[0]),
	}
	return x
}

func drawPlaylist(t *rapid.T) vocab.Playlist {
	x := vocab.Playlist{
		ID: below(t, "playlists"), AttributedTo: below(t, "users"), Name: words(t), To: audience(t), Cc: audience(t), Published: moment(t),
		Tracks: some(t, 0, 5, func(int) string { return elsewhere(t) }),
	}
	if maybe(t) {
		x.Content, x.URL, x.Followers, x.Updated = words(t), elsewhere(t), below(t, "followers"), moment(t)
	}
	return x
}

func drawListen(t *rapid.T) vocab.Listen {
	x := vocab.Listen{
		ID: below(t, "listens"), Actor: below(t, "users"), Track: elsewhere(t), Published: moment(t), StartTime: moment(t),
		Duration: length(t), To: audience(t), Cc: audience(t),
	}
	x.EndTime = x.StartTime.Add(x.Duration + time.Duration(whole(t, 0, 1000))*time.Second)
	x.Plays = int64(whole(t, 0, 1000))
	return x
}

func drawSubscription(t *rapid.T) vocab.Subscription {
	x := vocab.Subscription{ID: below(t, "subscriptions"), Artist: below(t, "users"), Listener: elsewhere(t), Agreement: below(t, "agreements"), StartTime: moment(t)}
	x.EndTime = end(t, x.StartTime)
	x.Shown = maybe(t)
	if maybe(t) {
		x.Tier = below(t, "products")
	}
	return x
}

func drawWish(t *rapid.T) vocab.Subscription {
	return vocab.Subscription{Artist: below(t, "users"), Listener: elsewhere(t), Tier: below(t, "products"), Shown: maybe(t)}
}

// TestReadObject is the property read(object(x)) == x.
func TestReadObject(t *testing.T) {
	t.Parallel()
	for name, drawn := range map[string]func(*rapid.T) object{
		"track":                func(t *rapid.T) object { return drawTrack(t) },
		"proposal":             func(t *rapid.T) object { return drawProposal(t) },
		"agreement-offered":    func(t *rapid.T) object { return drawOffered(t) },
		"agreement":            func(t *rapid.T) object { return drawAgreement(t) },
		"invoice":              func(t *rapid.T) object { return drawInvoice(t) },
		"receipt":              func(t *rapid.T) object { return drawReceipt(t) },
		"grant":                func(t *rapid.T) object { return drawGrant(t) },
		"keyfragment":          func(t *rapid.T) object { return drawKeyFragment(t) },
		"playlist":             func(t *rapid.T) object { return drawPlaylist(t) },
		"listen":               func(t *rapid.T) object { return drawListen(t) },
		"subscription-offered": func(t *rapid.T) object { return drawWish(t) },
		"subscription":         func(t *rapid.T) object { return drawSubscription(t) },
	} {
		for _, n := range nouns() {
			if n.name != name {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(t *rapid.T) {
					x := drawn(t)
					doc, err := jsonld.Marshal(x.Object())
					if err != nil {
						t.Fatal(err)
					}
					got, err := n.read(doc)
					if err != nil {
						t.Fatalf("%v\n%s", err, doc)
					}
					if diff := cmp.Diff(x, got); diff != "" {
						t.Fatalf("-want +got:\n%s", diff)
					}
				})
			})
		}
	}
}
