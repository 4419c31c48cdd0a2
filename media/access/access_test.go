package access_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/media/pre/keytree"
	"antiphon/media/pre/umbral"
	"antiphon/media/seal"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// instance is one instance's access room on a database of its own.
type instance struct {
	*access.Service
	base  string
	db    *db.DB
	queue *jobs.Queue
	peers []*instance
	// serves says whether it holds fragments for foreign artists.
	serves bool
	now    time.Time
	// known are the sellers that it can reach; away and hangs are how it answers itself.
	known       []*instance
	away, hangs atomic.Bool
	readings    atomic.Int64
	// shelf is the only other instance on its network.
	shelf shelf
}

func (i *instance) Proxies(ctx context.Context, _ []string, _ string) ([]access.Proxy, error) {
	var proxies []access.Proxy
	for _, p := range i.peers {
		proxy, err := i.Find(ctx, p.InstanceActor())
		if err != nil {
			return nil, err
		}
		proxies = append(proxies, proxy)
	}
	return proxies, nil
}

func (i *instance) Find(ctx context.Context, uri string) (access.Proxy, error) {
	for _, p := range i.peers {
		if p.InstanceActor() != uri && p.base != "https://"+uri {
			continue
		}
		key, _, err := p.SealingKey(ctx)
		return access.Proxy{
			Actor: p.InstanceActor(), Reencrypt: p.ReencryptURL(), SealingKeyID: p.InstanceActor() + "#sealing-1", SealingKey: key,
		}, err
	}
	return access.Proxy{}, &access.Refusal{Code: "unknown", Words: "There is no such instance."}
}

func (i *instance) Meet(context.Context, []string, string) error { return nil }

func (i *instance) Probe(_ context.Context, p access.Proxy) error {
	for _, peer := range i.peers {
		if peer.ReencryptURL() == p.Reencrypt && peer.away.Load() {
			return errors.New("connection refused")
		}
	}
	return nil
}

func (i *instance) Revocations(ctx context.Context, seller, after string) ([]access.Revocation, error) {
	i.readings.Add(1)
	for _, p := range i.known {
		switch {
		case p.base != seller:
		case p.hangs.Load():
			<-ctx.Done()
			return nil, ctx.Err()
		case p.away.Load():
			return nil, errors.New("connection refused")
		default:
			list, err := p.RevocationsFor(ctx, i.InstanceActor(), after)
			if err != nil {
				return nil, err
			}
			body, err := json.Marshal(list)
			if err != nil {
				return nil, err
			}
			return access.ParseRevocations(seller, body)
		}
	}
	return nil, errors.New("no such seller")
}

func (i *instance) Trusts(_ context.Context, artist string) bool {
	return i.serves || strings.HasPrefix(artist, i.base+"/")
}

// network is where the instance fetches blocks from.
type network struct{ *instance }

func (n network) Block(ctx context.Context, url string, limit int64) ([]byte, error) {
	return n.shelf.Block(ctx, url, limit)
}

// fresh returns the address of a new database.
type fresh = func() string

// each runs a test on SQLite and on PostgreSQL.
func each(t *testing.T, test func(t *testing.T, database fresh)) {
	t.Parallel()
	testkit.OnDatabases(t, test)
}

func open(t *testing.T, fresh fresh, base string, serves bool) *instance {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	database, err := db.Open(t.Context(), fresh(), log)
	must(t, err)
	v, err := vault.Load(filepath.Join(dir, "key"), true, rand.Reader)
	must(t, err)
	store, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: filepath.Join(dir, "blocks")})
	must(t, err)
	i := &instance{base: base, db: database, serves: serves, now: time.Now()}
	queue := jobs.New(database, log)
	i.queue = queue
	i.Service = access.New(access.Config{BaseURL: base}, access.Parts{
		DB: database, Jobs: queue, Vault: v, Store: store, Peers: i, Fetch: network{i}, Log: log,
		Now: func() time.Time { return i.now }, Rand: rand.Reader,
	})
	i.Register(queue)
	jobs.Handle(queue, jobs.Handler[access.GrantIssued]{Work: nothing[access.GrantIssued]})
	jobs.Handle(queue, jobs.Handler[access.KfragsMade]{Work: nothing[access.KfragsMade]})
	jobs.Handle(queue, jobs.Handler[access.GrantChanged]{Work: nothing[access.GrantChanged]})
	jobs.Handle(queue, jobs.Handler[access.KfragsDropped]{Work: nothing[access.KfragsDropped]})
	jobs.Handle(queue, jobs.Handler[access.GrantRevoked]{Work: nothing[access.GrantRevoked]})
	must(t, queue.Open())
	t.Cleanup(func() { _ = database.Close(); _ = store.Close() })
	return i
}

