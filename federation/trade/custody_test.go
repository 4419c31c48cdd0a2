package trade_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"antiphon/federation/fedtest"
	"antiphon/federation/httpsig"
	"antiphon/federation/outbox"
	"antiphon/internal/testkit"
	"antiphon/media/access"
	"antiphon/media/pre/hpke"
	"antiphon/media/pre/umbral"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// helpers are the other instances of an access room on whose network there is nobody.
type helpers struct{ refuses bool }

func (*helpers) Proxies(context.Context, []string, string) ([]access.Proxy, error) { return nil, nil }
func (*helpers) Meet(context.Context, []string, string) error                      { return nil }
func (h *helpers) Trusts(context.Context, string) bool                             { return !h.refuses }
func (*helpers) Probe(context.Context, access.Proxy) error                         { return nil }
func (*helpers) Find(context.Context, string) (access.Proxy, error) {
	return access.Proxy{}, errors.New("nobody is there")
}
func (*helpers) Revocations(context.Context, string, string) ([]access.Revocation, error) {
	return nil, errors.New("nobody is there")
}

// fragment is a good key fragment of a grant of ada, before it is signed.
type fragment struct {
	vocab.KeyFragment
	delegating, signing, receiving *umbral.SecretKey
	// spoil changes the fragment itself before it is sealed.
	spoil func(kfrag []byte)
}

func (c *counter) fragment(t *testing.T, grant string) fragment {
	t.Helper()
	f := fragment{delegating: key(t), signing: key(t), receiving: key(t)}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	requesting, err := multikey.EncodeEd25519(public)
	must(t, err)
	peer, now := c.ada.Peer.BaseURL, c.Clock.Now().UTC().Truncate(time.Second)
	f.KeyFragment = vocab.KeyFragment{
		ID: peer + "/kfrags/" + strings.ToLower(rand.Text()), AttributedTo: c.ada.URI, Target: c.room.InstanceActor(), Grant: peer + "/grants/" + grant, Set: 1,
		DelegatingKey: encode(t, f.delegating), VerifyingKey: encode(t, f.signing), ReceivingKey: encode(t, f.receiving), RequestingKey: requesting,
		Capsules: [][]byte{make([]byte, 32)}, StartTime: now, Updated: now,
	}
	return f
}

// object seals the fragment to the instance.
func (c *counter) object(t *testing.T, f fragment) map[string]any {
	t.Helper()
	kfrags, err := umbral.GenerateKeyFrags(rand.Reader, umbral.KeyFragParams{
		Delegating: f.delegating, Receiving: f.receiving.PublicKey(), Signing: f.signing, Threshold: 1, Shares: 1,
	})
	must(t, err)
	kfrag := kfrags[0].Bytes()
	if f.spoil != nil {
		f.spoil(kfrag)
	}
	aad, err := vocab.AAD(f.Object())
	must(t, err)
	sealing, number, err := c.room.SealingKey(t.Context())
	must(t, err)
	if number != 1 {
		t.Fatalf("the sealing key is number %d", number)
	}
	f.Sealed.Key = c.room.InstanceActor() + "#sealing-1"
	f.Sealed.Enc, f.Sealed.Ciphertext, err = hpke.Seal(rand.Reader, sealing, []byte("antiphon/kfrag/v1"), aad, kfrag)
	must(t, err)
	return f.Object()
}

// offer offers an object to the instance and returns the code that it is refused with; "" when it is accepted.
func (c *counter) offer(t *testing.T, who *fedtest.Person, raw []byte) string {
	t.Helper()
	if state := c.send(t, who, vocab.Activity{Type: vocab.VerbOffer}, raw); state != "done" {
		return state
	}
	// The answer's id follows from the offer's.
	digest := sha256.Sum256([]byte(who.URI + "/activities/" + strings.Repeat("x", c.n)))
	answer, err := outbox.Sent(t.Context(), c.DB.Read, c.BaseURL+"/answers/"+hex.EncodeToString(digest[:16]))
	must(t, err)
	a, err := vocab.ParseActivity(answer)
	must(t, err)
	if a.Type == vocab.VerbAccept {
		return ""
	}
	return a.Code
}

// custodyRows are what a refused fragment may leave: that it came, and what was answered.
var custodyRows = []string{"activities", "river_job", "outbox", "deliveries", "actors", "hosts"}

