package inbox_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/vocab"
	"antiphon/vocab/proof"
)

// keyDocument serves a key with an address of its own.
func keyDocument(t *testing.T, p *fedtest.Peer, path, id, owner string, key *rsa.PrivateKey) map[string]any {
	t.Helper()
	d := map[string]any{"@context": vocab.ActivityStreams, "id": id, "type": "Key", "owner": owner, "publicKeyPem": fedtest.PEM(t, key)}
	p.Serve(t, path, d)
	return d
}

func TestBadKeys(t *testing.T) {
	t.Parallel()
	g := newGate(t, fedtest.Options{})
	evil := fedtest.NewPeer(t)
	mallory := evil.Person(t, "mallory")
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	// as is a request by mallory, who says to be owner and to sign with the key of that id.
	as := func(t *testing.T, owner, keyID string) *http.Request {
		liar, author := *mallory, *mallory
		liar.KeyID, author.URI = keyID, owner
		return liar.Request(t, g.ada.Inbox, g.body(t, &author), g.Clock.Now())
	}
	// withKey lets mallory use a key with an address of its own, and mallory's document say so.
	withKey := func(path string) func(*testing.T) {
		return func(t *testing.T) {
			who := evil.Person(t, strings.ReplaceAll(path[1:], "/", "_"))
			who.KeyID = evil.BaseURL + path
			who.Document["publicKey"] = keyDocument(t, evil, path, who.KeyID, who.URI, who.Key)
			who.Publish(t)
			g.takes(t, who.Request(t, g.ada.Inbox, g.body(t, who), g.Clock.Now()))
		}
	}
	testkit.BadInput(t, "A2", func(t *testing.T) {
		g.Clock.Advance(2 * time.Minute) // the document may be asked for anew
		before := g.peer.Requests("/users/bob")
		for range 5 {
			liar := *g.bob
			liar.Key = foreign
			g.refuses(t, "another key", liar.Request(t, g.ada.Inbox, g.body(t, g.bob), g.Clock.Now()), 401)
		}
		if n := g.peer.Requests("/users/bob") - before; n > 1 {
			t.Errorf("the actor was asked for %d times", n)
		}
	}, g.twin)
	testkit.BadInput(t, "A3", func(t *testing.T) {
		g.refuses(t, "another actor of the host", g.eve.Request(t, g.ada.Inbox, g.body(t, g.bob), g.Clock.Now()), 401, "actors", "keys_seen")
		g.refuses(t, "an actor of another host", mallory.Request(t, g.ada.Inbox, g.body(t, g.bob), g.Clock.Now()), 401, "actors", "keys_seen")
	}, g.twin)
	testkit.BadInput(t, "A4", func(t *testing.T) {
		victim := evil.Person(t, "victim")
		id := evil.BaseURL + "/keys/a4"
		keyDocument(t, evil, "/keys/a4", id, victim.URI, mallory.Key)
		g.refuses(t, "the owner does not list it", as(t, victim.URI, id), 401, "actors", "keys_seen")
		g.refuses(t, "key id of the victim", as(t, g.bob.URI, g.bob.KeyID), 401)
	}, withKey("/keys/a4-twin"))
	testkit.BadInput(t, "A5", func(t *testing.T) {
		id := evil.BaseURL + "/keys/a5"
		for range 2 {
			keyDocument(t, evil, "/keys/a5", evil.BaseURL+"/keys/other", mallory.URI, mallory.Key)
			g.refuses(t, "a document of another id", as(t, mallory.URI, id), 401, "actors", "keys_seen")
		}
	}, withKey("/keys/a5-twin"))
	testkit.BadInput(t, "A6", func(t *testing.T) {
		id := evil.BaseURL + "/keys/a6"
		keyDocument(t, evil, "/keys/a6", id, g.bob.URI, mallory.Key)
		g.refuses(t, "an owner on another host", as(t, g.bob.URI, id), 401)
	}, withKey("/keys/a6-twin"))
	testkit.BadInput(t, "A17", func(t *testing.T) {
		g.Clock.Advance(2 * time.Minute)
		g.takes(t, g.knock(t))
		renewed := *g.bob
		renewed.Key = foreign
		before := g.peer.Requests("/users/bob")
		for range 10 { // the document still has the old key
			g.refuses(t, "a key that the document does not have", renewed.Request(t, g.ada.Inbox, g.body(t, g.bob), g.Clock.Now()), 401)
		}
		if n := g.peer.Requests("/users/bob") - before; n > 1 {
			t.Errorf("the actor was asked for %d times in a minute", n)
		}
	}, func(t *testing.T) {
		g.Clock.Advance(2 * time.Minute)
		old := *g.bob
		g.bob.Key = foreign
		g.bob.Document["publicKey"].(map[string]any)["publicKeyPem"] = fedtest.PEM(t, foreign)
		g.bob.Publish(t)
		before := g.peer.Requests("/users/bob")
		for range 3 {
			g.takes(t, g.knock(t))
		}
		if n := g.peer.Requests("/users/bob") - before; n != 1 {
			t.Errorf("the actor was asked for %d times", n)
		}
		g.refuses(t, "the old key", old.Request(t, g.ada.Inbox, g.body(t, g.bob), g.Clock.Now()), 401)
	})
}