func nothing[T any](context.Context, T, int) error { return nil }

// sale is a track sold by seller to a listener of home, with a third instance as a proxy.
type sale struct {
	seller, home, proxy *instance
	track               media.Track
	key                 seal.ContentKey
	receiving           *umbral.SecretKey
	grant               vocab.Grant
	kfrags              []access.Kfrag
}

func sell(t *testing.T, database fresh) *sale {
	t.Helper()
	ctx := t.Context()
	s := &sale{
		seller: open(t, database, "https://s.example", true), home: open(t, database, "https://b.example", true), proxy: open(t, database, "https://p.example", true),
	}
	s.seller.peers = []*instance{s.home, s.proxy}
	s.home.known, s.proxy.known = []*instance{s.seller}, []*instance{s.seller}
	s.track, s.key = s.seller.publish(t, "t1")
	product, err := s.seller.ProductOf(ctx, s.track.URI)
	must(t, err)

	seed := bytes.Repeat([]byte{7}, 32)
	tree, err := keytree.Listener(seed)
	must(t, err)
	s.receiving, err = tree.Receiving(1)
	must(t, err)
	requesting, err := tree.Requesting(1)
	must(t, err)
	receivingKey, err := multikey.EncodeSecp256k1(s.receiving.PublicKey().Bytes())
	must(t, err)
	requestingKey, err := multikey.EncodeEd25519(requesting.Public().(ed25519.PublicKey))
	must(t, err)
	s.issue(t, product, receivingKey, requestingKey)
	return s
}

// publish writes a track with its own product, as the pipeline would.
func (i *instance) publish(t *testing.T, id string) (media.Track, seal.ContentKey) {
	t.Helper()
	key, err := seal.NewContentKey(rand.Reader)
	must(t, err)
	hash := seal.ContentKeyHash(key)
	track := media.Track{
		ID: media.TrackID(id), URI: i.base + "/tracks/" + id, Artist: i.base + "/users/ada", Slug: id, State: media.Published,
		Title: "One", Filename: "one.wav", Upload: id, Manifest: string(ipfs.CIDOf([]byte("manifest"))), ContentKeyHash: hash[:],
		CreatedAt: i.now, UpdatedAt: i.now,
	}
	must(t, i.db.Write.Create(&track).Error)
	write, err := i.Encapsulate(t.Context(), track, key)
	must(t, err)
	must(t, i.db.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return write(tx) }))
	return track, key
}

func (s *sale) issue(t *testing.T, product access.Product, receiving, requesting string) {
	t.Helper()
	ctx := t.Context()
	prepared, err := s.seller.Prepare(ctx, access.Request{
		Artist: s.track.Artist, Buyer: "https://b.example/users/lin", Product: product.URI, Version: product.Version,
		Agreement: "https://s.example/agreements/a1", Receipt: "https://s.example/receipts/r1",
		ReceivingKey: receiving, RequestingKey: requesting,
	})
	must(t, err)
	var uri string
	must(t, s.seller.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		uri, err = prepared.Issue(ctx, tx)
		return err
	}))
	s.grant, err = s.seller.Grant(ctx, uri)
	must(t, err)
	s.kfrags, err = s.seller.KfragsWaiting(ctx, uri, 1)
	must(t, err)
}

// deliver brings the fragments to their proxies.
func (s *sale) deliver(t *testing.T) {
	t.Helper()
	for _, k := range s.kfrags {
		must(t, s.hold(t, k.Object))
	}
}

func (s *sale) hold(t *testing.T, object []byte) error {
	t.Helper()
	kfrag, err := vocab.ReadKeyFragment(object)
	if err != nil {
		return err
	}
	var raw map[string]any
	must(t, json.Unmarshal(object, &raw))
	for _, i := range []*instance{s.home, s.proxy} {
		if i.InstanceActor() == kfrag.Target {
			return i.Hold(t.Context(), kfrag, raw)
		}
	}
	t.Fatalf("no proxy %s", kfrag.Target)
	return nil
}