// TestBadInput offers fragments to a proxy that it must not take.
func TestBadInput(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "B19", func(t *testing.T) {
		c := open(t)
		f := c.fragment(t, "1")
		good := c.sign(t, c.ada, c.object(t, f))
		if code := c.offer(t, c.ada, good); code != "" {
			t.Fatalf("before it is taken back: %s", code)
		}
		if state := c.sendDelete(t, c.eve, f.Grant); state != "refused" {
			t.Errorf("a neighbor takes it back: %s", state)
		}
		if n := c.Count(t, "kfrags_held", "1 = 1"); n != 1 {
			t.Errorf("%d fragments after a neighbor's Delete", n)
		}
		if state := c.sendDelete(t, c.ada, f.Grant); state != "done" {
			t.Errorf("it is taken back: %s", state)
		}
		before := testkit.Rows(t, c.DB.Read)
		later := f
		later.ID, later.Updated = f.ID+"x", f.Updated.Add(time.Minute)
		next := f
		next.ID, next.Set = f.ID+"y", 2
		for name, raw := range map[string][]byte{
			"the same": good, "a later one": c.sign(t, c.ada, c.object(t, later)), "the next set": c.sign(t, c.ada, c.object(t, next)),
		} {
			if code := c.offer(t, c.ada, raw); code != "revoked" {
				t.Errorf("%s after it was taken back: %q, want revoked", name, code)
			}
		}
		// The grant itself does not come back either.
		g := c.grant(t)
		if state := c.send(t, c.ada, vocab.Activity{Type: vocab.VerbCreate}, c.sign(t, c.ada, g.Object())); state != "refused" {
			t.Errorf("its grant: %s", state)
		}
		testkit.SameRows(t, c.DB.Read, before, custodyRows...)
		if n := c.Count(t, "tombstones", "grant_uri = ?", f.Grant); n != 1 {
			t.Errorf("%d tombstones", n)
		}
	}, func(t *testing.T) {
		c := open(t)
		f := c.fragment(t, "2")
		raw := c.sign(t, c.ada, c.object(t, f))
		for range 2 {
			if code := c.offer(t, c.ada, raw); code != "" {
				t.Errorf("refused: %s", code)
			}
		}
		if n := c.Count(t, "kfrags_held", "grant_uri = ?", f.Grant); n != 1 {
			t.Errorf("%d fragments are held", n)
		}
	})
	testkit.BadInput(t, "B20", func(t *testing.T) {
		c := open(t)
		f := c.fragment(t, "3")
		before := testkit.Rows(t, c.DB.Read)
		spoiled := func(spoil func(kfrag []byte)) map[string]any {
			bad := f
			bad.spoil = spoil
			return c.object(t, bad)
		}
		another := f
		another.VerifyingKey = encode(t, key(t))
		otherBuyer := f
		otherBuyer.ReceivingKey = encode(t, key(t))
		own := f
		own.ReceivingKey = f.DelegatingKey
		moved := c.object(t, f)
		moved["startTime"] = "2030-01-01T00:00:00Z"
		elsewhere := maps.Clone(c.object(t, f))
		elsewhere["target"] = "https://p.example/actor"
		for name, bad := range map[string]struct {
			raw  []byte
			from *fedtest.Person
			code string
		}{
			"signed and sent by a neighbor":   {c.sign(t, c.eve, c.object(t, f)), c.eve, "bad-fragment"},
			"of ada, sent by a neighbor":      {c.sign(t, c.ada, c.object(t, f)), c.eve, "bad-fragment"},
			"without a proof":                 {plain(t, c.object(t, f)), c.ada, "bad-fragment"},
			"with another verifying key":      {c.sign(t, c.ada, c.object(t, another)), c.ada, "bad-fragment"},
			"for another receiving key":       {c.sign(t, c.ada, c.object(t, otherBuyer)), c.ada, "bad-fragment"},
			"for the delegating key":          {c.sign(t, c.ada, c.object(t, own)), c.ada, "bad-fragment"},
			"with other times than sealed":    {c.sign(t, c.ada, moved), c.ada, "bad-fragment"},
			"for another proxy":               {c.sign(t, c.ada, elsewhere), c.ada, "bad-fragment"},
			"without the receiver's flag":     {c.sign(t, c.ada, spoiled(func(b []byte) { b[len(b)-1] ^= 1 })), c.ada, "bad-fragment"},
			"without the delegator's flag":    {c.sign(t, c.ada, spoiled(func(b []byte) { b[len(b)-2] ^= 1 })), c.ada, "bad-fragment"},
			"with a byte of its key changed":  {c.sign(t, c.ada, spoiled(func(b []byte) { b[50] ^= 1 })), c.ada, "bad-fragment"},
			"with a byte of its form changed": {c.sign(t, c.ada, spoiled(func(b []byte) { b[0] ^= 1 })), c.ada, "bad-fragment"},
		} {
			if code := c.offer(t, bad.from, bad.raw); code != bad.code && !(code == "refused" && bad.code == "bad-fragment") {
				t.Errorf("fragment %s: %q, want %s", name, code, bad.code)
			}
		}
		c.peers.refuses = true
		if code := c.offer(t, c.ada, c.sign(t, c.ada, c.object(t, f))); code != "not-a-proxy-for" {
			t.Errorf("of an artist whom we are no proxy for: %q", code)
		}
		c.peers.refuses = false
		testkit.SameRows(t, c.DB.Read, before, append([]string{"access_keys", "keys_seen"}, custodyRows...)...)
		for i := range 8 {
			code := c.offer(t, c.ada, c.sign(t, c.ada, c.object(t, c.fragment(t, "many"+strings.Repeat("x", i)))))
			if want := map[bool]string{true: "", false: "limit"}[i < 4]; code != want {
				t.Errorf("fragment %d of one artist: %q, want %q", i, code, want)
			}
		}
		if n := c.Count(t, "kfrags_held", "1 = 1"); n != 4 {
			t.Errorf("%d fragments of one artist are held, want 4", n)
		}
	}, func(t *testing.T) {
		c := open(t)
		if code := c.offer(t, c.ada, c.sign(t, c.ada, c.object(t, c.fragment(t, "4")))); code != "" {
			t.Errorf("refused: %s", code)
		}
	})
}

