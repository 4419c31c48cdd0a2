package vocab_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// missing is the value of a member that is taken away.
var missing = &struct{}{}

// set changes one member of what jsonld.Parse gave; path is such as "items.0.capsule".
func set(t *testing.T, v any, path string, value any) {
	t.Helper()
	name, rest, deeper := strings.Cut(path, ".")
	switch v := v.(type) {
	case map[string]any:
		switch {
		case deeper:
			set(t, v[name], rest, value)
		case value == any(missing):
			if _, ok := v[name]; !ok {
				t.Fatalf("there is no %s to take away", name)
			}
			delete(v, name)
		default:
			v[name] = value
		}
	case []any:
		i, err := strconv.Atoi(name)
		if err != nil || i >= len(v) {
			t.Fatalf("no element %s", name)
		}
		if deeper {
			set(t, v[i], rest, value)
		} else {
			v[i] = value
		}
	default:
		t.Fatalf("nothing at %s", path)
	}
}

// repeat is n times the value.
func repeat(n int, v any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = v
	}
	return out
}

type row struct {
	noun, path string
	value      any
}

func malformed() []row {
	rows := []row{
		// Amounts and counts (B15, B23).
		{"invoice", "amount", "-5"}, {"invoice", "amount", "+5"}, {"invoice", "amount", "05"}, {"invoice", "amount", "5.00"},
		{"invoice", "amount", "5,00"}, {"invoice", "amount", "1e3"}, {"invoice", "amount", "NaN"}, {"invoice", "amount", ""},
		{"invoice", "amount", "5 "}, {"invoice", "amount", "٥"}, {"invoice", "amount", "0x5"}, {"invoice", "amount", 5000000.0},
		{"invoice", "amount", strings.Repeat("9", 79)}, {"invoice", "amount", nil}, {"invoice", "amount", "0"},
		{"invoice", "identifier", 1844674407370955161.0}, {"invoice", "identifier", "18446744073709551616"},
		{"invoice", "identifier", "+5"}, {"invoice", "identifier", "05"}, {"invoice", "identifier", "1e3"},
		{"invoice", "identifier", "१२"}, {"invoice", "identifier", strings.Repeat("1", 78)}, {"invoice", "identifier", missing},
		{"invoice", "asset", "ZZZ"}, {"invoice", "asset", "iso4217:eur"}, {"invoice", "asset", "iso4217:EURO"}, {"invoice", "asset", ""},
		{"invoice", "asset", "eip155:0/erc20:" + address}, {"invoice", "asset", "eip155:1/erc721:" + address},
		{"invoice", "asset", token + "\n"}, {"invoice", "asset", missing}, {"invoice", "decimals", missing},
		{"invoice", "decimals", -1.0}, {"invoice", "decimals", 78.0}, {"invoice", "decimals", 1.5}, {"invoice", "decimals", "6"},
		{"invoice", "target", address[:41]}, {"invoice", "target", address + "0"}, {"invoice", "target", ""}, {"invoice", "target", "ada"},
		{"invoice", "provider", ""}, {"invoice", "provider", "Raiden"}, {"invoice", "provider", strings.Repeat("a", 33)},
		{"invoice", "expires", missing}, {"invoice", "expires", nil}, {"invoice", "url", "javascript:alert(1)"},
		{"invoice", "type", "Invoice"},

		// Times have one spelling and lie in years that people live in (B15).
		{"grant", "endTime", missing}, {"grant", "endTime", "9999-12-31T23:59:59Z"}, {"grant", "endTime", ""},
		{"grant", "endTime", "2026-11-20T12:00:02Z"}, {"grant", "endTime", "2025-11-20T12:00:02Z"},
		{"grant", "startTime", "2026-11-20T12:00:02.5Z"}, {"grant", "startTime", "2026-11-20T12:00:02+00:00"},
		{"grant", "startTime", "2026-11-20T13:00:02+01:00"}, {"grant", "startTime", "2026-11-20 12:00:02Z"},
		{"grant", "startTime", "2026-11-20T12:00:60Z"}, {"grant", "startTime", "2026-02-29T12:00:02Z"},
		{"grant", "startTime", "0000-01-01T00:00:00Z"}, {"grant", "startTime", 1795176002.0}, {"grant", "startTime", missing},
		{"grant", "startTime", nil}, {"grant", "updated", missing}, {"grant", "updated", "2026-11-20"},

		// Ids and their hosts (B2, C11).
		{"grant", "id", missing}, {"grant", "id", ""}, {"grant", "id", "/grants/1"}, {"grant", "id", "#grant"}, {"grant", "id", 7.0},
		{"grant", "id", "https://s.example/grants/1#x"}, {"grant", "id", "https://s.example/grants/1#"},
		{"grant", "id", "https://ada@s.example/grants/1"}, {"grant", "id", "ftp://s.example/grants/1"}, {"grant", "id", "https:///grants/1"},
		{"grant", "id", "https://S.example/grants/1"}, {"grant", "id", "https://s.example./grants/1"}, {"grant", "id", "data:text/html,x"},
		{"grant", "id", "https://s.example/" + strings.Repeat("a", 2048)}, {"grant", "id", "https://s.example/\x7f"},
		{"grant", "id", map[string]any{"id": "https://s.example/grants/1"}},
		{"grant", "id", "https://s.example:8443/grants/1"}, {"grant", "id", "http://s.example/grants/1"},
		{"grant", "attributedTo", "https://evil.example/users/ada"}, {"grant", "attributedTo", "https://s.example.evil.example/users/ada"},
		{"grant", "attributedTo", missing}, {"grant", "attributedTo", []any{artist}}, {"grant", "to", missing}, {"grant", "to", []any{buyer}},
		{"grant", "receipt", missing}, {"grant", "receipt", "https://evil.example/receipts/1"},
		{"grant", "context", "https://evil.example/agreements/1"}, {"grant", "product", "https://evil.example/products/9"},
		{"grant", "items.0.track", "https://evil.example/tracks/77"},

		// Keys (B22).
		{"grant", "receivingKey", edwards(3)}, {"grant", "requestingKey", point(4)}, {"grant", "receivingKey", point(3)[:20]},
		{"grant", "receivingKey", "z" + strings.Repeat("1", 60)}, {"grant", "receivingKey", []any{point(3), point(5)}},
		{"grant", "receivingKey", point(1)}, {"grant", "receivingKey", point(2)}, {"grant", "delegatingKey", point(2)},
		{"grant", "receivingKey", ""}, {"grant", "verifyingKey", missing}, {"grant", "requestingKey", missing},
		{"keyfragment", "receivingKey", point(1)}, {"keyfragment", "receivingKey", point(2)}, {"keyfragment", "delegatingKey", point(2)},

		// Counts and lengths of the grant.
		{"grant", "version", 0.0}, {"grant", "version", -1.0}, {"grant", "version", 1.5}, {"grant", "version", "3"},
		{"grant", "version", 4294967296.0}, {"grant", "set", 0.0}, {"grant", "set", missing},
		{"grant", "threshold", 0.0}, {"grant", "threshold", 4.0}, {"grant", "threshold", missing},
		{"grant", "proxies", []any{}}, {"grant", "proxies", missing}, {"grant", "proxies", map[string]any{}}, {"grant", "proxies.1", "https://b.example/actor"},
		{"grant", "proxies.1.actor", "https://s.example/actor"}, {"grant", "proxies.1.reencrypt", missing},
		{"grant", "proxies.1.key", "x"}, {"grant", "items", []any{}}, {"grant", "items", nil}, {"grant", "items.0.note", "x"},
		{"grant", "items.0.capsule", "IiIi"}, {"grant", "items.0.capsule", strings.Repeat("I", 132)}, {"grant", "items.0.ciphertext", strings.Repeat("M", 97)},
		{"grant", "items.0.capsule", strings.Repeat("I", 130) + "J"}, // 98 bytes and set bits behind them
		{"grant", "items.0.capsule", strings.Repeat("I", 130) + "="}, {"grant", "items.0.contentKeyHash", strings.Repeat("+", 43)},
		{"grant", "items.0.manifest", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKQ8bc"}, {"grant", "items.0.manifest", "../" + cid},
		{"grant", "items.0.manifest", ""}, {"grant", "scheme", "umbral-secp256k1-v2"}, {"grant", "scheme", missing},

		// Types, context and members that nobody knows (B24).
		{"grant", "type", "AccessGrant"}, {"grant", "type", []any{"Document", "AccessGrant"}}, {"grant", "type", []any{"AccessGrant"}},
		{"grant", "type", []any{"AccessGrant", "Document", "Note"}}, {"grant", "type", []any{"Receipt", "Document"}},
		{"grant", "@context", missing}, {"grant", "@context", vocab.ActivityStreams}, {"grant", "@context", []any{vocab.ActivityStreams, "https://evil.example/ns"}},
		{"grant", "@context.2.product", "mus:receipt"}, {"grant", "name", "a gift"}, {"grant", "mus:product", "https://s.example/products/8"},

		{"receipt", "ground", "theft"}, {"receipt", "ground", ""}, {"receipt", "ground", "gift"}, // a gift has no price
		{"receipt", "context", missing}, {"receipt", "context", "https://evil.example/agreements/1"}, {"receipt", "amount", "0"},
		{"receipt", "paymentHash", missing}, {"receipt", "paymentHash", strings.Repeat("a", 64)}, {"receipt", "provider", missing},
		{"receipt", "paidAt", missing}, {"receipt", "paidAt", "2026-11-20T12:00:00+01:00"}, {"receipt", "product", "https://evil.example/products/9"},
		{"receipt", "currency", "EUR"}, {"receipt", "version", missing}, {"receipt", "attributedTo", "https://evil.example/users/ada"},

		{"keyfragment", "sealed.enc", strings.Repeat("A", 1493)}, {"keyfragment", "sealed.ciphertext", ""}, {"keyfragment", "sealed", missing},
		{"keyfragment", "sealed.key", "https://p.example/actor"}, {"keyfragment", "sealed.key", "https://p.example/actor#"},
		{"keyfragment", "sealed.key", "https://evil.example/actor#sealing-1"}, {"keyfragment", "sealed.key", "https://p.example/actor#a#b"},
		{"keyfragment", "sealed.plaintext", "x"}, {"keyfragment", "capsules", []any{}}, {"keyfragment", "capsules.0", "ZmZm"},
		{"keyfragment", "capsules", repeat(2, "ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY")}, {"keyfragment", "capsules", "ZmZm"},
		{"keyfragment", "grant", "https://evil.example/grants/1"}, {"keyfragment", "attributedTo", "https://evil.example/users/ada"},
		{"keyfragment", "target", missing}, {"keyfragment", "to", buyer}, {"keyfragment", "set", 0.0}, {"keyfragment", "endTime", missing},
		{"keyfragment", "endTime", "2026-11-20T12:00:02Z"},

		{"agreement-offered", "id", "https://b.example/agreements/1"}, {"agreement-offered", "nonce", missing},
		{"agreement-offered", "nonce", "RERERERE"}, {"agreement-offered", "receivingKey", edwards(3)}, {"agreement-offered", "amount", "1"},
		{"agreement-offered", "stipulates", missing}, {"agreement-offered", "stipulatesReciprocal.resourceQuantity.hasNumericalValue", "1"},
		{"agreement-offered", "stipulatesReciprocal.satisfies", "https://s.example/proposals/8#reciprocal"},
		{"agreement-offered", "stipulates.satisfies", "https://s.example/proposals/9"}, {"agreement-offered", "stipulates.satisfies", "#primary"},
		{"agreement-offered", "product", "https://evil.example/products/9"}, {"agreement-offered", "stipulates.resourceQuantity.hasUnit", "year"},
		{"agreement-offered", "stipulates.resourceQuantity.hasNumericalValue", "12"}, {"agreement-offered", "invoice", map[string]any{}},
		{"agreement-offered", "type", []any{"Agreement", "Document"}}, {"agreement-offered", "version", 3.0},
		{"agreement", "@context", missing}, {"agreement", "id", missing}, {"agreement", "attributedTo", missing}, {"agreement", "attributedTo", buyer}, {"agreement", "version", missing},
		{"agreement", "product", "https://evil.example/products/9"}, {"agreement", "invoice", missing}, {"agreement", "invoice.amount", "4000000"},
		{"agreement", "invoice.asset", "iso4217:EUR"}, {"agreement", "invoice.decimals", 5.0}, {"agreement", "invoice.type", "Invoice"},
		{"agreement", "invoice.identifier", "-1"}, {"agreement", "nonce", "RERERERERERERERERERERA"}, {"agreement", "stipulates.id", "https://s.example/agreements/x#primary"},
		{"agreement", "asset", "iso4217:EUR"},

		// D4: durations of liars.
		{"track", "duration", "PT99999999H"}, {"track", "duration", "-PT3M31S"}, {"track", "duration", "PT0S"}, {"track", "duration", "P1D"},
		{"track", "duration", "PT211S"}, {"track", "duration", "PT3M31.5S"}, {"track", "duration", 211.0}, {"track", "duration", "PT"}, {"track", "duration", ""},
		{"track", "name", ""}, {"track", "name", missing}, {"track", "name", strings.Repeat("é", 501)}, {"track", "name", []any{"a"}},
		{"track", "attributedTo", "https://evil.example/users/ada"}, {"track", "published", missing}, {"track", "updated", "yesterday"},
		{"track", "url", missing}, {"track", "url", []any{}}, {"track", "url", "https://s.example/@ada/brass-rain"}, {"track", "url.0.mediaType", "audio/mpeg"},
		{"track", "url.0.href", "javascript:alert(1)"}, {"track", "url.1.href", "file:///etc/passwd"}, {"track", "url.1.mediaType", "audio/mpeg; x"},
		{"track", "image.url", "data:image/svg+xml,x"}, {"track", "image.type", "Document"}, {"track", "image.mediaType", missing},
		{"track", "manifest", cid}, {"track", "manifest.cid", "https://evil.example/m3u8"}, {"track", "manifest.size", -1.0}, {"track", "size", missing},
		{"track", "size", 1.5}, {"track", "contentKeyHash", missing}, {"track", "contentKeyHash", "EQ"}, {"track", "capsules.0.capsule", missing},
		{"track", "capsules.0.product", "https://evil.example/products/9"}, {"track", "capsules.0.version", 0.0}, {"track", "capsules.0.delegatingKey", edwards(1)},
		{"track", "capsules", map[string]any{}}, {"track", "proposals.0.id", "https://evil.example/proposals/9"}, {"track", "proposals.0.amount", "-1"},
		{"track", "proposals.0.product", "https://evil.example/products/9"}, {"track", "proposals.0.type", "Intent"}, {"track", "proposals.0.asset", missing},
		{"track", "album.id", "https://evil.example/albums/9"}, {"track", "album", 9.0}, {"track", "album.type", "Audio"}, {"track", "position", -1.0},
		{"track", "isrc", "XX"}, {"track", "access", "everyone"}, {"track", "access", []any{"pool"}}, {"track", "musicbrainzId", "0"}, {"track", "license", "all rights reserved"}, {"track", "context", "https://evil.example/notes/77"},
		{"track", "type", []any{"Note", "AudioTrack"}}, {"track", "sha256", "x"}, {"track", "summary", 1.0}, {"track", "to", repeat(17, buyer)}, {"track", "to", "Public"},

		{"proposal", "type", "Intent"}, {"proposal", "purpose", "request"}, {"proposal", "attributedTo", "https://evil.example/users/ada"},
		{"proposal", "publishes.id", "https://s.example/proposals/8#primary"}, {"proposal", "publishes", missing}, {"proposal", "name", missing},
		{"proposal", "reciprocal.resourceQuantity.hasNumericalValue", "5.00"}, {"proposal", "reciprocal.resourceConformsTo", "urn:iso:std:iso:4217:EUR"},
		{"proposal", "reciprocal.resourceQuantity.hasUnit", "month"}, {"proposal", "decimals", missing}, {"proposal", "product", "https://evil.example/products/9"},

		{"playlist", "attributedTo", artist}, {"playlist", "orderedItems.0", map[string]any{"id": "https://s.example/tracks/77"}},
		{"playlist", "orderedItems", repeat(5001, "https://s.example/tracks/77")}, {"playlist", "totalItems", 1e6}, {"playlist", "orderedItems.1", "about:blank"},
		{"playlist", "type", "OrderedCollection"}, {"playlist", "name", missing}, {"playlist", "followers", artist + "/followers"}, {"playlist", "orderedItems", "https://s.example/tracks/77"},

		{"listen", "actor", artist}, {"listen", "published", missing}, {"listen", "object", missing}, {"listen", "duration", "PT3M33S"}, {"listen", "endTime", "2026-11-20T10:00:00Z"},
		{"listen", "type", []any{"Listen", "View"}}, {"listen", "duration", "PT99999999H"},
		{"listen", "result", "5"}, {"listen", "result", map[string]any{"type": "InteractionCounter", "userInteractionCount": 0}}, {"listen-day", "duration", "PT99999H"},

		{"subscription-offered", "id", "https://s.example/subscriptions/x"}, {"subscription-offered", "product", missing},
		{"subscription-offered", "product", "https://evil.example/products/1"}, {"subscription-offered", "subject", missing}, {"subscription-offered", "object", missing},
		{"subscription", "product", "https://evil.example/products/1"}, {"subscription", "startTime", "2026"},
		{"subscription", "attributedTo", buyer}, {"subscription", "object", buyer}, {"subscription", "relationship", "http://purl.org/vocab/relationship/friendOf"},
		{"subscription", "subject", missing}, {"subscription", "endTime", missing}, {"subscription", "context", "https://evil.example/agreements/1"}, {"subscription", "type", "Relationship"},
	}
	// Members that must be there, of every noun that does not say so above.
	for _, n := range nouns() {
		rows = append(rows, row{n.name, "type", missing}, row{n.name, "type", nil}, row{n.name, "type", []any{1.0}})
		if n.signed {
			rows = append(rows, row{n.name, "@context", vocab.ActivityStreams}, row{n.name, "unknown", "x"})
		}
		if n.signed && n.kind != vocab.KindAgreement {
			rows = append(rows, row{n.name, "@context", missing})
		}
	}
	return rows
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	byName := map[string]noun{}
	for _, n := range nouns() {
		byName[n.name] = n
	}
	for i, r := range malformed() {
		t.Run(strconv.Itoa(i)+" "+r.noun+" "+r.path, func(t *testing.T) {
			t.Parallel()
			n := byName[r.noun]
			m := parsed(t, n)
			set(t, m, r.path, r.value)
			raw, err := jsonld.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			got, err := n.read(raw)
			if !errors.Is(err, vocab.ErrInvalid) && !errors.Is(err, jsonld.ErrMalformed) {
				t.Errorf("%v was taken (%v): %+v", r.value, err, got)
			}
			if took := time.Since(begin); took > time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// parsed is the noun's sample, as it is received.
func parsed(t *testing.T, n noun) map[string]any {
	t.Helper()
	raw, err := jsonld.Marshal(n.sample().Object())
	if err != nil {
		t.Fatal(err)
	}
	m, err := jsonld.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestOfferedContext lets an offered agreement go without context only as long as nothing in it is signed.
func TestOfferedContext(t *testing.T) {
	t.Parallel()
	m := sampleOffered().Object()
	delete(m, "@context")
	for _, tc := range []struct {
		proof any
		want  error
	}{{nil, nil}, {map[string]any{"type": "DataIntegrityProof"}, vocab.ErrInvalid}} {
		if tc.proof != nil {
			m["proof"] = tc.proof
		}
		raw, err := jsonld.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vocab.ReadOfferedAgreement(raw); !errors.Is(err, tc.want) {
			t.Errorf("with proof %v: %v", tc.proof, err)
		}
	}
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	track, grant, fragment := sampleTrack(), sampleGrant(), sampleKeyFragment()
	many := func(n int) {
		track.Capsules, grant.Items, fragment.Capsules, grant.Proxies = nil, nil, nil, nil
		for i := range n {
			c := sampleTrack().Capsules[0]
			c.Version = i + 1
			track.Capsules = append(track.Capsules, c)
			it := sampleGrant().Items[0]
			it.Track += strconv.Itoa(i)
			grant.Items = append(grant.Items, it)
			fragment.Capsules = append(fragment.Capsules, append(fill(30, 1), byte(i>>8), byte(i)))
			grant.Proxies = append(grant.Proxies, vocab.Proxy{Actor: "https://p" + strconv.Itoa(i) + ".example/actor", Reencrypt: "https://p.example/r"})
		}
	}
	read := func(x object, read func([]byte) (object, error)) error {
		raw, err := jsonld.Marshal(x.Object())
		if err != nil {
			t.Fatal(err)
		}
		_, err = read(raw)
		return err
	}
	for n, tooMany := range map[int]string{16: "", 17: "proxies", 64: "proxies", 65: "proxies capsules", 500: "proxies capsules", 501: "proxies capsules items fragment"} {
		many(n)
		proxies := grant.Proxies
		grant.Proxies = sampleGrant().Proxies
		wide := sampleGrant()
		wide.Proxies = proxies
		for name, err := range map[string]error{
			"proxies": read(wide, reader(vocab.ReadGrant)), "items": read(grant, reader(vocab.ReadGrant)),
			"capsules": read(track, reader(vocab.ReadTrack)), "fragment": read(fragment, reader(vocab.ReadKeyFragment)),
		} {
			if want := strings.Contains(tooMany, name); errors.Is(err, vocab.ErrInvalid) != want || !want && err != nil {
				t.Errorf("%d %s: %v", n, name, err)
			}
		}
	}
}

// TestTwice refuses lists that name the same thing twice, where a second entry could only mislead.
func TestTwice(t *testing.T) {
	t.Parallel()
	track, grant := sampleTrack(), sampleGrant()
	track.Capsules = append(track.Capsules, track.Capsules[0])
	grant.Items = append(grant.Items, grant.Items[0])
	for _, tc := range []struct {
		x    object
		read func([]byte) (object, error)
	}{{track, reader(vocab.ReadTrack)}, {grant, reader(vocab.ReadGrant)}} {
		raw, err := jsonld.Marshal(tc.x.Object())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tc.read(raw); !errors.Is(err, vocab.ErrInvalid) || !strings.Contains(err.Error(), "two") && !strings.Contains(err.Error(), "twice") {
			t.Errorf("got %v", err)
		}
	}
}

// TestMalformedText has what can only be said in bytes: numbers and keys that two parsers read in two ways (B23, B24,
// C9).
func TestMalformedText(t *testing.T) {
	t.Parallel()
	byName := map[string]noun{}
	for _, n := range nouns() {
		byName[n.name] = n
	}
	for _, tc := range []struct{ noun, from, to string }{
		{"grant", `"version":3`, `"version":3.0`},
		{"grant", `"version":3`, `"version":3e0`},
		{"grant", `"version":3`, `"version":9007199254740993`},
		{"grant", `"version":3`, `"version":3,"version":4`},
		{"grant", `"threshold":2`, `"threshold":1e400`},
		{"receipt", `"decimals":6`, `"decimals":-0`},
		{"invoice", `"identifier":"1844674407370955161"`, `"identifier":18446744073709551616`},
		{"track", `"name":"Brass Rain"`, `"name":"\ud83c"`},
		{"track", `"name":"Brass Rain"`, `"name":"Brass\u0000Rain"`},
		{"keyfragment", `"set":1`, `"set":1,"s\u0065t":2`},
		{"playlist", `"totalItems":3`, `"totalItems":03`},
		{"subscription", `}`, `} x`},
	} {
		t.Run(tc.noun+" "+tc.to, func(t *testing.T) {
			t.Parallel()
			n := byName[tc.noun]
			raw, err := jsonld.Marshal(n.sample().Object())
			if err != nil {
				t.Fatal(err)
			}
			bad := strings.Replace(string(raw), tc.from, tc.to, 1)
			if bad == string(raw) {
				t.Fatalf("%s does not stand in %s", tc.from, raw)
			}
			if _, err := n.read([]byte(bad)); !errors.Is(err, jsonld.ErrMalformed) {
				t.Errorf("got %v", err)
			}
		})
	}
}