// ask is the network between listener and proxies; a proxy in down does not answer.
func (s *sale) ask(down ...*instance) access.Ask {
	return func(ctx context.Context, proxy vocab.Proxy, body []byte) ([]byte, error) {
		for _, i := range []*instance{s.seller, s.home, s.proxy} {
			if i.ReencryptURL() != proxy.Reencrypt {
				continue
			}
			for _, d := range down {
				if d == i {
					return nil, errors.New("connection refused")
				}
			}
			return reencrypt(ctx, i, body, rand.Text())
		}
		return nil, errors.New("no such proxy")
	}
}

func reencrypt(ctx context.Context, i *instance, body []byte, nonce string) ([]byte, error) {
	request, capsules, err := access.ParseReencrypt(body)
	if err != nil {
		return nil, err
	}
	answer, err := i.Reencrypt(ctx, request, capsules, func(string) (string, error) { return nonce, nil })
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

func TestAnyTwoOfThreeOpen(t *testing.T) { each(t, anyTwoOfThreeOpen) }

func anyTwoOfThreeOpen(t *testing.T, database fresh) {
	s := sell(t, database)
	if s.grant.Threshold != 2 || len(s.grant.Proxies) != 3 || len(s.kfrags) != 2 {
		t.Fatalf("grant is %d of %d, %d fragments to send", s.grant.Threshold, len(s.grant.Proxies), len(s.kfrags))
	}
	s.deliver(t)
	for name, down := range map[string][]*instance{"all up": nil, "seller": {s.seller}, "home": {s.home}, "proxy": {s.proxy}} {
		key, err := access.Open(t.Context(), s.grant, s.grant.Items[0], s.receiving, s.ask(down...))
		if err != nil || key != s.key {
			t.Errorf("down: %s: key %v, %v", name, key == s.key, err)
		}
	}
	_, err := access.Open(t.Context(), s.grant, s.grant.Items[0], s.receiving, s.ask(s.seller, s.home))
	if !errors.Is(err, access.ErrOpen) {
		t.Errorf("one proxy alone: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) { each(t, openRefuses) }

func openRefuses(t *testing.T, database fresh) {
	s := sell(t, database)
	s.deliver(t)
	item := s.grant.Items[0]
	stranger, err := umbral.GenerateSecretKey(rand.Reader)
	must(t, err)
	if _, err := access.Open(t.Context(), s.grant, item, stranger, s.ask()); !errors.Is(err, access.ErrOpen) {
		t.Errorf("another listener's key: %v", err)
	}
	other := item
	other.ContentKeyHash = bytes.Repeat([]byte{1}, 32)
	if _, err := access.Open(t.Context(), s.grant, other, s.receiving, s.ask()); !errors.Is(err, access.ErrOpen) {
		t.Errorf("another content key's hash: %v", err)
	}
	other = item
	other.Ciphertext = bytes.Clone(item.Ciphertext)
	other.Ciphertext[30] ^= 1
	if _, err := access.Open(t.Context(), s.grant, other, s.receiving, s.ask()); err == nil {
		t.Error("a changed ciphertext opens")
	}
	for i := range item.Capsule {
		other := item
		other.Capsule = bytes.Clone(item.Capsule)
		other.Capsule[i] ^= 1
		if _, err := access.Open(t.Context(), s.grant, other, s.receiving, s.ask()); err == nil {
			t.Fatalf("a capsule with byte %d changed opens", i)
		}
	}
}

func TestReencryptRefuses(t *testing.T) { each(t, reencryptRefuses) }

func reencryptRefuses(t *testing.T, database fresh) {
	s := sell(t, database)
	capsule := base64.RawURLEncoding.EncodeToString(s.grant.Items[0].Capsule)
	foreign, _, err := umbral.Encrypt(rand.Reader, s.receiving.PublicKey(), []byte("x"))
	must(t, err)
	ask := func(i *instance, grant string, set int, capsule, nonce string, signed error) string {
		body, err := json.Marshal(access.ReencryptRequest{Grant: grant, Set: set, Capsules: []string{capsule}})
		must(t, err)
		request, capsules, err := access.ParseReencrypt(body)
		if err == nil {
			_, err = i.Reencrypt(t.Context(), request, capsules, func(string) (string, error) { return nonce, signed })
		}
		var refused *access.Refusal
		if errors.As(err, &refused) {
			return refused.Code
		}
		if err != nil {
			return err.Error()
		}
		return "ok"
	}
	want := func(name, got, code string) {
		t.Helper()
		if got != code {
			t.Errorf("%s: %s, want %s", name, got, code)
		}
	}
	want("not yet arrived", ask(s.proxy, s.grant.ID, 1, capsule, "a", nil), "unknown-grant")
	s.deliver(t)
	want("good", ask(s.proxy, s.grant.ID, 1, capsule, "b", nil), "ok")
	want("replayed", ask(s.proxy, s.grant.ID, 1, capsule, "b", nil), "bad-signature")
	want("badly signed", ask(s.proxy, s.grant.ID, 1, capsule, "c", errors.New("no")), "bad-signature")
	want("other set", ask(s.proxy, s.grant.ID, 2, capsule, "d", nil), "unknown-grant")
	want("other grant", ask(s.proxy, s.grant.ID+"x", 1, capsule, "e", nil), "unknown-grant")
	want("capsule not listed", ask(s.proxy, s.grant.ID, 1, base64.RawURLEncoding.EncodeToString(foreign.Bytes()), "f", nil), "not-granted")
	want("short capsule", ask(s.proxy, s.grant.ID, 1, capsule[:20], "g", nil), "malformed")
	s.proxy.now = s.proxy.now.Add(-time.Hour)
	want("before its time", ask(s.proxy, s.grant.ID, 1, capsule, "h", nil), "expired")
	s.proxy.now = s.proxy.now.Add(time.Hour)
	if err := s.proxy.Erase(t.Context(), "https://evil.example/users/eve", s.grant.ID, ""); err == nil {
		t.Error("a stranger erased the grant")
	}
	want("after a stranger's Delete", ask(s.proxy, s.grant.ID, 1, capsule, "i", nil), "ok")
	must(t, s.proxy.Erase(t.Context(), s.track.Artist, s.grant.ID, ""))
	want("revoked", ask(s.proxy, s.grant.ID, 1, capsule, "j", nil), "revoked")
	var refused *access.Refusal
	for _, k := range s.kfrags {
		if err := s.hold(t, k.Object); strings.Contains(string(k.Object), "p.example") && (!errors.As(err, &refused) || refused.Code != "revoked") {
			t.Errorf("fragment after revocation: %v", err)
		}
	}
}

func TestHoldRefuses(t *testing.T) { each(t, holdRefuses) }

func holdRefuses(t *testing.T, database fresh) {
	s := sell(t, database)
	for name, change := range map[string]func(o map[string]any){
		"another target":   func(o map[string]any) { o["target"] = s.home.InstanceActor() },
		"another grant":    func(o map[string]any) { o["grant"] = "https://s.example/grants/other" },
		"another key":      func(o map[string]any) { o["receivingKey"] = o["verifyingKey"] },
		"another set":      func(o map[string]any) { o["set"] = 2 },
		"later start":      func(o map[string]any) { o["startTime"] = "2030-01-01T00:00:00Z" },
		"other ciphertext": func(o map[string]any) { flip(o["sealed"].(map[string]any), "ciphertext") },
		"other enc":        func(o map[string]any) { flip(o["sealed"].(map[string]any), "enc") },
		"unknown sealing key": func(o map[string]any) {
			o["sealed"].(map[string]any)["key"] = s.proxy.InstanceActor() + "#sealing-9"
		},
	} {
		var object map[string]any
		for _, k := range s.kfrags {
			if strings.Contains(string(k.Object), "https://p.example/actor\"") {
				must(t, json.Unmarshal(k.Object, &object))
			}
		}
		change(object)
		b, err := json.Marshal(object)
		must(t, err)
		if err := s.hold(t, b); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestStrangersFragmentsAreNotHeld(t *testing.T) { each(t, strangersFragmentsAreNotHeld) }

func strangersFragmentsAreNotHeld(t *testing.T, database fresh) {
	s := sell(t, database)
	s.proxy.serves = false
	var refused *access.Refusal
	for _, k := range s.kfrags {
		if err := s.hold(t, k.Object); k.Proxy == s.proxy.InstanceActor() && (!errors.As(err, &refused) || refused.Code != "not-a-proxy-for") {
			t.Errorf("fragment of a stranger: %v", err)
		}
	}
}

// flip changes one letter of a member in base64url.
func flip(o map[string]any, member string) {
	b := []byte(o[member].(string))
	b[7] ^= 1
	if b[7] == '`' || b[7] == '[' || b[7] == '@' || b[7] == '{' || b[7] == ',' || b[7] == '/' || b[7] == ':' {
		b[7] = 'q'
	}
	o[member] = string(b)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