func plain(t *testing.T, object map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(object)
	must(t, err)
	return raw
}

// sendDelete has somebody take a grant back, and returns what became of that.
func (c *counter) sendDelete(t *testing.T, who *fedtest.Person, grant string) string {
	t.Helper()
	id := who.URI + "/deletes/" + strings.ToLower(rand.Text())
	body, err := outbox.Compose(vocab.Activity{ID: id, Type: vocab.VerbDelete, Actor: who.URI, Object: vocab.Ref{ID: grant}, To: []string{c.room.InstanceActor()}})
	must(t, err)
	if status := who.Post(t, c.BaseURL+"/inbox", body, c.Clock.Now()); status != http.StatusAccepted {
		t.Fatalf("Delete: status %d", status)
	}
	state := ""
	fedtest.Until(t, "the Delete is judged", func() bool {
		c.DB.Read.Table("activities").Where("id = ?", id).Pluck("state", &state)
		return state != "received" && state != ""
	}, c.Instance)
	return state
}

// TestRevocationsAreForTheirProxy asks a seller for its list, as a proxy, as a neighbor, and as nobody.
func TestRevocationsAreForTheirProxy(t *testing.T) {
	t.Parallel()
	c := open(t)
	handler := c.trading.Revocations()
	now := c.Clock.Now().UTC().Truncate(time.Second)
	for i, proxy := range []string{c.ada.URI, c.ada.URI, c.eve.URI} {
		must(t, c.DB.Write.Exec("INSERT INTO revocations (proxy, number, grant_uri, deleted_at) VALUES (?, ?, ?, ?)",
			proxy, i+1, c.BaseURL+"/grants/"+strings.Repeat("g", i+1), now).Error)
	}
	ask := func(who *fedtest.Person, after string) (int, []access.Revocation) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.BaseURL+"/antiphon/v1/revocations?after="+after, nil)
		must(t, err)
		if who != nil {
			must(t, httpsig.Sign(req, nil, who.KeyID, who.Key, c.Clock.Now()))
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			return w.Code, nil
		}
		list, err := access.ParseRevocations(c.BaseURL, w.Body.Bytes())
		must(t, err)
		return w.Code, list
	}
	if status, _ := ask(nil, ""); status != http.StatusUnauthorized {
		t.Errorf("unsigned: %d", status)
	}
	if status, _ := ask(c.ada, "x"); status != http.StatusBadRequest {
		t.Errorf("a cursor that is none: %d", status)
	}
	if status, list := ask(c.ada, ""); status != http.StatusOK || len(list) != 2 || list[0].Cursor != "1" || list[1].Cursor != "2" || !list[0].Deleted.Equal(now) {
		t.Errorf("%d %+v", status, list)
	}
	if _, list := ask(c.ada, "1"); len(list) != 1 || list[0].Cursor != "2" {
		t.Errorf("behind the first: %+v", list)
	}
	if _, list := ask(c.eve, ""); len(list) != 1 || list[0].Grant != c.BaseURL+"/grants/ggg" {
		t.Errorf("a neighbor's: %+v", list)
	}
	for name, body := range map[string]string{
		"of another host": `[{"cursor":"1","grant":"https://evil.example/grants/1","deleted":"2026-11-20T12:00:00Z"}]`,
		"no cursor":       `[{"grant":"` + c.BaseURL + `/grants/1","deleted":"2026-11-20T12:00:00Z"}]`,
		"no time":         `[{"cursor":"1","grant":"` + c.BaseURL + `/grants/1"}]`,
		"no list":         `{}`,
		"too long":        "[" + strings.Repeat(`{"cursor":"1","grant":"`+c.BaseURL+`/grants/1","deleted":"2026-11-20T12:00:00Z"},`, access.RevocationPage) + "{}]",
	} {
		if list, err := access.ParseRevocations(c.BaseURL, []byte(body)); err == nil {
			t.Errorf("%s: %v", name, list)
		}
	}
}
