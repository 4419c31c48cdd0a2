package trade_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/trade"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/media/pre/umbral"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

const asset = "antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

// counter is an instance whose user lin buys from ada, who lives on a peer with eve.
type counter struct {
	*fedtest.Instance
	ada, eve  *fedtest.Person
	lin       actor.Actor
	purchases *purchase.Service
	room      *access.Service
	trading   *trade.Service
	peers     helpers
	bought    purchase.Purchase
	n         int
}

func open(t *testing.T) *counter {
	t.Helper()
	secrets, err := vault.New(make([]byte, 32), rand.Reader)
	must(t, err)
	c := &counter{}
	log := slog.New(slog.DiscardHandler)
	i, peer := fedtest.New(t, fedtest.Options{Idle: true, Join: func(i *fedtest.Instance) {
		c.purchases = purchase.New(i.BaseURL, purchase.Parts{DB: i.DB, Jobs: i.Queue, Log: log, Now: i.Clock.Now, Rand: rand.Reader})
		c.room = access.New(access.Config{BaseURL: i.BaseURL, PerArtist: 4}, access.Parts{
			DB: i.DB, Jobs: i.Queue, Vault: secrets, Peers: &c.peers, Fetch: nowhere{}, Log: log, Now: i.Clock.Now, Rand: rand.Reader,
		})
		c.room.Register(i.Queue)
		c.trading = trade.New(trade.Parts{
			BaseURL: i.BaseURL, DB: i.DB, Actors: i.Actors, Outbox: i.Outbox, Purchases: c.purchases, Access: c.room, Jobs: i.Queue, Log: log, Now: i.Clock.Now,
		})
		c.trading.Register(i.Queue)
		c.trading.Receive(i.Inbox)
	}}), fedtest.NewPeer(t)
	c.Instance, c.ada, c.eve, c.lin = i, peer.Person(t, "ada"), peer.Person(t, "eve"), i.User(t, "lin", actor.Listener)
	i.Start(t)
	c.bought, err = c.purchases.Begin(t.Context(), purchase.Request{
		Buyer: c.lin.URI, Artist: c.ada.URI, Product: peer.BaseURL + "/products/9", Track: peer.BaseURL + "/tracks/77", Title: "Rain",
		Amount: amount.New(5_000_000, asset), Decimals: 6, ReceivingKey: c.lin.ReceivingKey, RequestingKey: c.lin.RequestingKey,
	})
	must(t, err)
	fedtest.Until(t, "the offer is delivered", func() bool { return len(peer.Received()) == 1 }, i)
	return c
}

// nowhere is where the blocks of a grant cannot be had.
type nowhere struct{}

func (nowhere) Block(context.Context, string, int64) ([]byte, error) { return nil, ipfs.ErrNotFound }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sign puts who's proof into an object.
func (c *counter) sign(t *testing.T, who *fedtest.Person, object map[string]any) []byte {
	t.Helper()
	_, raw, err := proof.Sign(object, who.Proof, who.URI+"#ed25519-1", c.Clock.Now())
	must(t, err)
	return raw
}

// send posts an activity about an object and returns the state that it comes to.
func (c *counter) send(t *testing.T, who *fedtest.Person, a vocab.Activity, raw []byte) string {
	t.Helper()
	c.n++
	a.ID, a.Actor, a.To = who.URI+"/activities/"+strings.Repeat("x", c.n), who.URI, []string{c.lin.URI}
	ref := vocab.Ref{Raw: raw, Types: []string{"Document"}}
	if a.Type == vocab.VerbAccept {
		a.Result = ref
	} else {
		a.Object = ref
	}
	// The object stands in the activity byte for byte, whatever a builder would make of it.
	body := []byte(`{"@context":"https://www.w3.org/ns/activitystreams","id":"` + a.ID + `","type":"` + string(a.Type) + `","actor":"` + a.Actor + `","to":["` + c.lin.URI + `"],`)
	if a.Type == vocab.VerbAccept {
		body = append(body, `"object":"`+c.bought.Offer+`","result":`...)
	} else {
		body = append(body, `"object":`...)
	}
	body = append(append(body, raw...), '}')
	if status := who.Post(t, c.lin.Inbox, body, c.Clock.Now()); status != 202 {
		return "status " + time.Duration(status).String()
	}
	state := ""
	fedtest.Until(t, "the activity is judged", func() bool {
		c.DB.Read.Table("activities").Where("id = ?", a.ID).Pluck("state", &state)
		return state != "received" && state != ""
	}, c.Instance)
	return state
}