func TestBadAlgorithms(t *testing.T) {
	t.Parallel()
	g := newGate(t, fedtest.Options{})
	testkit.BadInput(t, "A15", func(t *testing.T) {
		for _, algorithm := range []string{"hmac-sha256", "none", "ed25519", "ecdsa-sha256", "rsa-sha1", "rsa-sha512", "RSA-MD5"} {
			g.refuses(t, algorithm, cavage(t, g.knock(t), g.bob, algorithm, usual...), 401)
		}
		curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		edwards, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(g.eve.Key)
		if err != nil {
			t.Fatal(err)
		}
		public := func(key any) string {
			der, err := x509.MarshalPKIXPublicKey(key)
			if err != nil {
				t.Fatal(err)
			}
			return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		}
		modulus := func(bits uint) *big.Int { return new(big.Int).SetBit(big.NewInt(1), int(bits)-1, 1) }
		begin := time.Now()
		for what, text := range map[string]string{
			"RSA-512": public(&rsa.PublicKey{N: modulus(512), E: 65537}), "RSA-1024": public(&rsa.PublicKey{N: modulus(1024), E: 65537}),
			"RSA with e=1": public(&rsa.PublicKey{N: g.eve.Key.N, E: 1}), "RSA with even e": public(&rsa.PublicKey{N: g.eve.Key.N, E: 65536}),
			"RSA-16384": public(&rsa.PublicKey{N: modulus(16384), E: 65537}), "P-256": public(&curve.PublicKey), "Ed25519 under an RSA algorithm": public(edwards),
			"a certificate":     string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secret})),
			"a private key":     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
			"two keys":          fedtest.PEM(t, g.eve.Key) + fedtest.PEM(t, g.bob.Key),
			"no PEM":            "MIIB",
			"a megabyte of PEM": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: make([]byte, 600<<10)})),
		} {
			who := g.peer.Person(t, strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
					return r
				}
				return -1
			}, strings.ToLower(what)))
			who.Document["publicKey"].(map[string]any)["publicKeyPem"] = text
			who.Publish(t)
			g.refuses(t, what, who.Request(t, g.ada.Inbox, g.body(t, who), g.Clock.Now()), 401, "actors", "keys_seen")
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("strange keys took %s", took)
		}
	}, func(t *testing.T) { g.takes(t, cavage(t, g.knock(t), g.bob, "hs2019", usual...)) })
}

func TestBadFarewell(t *testing.T) {
	t.Parallel()
	g := newGate(t, fedtest.Options{})
	farewell := func(t *testing.T, who *fedtest.Person) *http.Request {
		forged := *who
		forged.Key = g.eve.Key // whoever it was: the true key is gone
		a := vocab.Activity{ID: who.URI + "#delete", Type: vocab.VerbDelete, Actor: who.URI, Object: vocab.Ref{ID: who.URI}}
		return forged.Request(t, g.ada.Inbox, fedtest.JSON(t, a), g.Clock.Now())
	}
	testkit.BadInput(t, "A18", func(t *testing.T) {
		stranger := g.peer.Person(t, "stranger")
		g.peer.Serve(t, "/users/stranger", nil)
		for range 3 {
			g.refuses(t, "farewell of a stranger", farewell(t, stranger), 202)
		}
		if n := g.peer.Requests("/users/stranger"); n != 0 {
			t.Errorf("the stranger was asked for %d times", n)
		}
		g.Clock.Advance(2 * time.Minute)
		g.refuses(t, "farewell of who is still there", farewell(t, g.bob), 401)
	}, func(t *testing.T) {
		g.Clock.Advance(2 * time.Minute)
		g.peer.Serve(t, "/users/bob", nil)
		g.takes(t, farewell(t, g.bob))
		g.Start(t)
		fedtest.Until(t, "bob is gone", func() bool { return g.Count(t, "actors", "uri = ?", g.bob.URI) == 0 }, g.Instance)
	})
}

