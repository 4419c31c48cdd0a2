package vocab

import (
	"slices"
	"time"
)

// Scheme is the re-encryption that grants are made with; media/pre/umbral is the code.
const Scheme = "umbral-secp256k1-v1"

// Grant tells a buyer which capsules open with which key, and which proxies help. ID, AttributedTo, Product, Agreement,
// Receipt and every item's track are on the seller's host.
type Grant struct {
	ID string
	// AttributedTo is the artist, whose proof the grant carries.
	AttributedTo string
	// To is the buyer.
	To string
	// Agreement is what was agreed on, or empty where the receipt's ground needs none.
	Agreement string
	Receipt   string
	Product   string
	Version   int
	// DelegatingKey, VerifyingKey and ReceivingKey are secp256k1 Multikeys, RequestingKey is an Ed25519 Multikey.
	DelegatingKey, VerifyingKey, ReceivingKey, RequestingKey string
	// Set counts the runs in which key fragments were made, from 1; fragments of two sets do not combine.
	Set int
	// Threshold is how many of the Proxies are needed: 1 <= Threshold <= len(Proxies) <= MaxProxies.
	Threshold int
	Proxies   []Proxy
	// Items are 1 to MaxItems, one for each track.
	Items     []Item
	StartTime time.Time
	// EndTime is nil for a grant for good.
	EndTime *time.Time
	// Updated goes up with every change of the grant.
	Updated time.Time
}

// Proxy is an instance that re-encrypts.
type Proxy struct {
	// Actor is the instance's actor.
	Actor string
	// Reencrypt is where it is asked.
	Reencrypt string
}

// Item is one track that a grant opens.
type Item struct {
	Track string
	// Capsule and Ciphertext are the content key sealed to the grant's DelegatingKey: CapsuleSize, CiphertextSize.
	Capsule, Ciphertext []byte
	// Manifest is the CID of the multivariant playlist.
	Manifest string
	// ContentKeyHash is SHA-256("antiphon/content-key/v1" || content key).
	ContentKeyHash []byte
}

// Object is the grant as it is signed. It does not check; ReadGrant does.
func (g Grant) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindAccessGrant), "id": g.ID, "type": []any{"AccessGrant", "Document"},
		"attributedTo": g.AttributedTo, "to": g.To, "receipt": g.Receipt,
		"scheme": Scheme, "product": g.Product, "version": g.Version,
		"delegatingKey": g.DelegatingKey, "verifyingKey": g.VerifyingKey,
		"receivingKey": g.ReceivingKey, "requestingKey": g.RequestingKey,
		"set": g.Set, "threshold": g.Threshold,
		"startTime": formatTime(g.StartTime), "endTime": timeOrNull(g.EndTime), "updated": formatTime(g.Updated),
	}
	put(m, "context", g.Agreement)
	proxies := make([]any, len(g.Proxies))
	for i, p := range g.Proxies {
		proxies[i] = map[string]any{"actor": p.Actor, "reencrypt": p.Reencrypt}
	}
	m["proxies"] = proxies
	items := make([]any, len(g.Items))
	for i, it := range g.Items {
		items[i] = map[string]any{
			"track": it.Track, "capsule": encodeBytes(it.Capsule), "ciphertext": encodeBytes(it.Ciphertext),
			"manifest": it.Manifest, "contentKeyHash": encodeBytes(it.ContentKeyHash),
		}
	}
	m["items"] = items
	return m
}

// ReadGrant reads a grant's exact form. It looks neither at the proof nor at the clock, whether the artist may sell the
// product is not known to it, and points and capsules are checked by media/pre/umbral. Errors wrap ErrInvalid or those
// of vocab/jsonld.
func ReadGrant(raw []byte) (Grant, error) {
	o, err := openSigned(raw, KindAccessGrant, "AccessGrant", "Document")
	if err != nil {
		return Grant{}, err
	}
	g := Grant{ID: o.id("id")}
	g.AttributedTo = o.sibling("attributedTo", g.ID)
	g.To = o.id("to")
	g.Agreement = o.maybeSibling("context", g.ID)
	g.Receipt = o.sibling("receipt", g.ID)
	o.same("scheme", Scheme)
	g.Product = o.sibling("product", g.ID)
	g.Version = o.version("version")
	g.DelegatingKey = o.secp256k1("delegatingKey")
	g.VerifyingKey = o.secp256k1("verifyingKey")
	g.ReceivingKey = o.secp256k1("receivingKey")
	o.different("receivingKey", g.ReceivingKey, g.DelegatingKey, g.VerifyingKey)
	o.different("delegatingKey", g.DelegatingKey, g.VerifyingKey)
	g.RequestingKey = o.ed25519("requestingKey")
	g.Set = o.version("set")
	for _, p := range o.children("proxies", 1, MaxProxies) {
		proxy := Proxy{Actor: p.id("actor"), Reencrypt: p.id("reencrypt")}
		if slices.ContainsFunc(g.Proxies, func(q Proxy) bool { return q.Actor == proxy.Actor }) {
			p.fail("actor", "is a proxy twice")
		}
		g.Proxies = append(g.Proxies, proxy)
	}
	g.Threshold = int(o.integer("threshold", 1, max(1, int64(len(g.Proxies)))))
	g.Items = o.items(g.ID)
	g.StartTime = o.moment("startTime")
	g.EndTime = o.until("endTime", g.StartTime)
	g.Updated = o.moment("updated")
	if err := o.close(); err != nil {
		return Grant{}, err
	}
	return g, nil
}

func (o *object) items(seller string) []Item {
	var out []Item
	seen := map[string]bool{}
	for _, c := range o.children("items", 1, MaxItems) {
		it := Item{
			Track: c.sibling("track", seller), Capsule: c.capsule("capsule"), Ciphertext: c.bytes("ciphertext", CiphertextSize),
			Manifest: c.cid("manifest"), ContentKeyHash: c.hash("contentKeyHash"),
		}
		if seen[it.Track] {
			c.fail("track", "is an item twice")
		}
		seen[it.Track] = true
		out = append(out, it)
	}
	return out
}