func (c *counter) agreement(t *testing.T) vocab.Agreement {
	t.Helper()
	return vocab.Agreement{
		ID: c.ada.Peer.BaseURL + "/agreements/1", AttributedTo: c.ada.URI, Proposal: c.bought.Product + "/proposal", Product: c.bought.Product, Version: 1,
		Price: vocab.Price{Amount: "5000000", Decimals: 6, Asset: asset}, ReceivingKey: c.lin.ReceivingKey, RequestingKey: c.lin.RequestingKey,
		Invoice: &vocab.Invoice{
			Provider: "raiden", Price: vocab.Price{Amount: "5000000", Decimals: 6, Asset: asset}, Target: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
			Identifier: "7", Expires: c.Clock.Now().Add(time.Hour).UTC().Truncate(time.Second),
		},
	}
}

func (c *counter) receipt() vocab.Receipt {
	return vocab.Receipt{
		ID: c.ada.Peer.BaseURL + "/receipts/1", AttributedTo: c.ada.URI, To: c.lin.URI, Agreement: c.ada.Peer.BaseURL + "/agreements/1", Product: c.bought.Product,
		Version: 1, Ground: vocab.GroundPayment, Price: vocab.Price{Amount: "5000000", Decimals: 6, Asset: asset}, Provider: "raiden",
		PaymentHash: make([]byte, 32), ReceivingKey: c.lin.ReceivingKey, RequestingKey: c.lin.RequestingKey, PaidAt: c.Clock.Now().UTC().Truncate(time.Second),
	}
}

func (c *counter) grant(t *testing.T) vocab.Grant {
	t.Helper()
	delegating, verifying := key(t), key(t)
	capsule, ciphertext, err := umbral.Encrypt(rand.Reader, delegating.PublicKey(), make([]byte, 32))
	must(t, err)
	peer, now := c.ada.Peer.BaseURL, c.Clock.Now().UTC().Truncate(time.Second)
	return vocab.Grant{
		ID: peer + "/grants/1", AttributedTo: c.ada.URI, To: c.lin.URI, Agreement: peer + "/agreements/1", Receipt: peer + "/receipts/1", Product: c.bought.Product,
		Version: 1, DelegatingKey: encode(t, delegating), VerifyingKey: encode(t, verifying), ReceivingKey: c.lin.ReceivingKey,
		RequestingKey: c.lin.RequestingKey, Set: 1, Threshold: 1, Proxies: []vocab.Proxy{{Actor: peer + "/actor", Reencrypt: peer + "/reencrypt"}},
		Items: []vocab.Item{{
			Track: peer + "/tracks/77", Capsule: capsule.Bytes(), Ciphertext: ciphertext, ContentKeyHash: make([]byte, 32),
			Manifest: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
		}},
		StartTime: now, Updated: now,
	}
}

func key(t *testing.T) *umbral.SecretKey {
	t.Helper()
	k, err := umbral.GenerateSecretKey(rand.Reader)
	must(t, err)
	return k
}

func encode(t *testing.T, k *umbral.SecretKey) string {
	t.Helper()
	text, err := multikey.EncodeSecp256k1(k.PublicKey().Bytes())
	must(t, err)
	return text
}

