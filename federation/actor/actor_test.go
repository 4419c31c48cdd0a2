package actor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/vocab"
)

func TestCreateLocal(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	keys, err := i.Actors.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v", keys, *keys, keys); strings.Contains(s, "0x") || !strings.Contains(s, "[redacted]") {
		t.Errorf("keys print as %.100s", s)
	}
	create := func(l actor.Local) (a actor.Actor, err error) {
		err = i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			a, err = i.Actors.CreateLocal(ctx, tx, l)
			return err
		})
		return a, err
	}
	const requesting = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
	good := actor.Local{Name: "ada", Kind: actor.Artist, Display: "Ada", ReceivingKey: fedtest.Point, RequestingKey: requesting, Keys: keys}
	for name, change := range map[string]func(*actor.Local){
		"no name":               func(l *actor.Local) { l.Name = "" },
		"capitals":              func(l *actor.Local) { l.Name = "Ada" },
		"a slash":               func(l *actor.Local) { l.Name = "a/b" },
		"31 letters":            func(l *actor.Local) { l.Name = strings.Repeat("a", 31) },
		"another kind":          func(l *actor.Local) { l.Kind = actor.Instance },
		"one key":               func(l *actor.Local) { l.RequestingKey = "" },
		"keys the wrong way":    func(l *actor.Local) { l.ReceivingKey, l.RequestingKey = l.RequestingKey, l.ReceivingKey },
		"a key that is no key":  func(l *actor.Local) { l.ReceivingKey = "zQ3s" },
		"a key of another code": func(l *actor.Local) { l.ReceivingKey = requesting },
	} {
		bad := good
		change(&bad)
		if _, err := create(bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if n := i.Count(t, "actors", "kind <> 'instance'") + i.Count(t, "actor_keys", "actor NOT LIKE '%/actor'"); n != 0 {
		t.Fatalf("%d rows of actors that were refused", n)
	}
	ada, err := create(good)
	if err != nil {
		t.Fatal(err)
	}
	if ada.URI != i.BaseURL+"/users/ada" || ada.Handle() != "ada@"+i.Host || ada.KeyNumber != 1 || !ada.Local {
		t.Errorf("actor is %+v", ada)
	}
	if _, err := create(good); !errors.Is(err, actor.ErrTaken) {
		t.Errorf("a second ada: %v", err)
	}
	if found, err := i.Actors.ByName(t.Context(), "ADA"); err != nil || found.URI != ada.URI {
		t.Errorf("by name: %+v, %v", found, err)
	}
	// What rests is sealed.
	var sealed [][]byte
	if err := i.DB.Read.Table("actor_keys").Pluck("sealed", &sealed).Error; err != nil || len(sealed) != 4 {
		t.Fatalf("%d keys, %v", len(sealed), err)
	}
	keyID, key, err := i.Actors.HTTPKey(t.Context(), ada.URI)
	if err != nil || keyID != ada.URI+"#main-key" || key.N.BitLen() != 2048 {
		t.Errorf("HTTP key %s, %v", keyID, err)
	}
	method, proofKey, err := i.Actors.ProofKey(t.Context(), ada.URI)
	if err != nil || method != ada.URI+"#ed25519-1" {
		t.Errorf("proof key %s, %v", method, err)
	}
	if _, _, err := i.Actors.HTTPKey(t.Context(), i.BaseURL+"/users/nobody"); !errors.Is(err, actor.ErrNotFound) {
		t.Errorf("key of nobody: %v", err)
	}
	public, controller, err := i.Actors.ProofKeyOf(t.Context(), method)
	if err != nil || controller != ada.URI || !public.Equal(proofKey.Public()) {
		t.Errorf("public proof key of %s, %v", controller, err)
	}
}

// What is published can be read, and is what was meant.
func TestDocuments(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	ada, lin := i.User(t, "ada", actor.Artist), i.User(t, "lin", actor.Listener)
	read := func(uri string) vocab.Actor {
		t.Helper()
		raw, err := i.Actors.Document(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		a, err := vocab.ReadActor(raw)
		if err != nil || a.ID != uri || a.PublicKey.PEM == "" || len(a.ProofKeys) != 1 {
			t.Fatalf("document of %s is %s, %v", uri, raw, err)
		}
		return a
	}
	if a := read(ada.URI); len(a.VerifyingKeys) != 1 || a.VerifyingKeys[0].ID != ada.URI+"#umbral-1" || a.SharedInbox != i.BaseURL+"/inbox" || a.Type != vocab.Person {
		t.Errorf("artist is %+v", a)
	}
	if a := read(lin.URI); len(a.VerifyingKeys) != 0 || len(a.ReceivingKeys) != 1 || a.RequestingKeys[0].ID != lin.URI+"#requesting-1" {
		t.Errorf("listener is %+v", a)
	}
	if a := read(i.Actors.Instance()); a.Type != vocab.Application || a.SealingKey == nil || a.SealingKey.ID != a.ID+"#sealing-1" || a.Reencrypt == "" {
		t.Errorf("instance is %+v", a)
	}
	for range 2 {
		err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			return i.Actors.SetListenerKeys(ctx, tx, lin.URI, fedtest.Point, "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", nil)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if a := read(lin.URI); len(a.RequestingKeys) != 1 || a.RequestingKeys[0].ID != lin.URI+"#requesting-2" {
		t.Errorf("listener with new keys is %+v", a.RequestingKeys)
	}
	if _, err := i.Actors.Document(t.Context(), i.BaseURL+"/users/nobody"); !errors.Is(err, actor.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestEnsureInstanceTwice(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	before, _, err := i.Actors.HTTPKey(t.Context(), i.Actors.Instance())
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := i.Actors.EnsureInstance(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	after, _, err := i.Actors.HTTPKey(t.Context(), i.Actors.Instance())
	if err != nil || before != after || i.Count(t, "actor_keys", "1=1") != 2 {
		t.Errorf("keys changed from %s to %s, %v", before, after, err)
	}
}

func TestFindRefuses(t *testing.T) {
	t.Parallel()
	i, peer, other := fedtest.New(t, fedtest.Options{Idle: true}), fedtest.NewPeer(t), fedtest.NewPeer(t)
	for name, change := range map[string]func(*fedtest.Person){
		"no inbox":            func(p *fedtest.Person) { delete(p.Document, "inbox") },
		"inbox elsewhere":     func(p *fedtest.Person) { p.Document["inbox"] = other.BaseURL + "/inbox" },
		"inbox here":          func(p *fedtest.Person) { p.Document["inbox"] = i.BaseURL + "/inbox" },
		"another's id":        func(p *fedtest.Person) { p.Document["id"] = other.BaseURL + "/users/x" },
		"not an actor":        func(p *fedtest.Person) { p.Document["type"] = "Note" },
		"no document":         func(p *fedtest.Person) { p.Document = nil },
		"an id of this place": func(p *fedtest.Person) { p.Document["id"] = i.BaseURL + "/users/x" },
	} {
		who := peer.Person(t, strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", ""))
		change(who)
		who.Publish(t)
		for range 3 {
			if a, err := i.Actors.Find(t.Context(), who.URI, true); !errors.Is(err, actor.ErrNotFound) {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		}
		if n := peer.Requests(strings.TrimPrefix(who.URI, peer.BaseURL)); n > 1 {
			t.Errorf("%s: asked %d times within a minute", name, n)
		}
	}
	if n := i.Count(t, "actors", "NOT local"); n != 0 {
		t.Errorf("%d actors stored", n)
	}
	// A shared inbox elsewhere is not believed, and the actor is.
	who := peer.Person(t, "bob")
	who.Document["endpoints"] = map[string]any{"sharedInbox": other.BaseURL + "/inbox"}
	who.Publish(t)
	if a, err := i.Actors.Find(t.Context(), who.URI, false); err != nil || a.SharedInbox != "" {
		t.Errorf("bob is %+v, %v", a, err)
	}
	if _, err := i.Actors.Find(t.Context(), i.BaseURL+"/users/nobody", true); !errors.Is(err, actor.ErrNotFound) {
		t.Errorf("nobody here: %v", err)
	}
}

func TestFindRemembers(t *testing.T) {
	t.Parallel()
	i, peer := fedtest.New(t, fedtest.Options{Idle: true}), fedtest.NewPeer(t)
	bob := peer.Person(t, "bob")
	find := func(fresh bool) (actor.Actor, error) { return i.Actors.Find(t.Context(), bob.URI, fresh) }
	asked := func(when string, want int) {
		t.Helper()
		if got := peer.Requests("/users/bob"); got != want {
			t.Errorf("%s: asked %d times, want %d", when, got, want)
		}
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := find(true); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	asked("by eight at once", 1)
	i.Clock.Advance(2 * time.Minute)
	if _, err := find(false); err != nil {
		t.Error(err)
	}
	asked("when not to be fresh", 1)
	bob.Document["name"] = "Robert"
	bob.Publish(t)
	if a, err := find(true); err != nil || a.Display != "Robert" {
		t.Errorf("fresh: %+v, %v", a.Display, err)
	}
	asked("to be fresh", 2)
	i.Clock.Advance(25 * time.Hour)
	delete(bob.Document, "inbox")
	bob.Publish(t)
	if a, err := find(false); err != nil || a.Display != "Robert" {
		t.Errorf("a server that has gone wrong: %+v, %v", a.Display, err)
	}
	if _, err := find(true); !errors.Is(err, actor.ErrNotFound) {
		t.Errorf("a fresh one of a server that has gone wrong: %v", err)
	}
	i.Clock.Advance(2 * time.Minute)
	peer.Serve(t, "/users/bob", nil)
	if _, err := find(false); !errors.Is(err, actor.ErrGone) || !errors.Is(err, actor.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if _, err := i.Actors.Known(t.Context(), bob.URI); err != nil {
		t.Errorf("what is known of the deleted one: %v", err)
	}
}

func TestNameThatChangedHands(t *testing.T) {
	t.Parallel()
	i, peer := fedtest.New(t, fedtest.Options{Idle: true}), fedtest.NewPeer(t)
	first, second := peer.Person(t, "first"), peer.Person(t, "second")
	for _, who := range []*fedtest.Person{first, second} {
		who.Document["preferredUsername"] = "star"
		who.Publish(t)
		if a, err := i.Actors.Find(t.Context(), who.URI, false); err != nil || a.Name != "star" {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if a, err := i.Actors.Known(t.Context(), first.URI); err != nil || a.Name == "star" {
		t.Errorf("the first is still %q, %v", a.Name, err)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	far := fedtest.New(t, fedtest.Options{Idle: true, Clock: i.Clock})
	lin, ada := i.User(t, "lin", actor.Listener), far.User(t, "ada", actor.Artist)
	for text, want := range map[string]string{
		"lin": lin.URI, "@lin": lin.URI, "@lin@" + i.Host: lin.URI, i.BaseURL + "/@lin": lin.URI, lin.URI: lin.URI,
		"ada@" + far.Host: ada.URI, " @Ada@" + far.Host + " ": ada.URI, ada.URI: ada.URI, far.BaseURL + "/@ada": ada.URI,
	} {
		if a, err := i.Actors.Lookup(t.Context(), text); err != nil || a.URI != want {
			t.Errorf("%q leads to %q, %v", text, a.URI, err)
		}
	}
	for _, text := range []string{"", "@", "nobody", "nobody@" + far.Host, "a@b@c", "@@", far.BaseURL + "/@nobody", "http://192.0.2.1/x", i.BaseURL} {
		if a, err := i.Actors.Lookup(t.Context(), text); !errors.Is(err, actor.ErrNotFound) {
			t.Errorf("%q leads to %q, %v", text, a.URI, err)
		}
	}
}