func TestBadProofs(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	y.followBob(t)
	say := func(t *testing.T, id string, object map[string]any, state string) {
		t.Helper()
		before := testkit.Rows(t, y.DB.Read)
		y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/acts/" + id, Type: vocab.VerbCreate, Object: embed(t, object)}, state)
		if state == "refused" {
			testkit.SameRows(t, y.DB.Read, before, "activities", "river_job", "actors", "keys_seen")
		}
	}
	signed := func(t *testing.T, who *fedtest.Person, method string, change func(map[string]any)) map[string]any {
		t.Helper()
		ref := y.trackOf(t, y.bob, "a21", "One", time.Time{})
		m := members(t, ref.Raw)
		delete(m, "proof")
		m, _, err := proof.Sign(m, who.Proof, method, y.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(m)
		}
		return m
	}
	own := y.bob.URI + "#ed25519-1"
	testkit.BadInput(t, "A21", func(t *testing.T) {
		say(t, "method", signed(t, y.eve, y.eve.URI+"#ed25519-1", nil), "refused")
		say(t, "key", signed(t, y.eve, own, nil), "refused")
		for what, change := range map[string]func(map[string]any){
			"purpose": func(m map[string]any) { m["proof"].(map[string]any)["proofPurpose"] = "authentication" },
			"field":   func(m map[string]any) { m["license"] = "https://creativecommons.org/publicdomain/zero/1.0/" },
			"unknown": func(m map[string]any) { m["extra"] = "x" },
			"context": func(m map[string]any) {
				m["proof"].(map[string]any)["@context"] = map[string]any{"name": "https://evil.example/name"}
			},
			"suite":       func(m map[string]any) { m["proof"].(map[string]any)["cryptosuite"] = "eddsa-rdfc-2022" },
			"two":         func(m map[string]any) { m["proof"] = []any{m["proof"], m["proof"]} },
			"none":        func(m map[string]any) { delete(m, "proof") },
			"other value": func(m map[string]any) { m["name"] = "Two" },
		} {
			say(t, strings.ReplaceAll(what, " ", "-"), signed(t, y.bob, own, change), "refused")
		}
	}, func(t *testing.T) { say(t, "good", signed(t, y.bob, own, nil), "done") })
}

func TestBadHosts(t *testing.T) {
	t.Parallel()
	g := newGate(t, fedtest.Options{})
	block := func(t *testing.T, host string, blocked bool) {
		t.Helper()
		err := g.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return g.Hosts.Block(ctx, tx, host, blocked) })
		if err != nil {
			t.Fatal(err)
		}
	}
	from := func(t *testing.T, host string) *http.Request {
		liar := *g.bob
		liar.KeyID = "http://" + host + "/users/x#main-key"
		return liar.Request(t, g.ada.Inbox, g.body(t, g.bob), g.Clock.Now())
	}
	testkit.BadInput(t, "A22", func(t *testing.T) {
		block(t, "blocked.example", true)
		block(t, "bücher.example", true)
		block(t, g.peer.Host, true)
		for _, host := range []string{
			"blocked.example", "BLOCKED.Example", "blocked.example.", "sub.blocked.example", "a.b.blocked.example", "blocked.example:8443", "blocked.example:443",
			"xn--bcher-kva.example", "XN--BCHER-KVA.example", "www.xn--bcher-kva.example", "b%C3%BCcher.example",
		} {
			g.refuses(t, host, from(t, host), 403)
		}
		g.refuses(t, "who is known, from a blocked host", g.knock(t), 403)
		if _, err := g.Outbox.Follow(t.Context(), g.ada.URI, g.eve.URI); !errors.Is(err, actor.ErrNotFound) {
			t.Errorf("follow of a blocked host: %v", err)
		}
		g.refuses(t, "a name that only ends alike", from(t, "notblocked.invalid"), 401)
	}, func(t *testing.T) {
		block(t, g.peer.Host, false)
		g.takes(t, g.knock(t))
	})
}

// members are those of an object.
func members(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