func TestReceiptsAndGrants(t *testing.T) {
	t.Parallel()
	c := open(t)
	peer := c.ada.Peer.BaseURL
	other := encode(t, key(t))
	public, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	otherRequesting, err := multikey.EncodeEd25519(public)
	must(t, err)

	// What the seller may not say of an invoice; and then what she may.
	testkit.BadInput(t, "B23", func(t *testing.T) {
		before := testkit.Rows(t, c.DB.Read)
		for name, change := range map[string]func(m map[string]any){
			"identifier as a number":     func(m map[string]any) { m["identifier"] = 7.0 },
			"identifier with a sign":     func(m map[string]any) { m["identifier"] = "+5" },
			"identifier with a zero":     func(m map[string]any) { m["identifier"] = "05" },
			"identifier with an e":       func(m map[string]any) { m["identifier"] = "1e3" },
			"identifier of other digits": func(m map[string]any) { m["identifier"] = "१२" },
			"identifier of 78 digits":    func(m map[string]any) { m["identifier"] = strings.Repeat("1", 78) },
			"identifier of 2^64":         func(m map[string]any) { m["identifier"] = "18446744073709551616" },
			"amount as a number":         func(m map[string]any) { m["amount"] = 5000000.0 },
			"amount with a sign":         func(m map[string]any) { m["amount"] = "+5000000" },
			"a negative amount":          func(m map[string]any) { m["amount"] = "-5000000" },
			"amount of 79 digits":        func(m map[string]any) { m["amount"] = strings.Repeat("9", 79) },
			"amount of 2^256": func(m map[string]any) {
				m["amount"] = "115792089237316195423570985008687907853269984665640564039457584007913129639936"
			},
		} {
			object := c.agreement(t).Object()
			change(object["invoice"].(map[string]any))
			if state := c.send(t, c.ada, vocab.Activity{Type: vocab.VerbAccept}, c.sign(t, c.ada, object)); state != "refused" {
				t.Errorf("%s: %s", name, state)
			}
		}
		testkit.SameRows(t, c.DB.Read, before, "activities", "river_job", "actors", "keys_seen", "hosts")
		if p, err := c.purchases.ByID(t.Context(), c.bought.ID); err != nil || p.State != purchase.Offered {
			t.Errorf("the purchase is %s, %v", p.State, err)
		}
	}, func(t *testing.T) {
		agreed := c.agreement(t)
		agreed.Invoice.Identifier = "18446744073709551615"
		if state := c.send(t, c.ada, vocab.Activity{Type: vocab.VerbAccept}, c.sign(t, c.ada, agreed.Object())); state != "done" {
			t.Errorf("the largest identifier: %s", state)
		}
		p, err := c.purchases.ByID(t.Context(), c.bought.ID)
		if invoice, ok := p.Invoiced(); err != nil || !ok || invoice.Identifier != "18446744073709551615" || p.State != purchase.Invoiced {
			t.Errorf("%+v, %v", p, err)
		}
	})

	testkit.BadInput(t, "B24", func(t *testing.T) {
		before := testkit.Rows(t, c.DB.Read)
		good := c.sign(t, c.ada, c.receipt().Object())
		swap := func(old, with string) []byte {
			if !bytes.Contains(good, []byte(old)) {
				t.Fatalf("no %s in %s", old, good)
			}
			return bytes.Replace(good, []byte(old), []byte(with), 1)
		}
		forged := *c.eve
		_, forged.Proof, err = ed25519.GenerateKey(rand.Reader)
		must(t, err)
		forged.URI = c.ada.URI
		future := c.receipt().Object()
		_, late, err := proof.Sign(future, c.ada.Proof, c.ada.URI+"#ed25519-1", c.Clock.Now().Add(time.Hour))
		must(t, err)
		for name, raw := range map[string][]byte{
			"a term that nobody knows":          swap(`"amount"`, `"discount":"1","amount"`),
			"a term from far away":              swap(`"amount"`, `"https://evil.example/ns#x":"1","amount"`),
			"a key twice":                       swap(`"amount"`, `"amount":"1","amount"`),
			"a key twice, hidden":               swap(`"amount"`, `"\u0061mount":"1","amount"`),
			"another amount":                    swap(`"5000000"`, `"5000001"`),
			"a fraction":                        swap(`"version":1`, `"version":1.0`),
			"an exponent":                       swap(`"version":1`, `"version":1e0`),
			"two proofs":                        swap(`"proof":{`, `"proof":[{},{`),
			"no proof":                          swap(`"proof":`, `"proofs":`),
			"a context of its own":              swap(`"@context":[`, `"@context":["https://evil.example/ns",`),
			"another purpose":                   swap(`"assertionMethod"`, `"authentication"`),
			"another suite":                     swap(`eddsa-jcs-2022`, `eddsa-rdfc-2022`),
			"a time to come":                    late,
			"re-signed with a key of its own":   c.sign(t, &forged, c.receipt().Object()),
			"re-signed by a neighbor":           bytes.ReplaceAll(c.sign(t, c.eve, withSigner(c.receipt(), c.eve.URI)), []byte(c.eve.URI+`"`), []byte(c.ada.URI+`"`)),
			"a lone surrogate":                  swap(`"raiden"`, `"\ud800"`),
			"signed by another, sent by seller": c.sign(t, c.eve, withSigner(c.receipt(), c.eve.URI)),
		} {
			if state := c.send(t, c.ada, vocab.Activity{Type: vocab.VerbCreate}, raw); state != "refused" && state != "ignored" && !strings.HasPrefix(state, "status") {
				t.Errorf("%s: %s", name, state)
			}
		}
		testkit.SameRows(t, c.DB.Read, before, "activities", "river_job", "actors", "keys_seen", "hosts")
	}, func(t *testing.T) {
		// The twin is B15's receipt, which is taken once.
		if _, err := vocab.ReadReceipt(c.sign(t, c.ada, c.receipt().Object())); err != nil {
			t.Error(err)
		}
	})

	testkit.BadInput(t, "B15", func(t *testing.T) {
		before := testkit.Rows(t, c.DB.Read)
		for name, change := range map[string]func(m map[string]any){
			"for another buyer":             func(m map[string]any) { m["to"] = c.BaseURL + "/users/eve" },
			"for another product":           func(m map[string]any) { m["product"] = peer + "/products/10" },
			"for another receiving key":     func(m map[string]any) { m["receivingKey"] = other },
			"for another requesting key":    func(m map[string]any) { m["requestingKey"] = otherRequesting },
			"of ground gift with a price":   func(m map[string]any) { m["ground"] = "gift" },
			"of no known ground":            func(m map[string]any) { m["ground"] = "theft" },
			"of a negative amount":          func(m map[string]any) { m["amount"] = "-5000000" },
			"of a comma":                    func(m map[string]any) { m["amount"] = "5,00" },
			"of NaN":                        func(m map[string]any) { m["amount"] = "NaN" },
			"of nothing":                    func(m map[string]any) { m["amount"] = "0" },
			"in a currency that is none":    func(m map[string]any) { m["asset"] = "ZZZ" },
			"of the year 9999":              func(m map[string]any) { m["paidAt"] = "9999-12-31T23:59:59Z" },
			"of a moment in another zone":   func(m map[string]any) { m["paidAt"] = "2026-11-20T12:00:00+01:00" },
			"without a time":                func(m map[string]any) { delete(m, "paidAt") },
			"without a payment":             func(m map[string]any) { delete(m, "paymentHash") },
			"with its agreement on no host": func(m map[string]any) { m["context"] = "urn:agreement" },
		} {
			object := c.receipt().Object()
			change(object)
			if state := c.send(t, c.ada, vocab.Activity{Type: vocab.VerbCreate}, c.sign(t, c.ada, object)); state != "refused" {
				t.Errorf("receipt %s: %s", name, state)
			}
		}
		// Eve sells nothing to anybody here, so nothing of hers is waited for.
		if state := c.send(t, c.eve, vocab.Activity{Type: vocab.VerbCreate}, c.sign(t, c.eve, withSigner(c.receipt(), c.eve.URI))); state != "refused" {
			t.Errorf("receipt of a stranger: %s", state)
		}
		grant := c.grant(t)
		for name, change := range map[string]func(m map[string]any){
			"for another buyer":          func(m map[string]any) { m["to"] = c.BaseURL + "/users/eve" },
			"for another receiving key":  func(m map[string]any) { m["receivingKey"] = other },
			"for another requesting key": func(m map[string]any) { m["requestingKey"] = otherRequesting },
			"that has ended":             func(m map[string]any) { m["startTime"], m["endTime"] = "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z" },
			"that ends before it begins": func(m map[string]any) { m["endTime"] = "2025-02-01T00:00:00Z" },
			"until the year 9999":        func(m map[string]any) { m["endTime"] = "9999-12-31T23:59:59Z" },
			"without an end":             func(m map[string]any) { delete(m, "endTime") },
			"with a damaged capsule": func(m map[string]any) {
				item := maps.Clone(m["items"].([]any)[0].(map[string]any))
				item["capsule"] = "AAAA" + item["capsule"].(string)[4:]
				m["items"] = []any{item}
			},
			"without proxies":             func(m map[string]any) { m["proxies"] = []any{} },
			"that needs more than it has": func(m map[string]any) { m["threshold"] = 2.0 },
		} {
			object := grant.Object()
			change(object)
			if state := c.send(t, c.ada, vocab.Activity{Type: vocab.VerbCreate}, c.sign(t, c.ada, object)); state != "refused" {
				t.Errorf("grant %s: %s", name, state)
			}
		}
		testkit.SameRows(t, c.DB.Read, before, "activities", "river_job", "actors", "keys_seen", "hosts")
	}, func(t *testing.T) {
		for range 2 { // and once more, with no second effect
			if state := c.send(t, c.ada, vocab.Activity{Type: vocab.VerbCreate}, c.sign(t, c.ada, c.receipt().Object())); state != "done" {
				t.Errorf("receipt: %s", state)
			}
		}
		grant := c.grant(t)
		for n := range 3 {
			if n == 2 { // an older form of the same grant, late
				grant.Updated = grant.Updated.Add(-time.Minute)
			}
			if state := c.send(t, c.ada, vocab.Activity{Type: vocab.VerbCreate}, c.sign(t, c.ada, grant.Object())); state != "done" {
				t.Errorf("grant: %s", state)
			}
		}
		if p, err := c.purchases.ByID(t.Context(), c.bought.ID); err != nil || p.State != purchase.Granted || p.Receipt == "" {
			t.Errorf("the purchase is %+v, %v", p, err)
		}
		if n := c.Count(t, "grants_held", "buyer = ?", c.lin.URI); n != 1 {
			t.Errorf("%d grants", n)
		}
	})
}

func withSigner(r vocab.Receipt, uri string) map[string]any {
	r.AttributedTo = uri
	return r.Object()
}

// TestNoPoolTakesNoMembership: where there is no pool, a membership has no effect.
func TestNoPoolTakesNoMembership(t *testing.T) {
	t.Parallel()
	c := open(t)
	membership := vocab.Membership{
		AttributedTo: c.ada.URI, Subject: c.eve.URI, Audience: c.Actors.Instance(), Month: "2026-11", ReceivingKey: c.lin.ReceivingKey,
		RequestingKey: c.lin.RequestingKey, EndTime: c.Clock.Now().Add(time.Hour).UTC().Truncate(time.Second),
	}
	before := testkit.Rows(t, c.DB.Read)
	for _, verb := range []vocab.Verb{vocab.VerbCreate, vocab.VerbOffer} {
		if state := c.send(t, c.ada, vocab.Activity{Type: verb}, c.sign(t, c.ada, membership.Object())); state != "ignored" && state != "refused" {
			t.Errorf("%s: %s", verb, state)
		}
	}
	testkit.SameRows(t, c.DB.Read, before, "activities", "river_job", "actors", "keys_seen", "hosts")
}
