package vocab_test

import (
	"bytes"
	"crypto/ed25519"
	"time"

	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

const (
	artist  = "https://s.example/users/ada"
	buyer   = "https://b.example/users/lin"
	token   = "eip155:42161/erc20:0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"
	address = "0x52908400098527886E0F7030069857D2E4169EE7"
	cid     = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"
)

// noun is what the tests need to know of each kind of object: one good value, and how it is read.
type noun struct {
	name   string
	kind   vocab.Kind
	signed bool
	sample func() object
	read   func([]byte) (object, error)
}

type object interface{ Object() map[string]any }

func reader[T object](read func([]byte) (T, error)) func([]byte) (object, error) {
	return func(raw []byte) (object, error) { return read(raw) }
}

func nouns() []noun {
	return []noun{
		{"track", vocab.KindAudioTrack, true, func() object { return sampleTrack() }, reader(vocab.ReadTrack)},
		{"proposal", vocab.KindProposal, false, func() object { return sampleProposal() }, reader(vocab.ReadProposal)},
		{"agreement-offered", vocab.KindAgreement, true, func() object { return sampleOffered() }, reader(vocab.ReadOfferedAgreement)},
		{"agreement", vocab.KindAgreement, true, func() object { return sampleAgreement() }, reader(vocab.ReadAgreement)},
		{"invoice", vocab.KindInvoice, true, func() object { return sampleInvoice() }, reader(vocab.ReadInvoice)},
		{"receipt", vocab.KindReceipt, true, func() object { return sampleReceipt() }, reader(vocab.ReadReceipt)},
		{"grant", vocab.KindAccessGrant, true, func() object { return sampleGrant() }, reader(vocab.ReadGrant)},
		{"keyfragment", vocab.KindKeyFragment, true, func() object { return sampleKeyFragment() }, reader(vocab.ReadKeyFragment)},
		{"membership", vocab.KindMembership, true, func() object { return sampleMembership() }, reader(vocab.ReadMembership)},
		{"ledgerrecords", vocab.KindLedgerRecords, true, func() object { return sampleLedgerRecords() }, reader(vocab.ReadLedgerRecords)},
		{"payoutinstruction", vocab.KindPayoutInstruction, true, func() object { return samplePayoutInstruction() }, reader(vocab.ReadPayoutInstruction)},
		{"poolappeal", vocab.KindPoolAppeal, true, func() object { return samplePoolAppeal() }, reader(vocab.ReadPoolAppeal)},
		{"playlist", vocab.KindPlaylist, false, func() object { return samplePlaylist() }, reader(vocab.ReadPlaylist)},
		{"album", vocab.KindAlbum, false, func() object { return sampleRelease() }, reader(vocab.ReadRelease)},
		{"listen", vocab.KindListen, false, func() object { return sampleListen() }, reader(vocab.ReadListen)},
		{"subscription-offered", vocab.KindSubscription, false, func() object { return sampleWish() }, reader(vocab.ReadOfferedSubscription)},
		{"listen-day", vocab.KindListen, false, func() object { return sampleListens() }, reader(vocab.ReadListen)},
		{"subscription", vocab.KindSubscription, false, func() object { return sampleSubscription() }, reader(vocab.ReadSubscription)},
	}
}

// fill is n bytes, all alike.
func fill(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

func point(b byte) string {
	s, err := multikey.EncodeSecp256k1(append([]byte{2}, fill(32, b)...))
	if err != nil {
		panic(err)
	}
	return s
}

func edwards(b byte) string {
	s, err := multikey.EncodeEd25519(ed25519.PublicKey(fill(32, b)))
	if err != nil {
		panic(err)
	}
	return s
}

func at(hour, minute, second int) time.Time {
	return time.Date(2026, 11, 20, hour, minute, second, 0, time.UTC)
}

func pointer(t time.Time) *time.Time { return &t }

func price() vocab.Price { return vocab.Price{Amount: "5000000", Asset: token, Decimals: 6} }

func sampleTrack() vocab.Track {
	return vocab.Track{
		ID: "https://s.example/tracks/77", AttributedTo: artist, Name: "Brass Rain",
		Album:    vocab.Album{ID: "https://s.example/albums/9", Name: "Weather & Machines"},
		Position: 3, ISRC: "XX-ABC-26-00001", MusicBrainzID: "00000000-0000-4000-8000-000000000000",
		Duration: 3*time.Minute + 31*time.Second, Published: at(10, 0, 0), Updated: at(11, 0, 0),
		To: []string{vocab.Public}, Cc: []string{artist + "/followers"}, URL: "https://s.example/@ada/brass-rain",
		Preview: vocab.Media{URL: "https://media.s.example/t/77/preview.mp3", MediaType: "audio/mpeg"},
		Cover:   vocab.Media{URL: "https://media.s.example/t/77/cover.webp", MediaType: "image/webp"},
		Icon:    vocab.Media{URL: "https://media.s.example/t/77/small.jpg", MediaType: "image/jpeg"},
		Note:    "https://s.example/notes/77", Summary: "<p>Rain on a tin roof.</p>", Content: "<p>Recorded in <b>Leeds</b>.</p>",
		License:  "https://creativecommons.org/licenses/by-sa/4.0/",
		Manifest: vocab.Manifest{CID: cid, Size: 612}, Size: 24_100_000, ContentKeyHash: fill(32, 0x11),
		Capsules: []vocab.Capsule{{
			Product: "https://s.example/products/9", Version: 3, DelegatingKey: point(1),
			Capsule: fill(98, 0x22), Ciphertext: fill(72, 0x33),
		}},
		Proposals: []vocab.ProposalLink{{
			ID: "https://s.example/proposals/9", Product: "https://s.example/products/9", Price: price(),
		}},
		Downloads: []vocab.Download{{Format: "flac", CID: cid, Size: 24_400_000}, {Format: "mp3", CID: cid, Size: 6_100_000}},
	}
}

func sampleProposal() vocab.Proposal {
	return vocab.Proposal{
		ID: "https://s.example/proposals/9", AttributedTo: artist, Name: "Brass Rain", Product: "https://s.example/products/9",
		Resource: vocab.Namespace + "AudioTrack", Price: price(), Suggested: "7000000", Updated: at(10, 0, 0),
		Shares: []vocab.Share{
			{Payee: artist, Name: "Ada", BasisPoints: 7000},
			{Payee: "https://b.example/users/moe", Name: "Moe", Role: "drums", BasisPoints: 3000},
		},
	}
}

func sampleOffered() vocab.Agreement {
	return vocab.Agreement{
		Proposal: "https://s.example/proposals/9", Product: "https://s.example/products/9", Price: price(),
		ReceivingKey: point(3), RequestingKey: edwards(4), Nonce: fill(16, 0x44),
	}
}

func sampleAgreement() vocab.Agreement {
	invoice := sampleInvoice()
	return vocab.Agreement{
		ID: "https://s.example/agreements/agzfpkdx", AttributedTo: artist, Proposal: "https://s.example/proposals/9",
		Product: "https://s.example/products/9", Version: 3, Price: price(),
		ReceivingKey: point(3), RequestingKey: edwards(4), Invoice: &invoice,
	}
}

func sampleInvoice() vocab.Invoice {
	return vocab.Invoice{
		Provider: "raiden", Price: price(), Target: address, Identifier: "1844674407370955161", Expires: at(12, 30, 0),
		URL: "https://s.example/pay/agzfpkdx?once=1",
	}
}

func sampleReceipt() vocab.Receipt {
	return vocab.Receipt{
		ID: "https://s.example/receipts/rcmzkvqe", AttributedTo: artist, To: buyer,
		Agreement: "https://s.example/agreements/agzfpkdx", Product: "https://s.example/products/9", Version: 3,
		Ground: vocab.GroundPayment, Price: price(), Provider: "raiden", PaymentHash: fill(32, 0x55),
		ReceivingKey: point(3), RequestingKey: edwards(4), PaidAt: at(12, 0, 0),
	}
}

func sampleGrant() vocab.Grant {
	return vocab.Grant{
		ID: "https://s.example/grants/grqhtbln", AttributedTo: artist, To: buyer,
		Agreement: "https://s.example/agreements/agzfpkdx", Receipt: "https://s.example/receipts/rcmzkvqe",
		Product: "https://s.example/products/9", Version: 3,
		DelegatingKey: point(1), VerifyingKey: point(2), ReceivingKey: point(3), RequestingKey: edwards(4),
		Set: 1, Threshold: 2, Proxies: []vocab.Proxy{
			{Actor: "https://s.example/actor", Reencrypt: "https://s.example/antiphon/v1/reencrypt"},
			{Actor: "https://b.example/actor", Reencrypt: "https://b.example/antiphon/v1/reencrypt"},
			{Actor: "https://p.example/actor", Reencrypt: "https://p.example/antiphon/v1/reencrypt"},
		},
		Items: []vocab.Item{{
			Track: "https://s.example/tracks/77", Capsule: fill(98, 0x22), Ciphertext: fill(72, 0x33),
			Manifest: cid, ContentKeyHash: fill(32, 0x11),
		}},
		StartTime: at(12, 0, 2), Updated: at(12, 0, 2),
	}
}

func sampleKeyFragment() vocab.KeyFragment {
	return vocab.KeyFragment{
		ID: "https://s.example/kfrags/kfwxyzab", AttributedTo: artist, Target: "https://p.example/actor",
		Grant: "https://s.example/grants/grqhtbln", Set: 1,
		DelegatingKey: point(1), VerifyingKey: point(2), ReceivingKey: point(3), RequestingKey: edwards(4),
		Capsules: [][]byte{fill(32, 0x66), fill(32, 0x77)}, StartTime: at(12, 0, 2), EndTime: pointer(at(23, 59, 59)),
		Updated: at(12, 0, 2),
		Sealed: vocab.Sealed{
			Key: "https://p.example/actor#sealing-1", Enc: fill(1120, 0x88), Ciphertext: fill(326, 0x99),
		},
	}
}

func sampleMembership() vocab.Membership {
	return vocab.Membership{
		AttributedTo: "https://b.example/actor", Subject: buyer, Audience: "https://s.example/actor", Month: "2026-11",
		ReceivingKey: point(3), RequestingKey: edwards(4), EndTime: at(23, 0, 0),
	}
}

func sampleLedgerRecords() vocab.LedgerRecords {
	return vocab.LedgerRecords{
		ID: "https://s.example/ledger/records/41", AttributedTo: "https://s.example/actor", Previous: 38,
		Records: []vocab.LedgerRecord{
			{Number: 40, Call: "report_day", Arguments: `{"day":"2026-10-31","dropped":2,"held":0,"lines":3,"node":"s.example"}`},
			{Number: 41, Call: "vote", Arguments: `{"dispute":"7d","node":"s.example","verdict":"keep"}`},
		},
	}
}

func samplePayoutInstruction() vocab.PayoutInstruction {
	return vocab.PayoutInstruction{
		ID: artist + "/payout/1", AttributedTo: artist, Asset: "eip155:1/erc20:0x8E870D67F660D95d5be530380D0eC0bd388289E1",
		Address: "0x52908400098527886E0F7030069857D2E4169EE7", Published: at(9, 0, 0),
	}
}

func samplePoolAppeal() vocab.PoolAppeal {
	return vocab.PoolAppeal{ID: artist + "/appeals/1", AttributedTo: artist, Month: "2026-10", Content: "A school class hears our record.", Published: at(9, 0, 0)}
}

func samplePlaylist() vocab.Playlist {
	return vocab.Playlist{
		ID: buyer + "/playlists/3", AttributedTo: buyer, Name: "Rainy Sunday", Content: "<p>for the tram</p>",
		URL: "https://b.example/@lin/playlists/3", Followers: buyer + "/playlists/3/followers", To: []string{vocab.Public},
		Published: at(8, 0, 0), Updated: at(9, 0, 0),
		Tracks: []string{"https://s.example/tracks/77", "https://other.example/68ab/track/4", "https://s.example/tracks/77"},
	}
}

func sampleRelease() vocab.Release {
	return vocab.Release{
		ID: "https://s.example/albums/9", AttributedTo: artist, Name: "Boiler Songs", URL: "https://s.example/albums/9",
		Published: at(8, 0, 0), Updated: at(9, 0, 0), To: []string{vocab.Public}, Cc: []string{artist + "/followers"},
		Cover:  vocab.Media{URL: "https://s.example/media/cover.jpg", MediaType: "image/jpeg"},
		Tracks: []string{"https://s.example/tracks/77", "https://s.example/tracks/78"}, Type: "ep", Released: "2026-11-20",
		Content: "<p>Recorded in a boiler.</p>",
		Proposals: []vocab.ProposalLink{{
			ID: "https://s.example/products/r9/proposal", Product: "https://s.example/products/r9", Price: price(),
		}},
	}
}

func sampleListen() vocab.Listen {
	return vocab.Listen{
		ID: buyer + "/listens/4411", Actor: buyer, Track: "https://s.example/tracks/77", Published: at(11, 2, 10),
		StartTime: at(10, 58, 39), EndTime: at(11, 2, 10), Duration: 3*time.Minute + 31*time.Second, To: []string{artist},
	}
}

func sampleListens() vocab.Listen {
	return vocab.Listen{
		ID: "https://b.example/actor/listens/2026-11-19-q3k2tn5dq3k2tn5d", Actor: "https://b.example/actor", Track: "https://s.example/tracks/77", Published: at(0, 30, 0),
		StartTime: at(-24, 0, 0), EndTime: at(0, 0, 0), Duration: 3*time.Minute + 12*time.Second, Plays: 530, To: []string{artist},
	}
}

func sampleSubscription() vocab.Subscription {
	return vocab.Subscription{
		ID: "https://s.example/subscriptions/sbnmrtqa", Artist: artist, Listener: buyer, Tier: "https://s.example/products/prtiermo",
		Agreement: "https://s.example/agreements/agzfpkdx", StartTime: at(12, 0, 2), EndTime: pointer(at(23, 59, 59)),
	}
}

func sampleWish() vocab.Subscription {
	return vocab.Subscription{Artist: artist, Listener: buyer, Tier: "https://s.example/products/prtiermo", Shown: true}
}
