package vocab_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

func sampleArtist() vocab.Actor {
	return vocab.Actor{
		ID: artist, Type: vocab.Person, PreferredUsername: "ada", Name: "Ada and the Engines", Summary: "<p>Steam punk, literally.</p>",
		URL: "https://s.example/@ada", Published: at(0, 0, 0), Inbox: artist + "/inbox", Outbox: artist + "/outbox",
		Followers: artist + "/followers", Following: artist + "/following", Featured: artist + "/featured", Liked: artist + "/liked",
		Tracks: artist + "/tracks", Playlists: artist + "/playlists", Subscribers: artist + "/subscribers",
		SharedInbox: "https://s.example/inbox", Discoverable: true, Indexable: true,
		Icon:        vocab.Media{URL: "https://media.example/a.webp", MediaType: "image/webp"},
		Image:       vocab.Media{URL: "https://media.example/wide.webp", MediaType: "image/webp"},
		AlsoKnownAs: []string{"https://old.example/users/ada"},
		Fields:      []vocab.Field{{Name: "Shop", Value: `<a rel="me" href="https://s.example/@ada/shop">shop</a>`}},
		Payments:    []vocab.PaymentLink{{Name: "Subscribe", Proposal: "https://s.example/proposals/ada-monthly"}},
		PublicKey:   vocab.PublicKey{ID: artist + "#main-key", PEM: "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"},
		ProofKeys:   []vocab.Key{{ID: artist + "#ed25519-1", Multikey: publicProofKey()}},

		VerifyingKeys: []vocab.Key{vocab.VerifyingKey(artist, 1, point(2))},
	}
}

func sampleListener(t *testing.T) vocab.Actor {
	link, err := jsonld.Marshal(sampleKeyLink().Object())
	if err != nil {
		t.Fatal(err)
	}
	return vocab.Actor{
		ID: buyer, Type: vocab.Person, PreferredUsername: "lin", Inbox: buyer + "/inbox", ManuallyApprovesFollowers: true,
		PublicKey:      vocab.PublicKey{ID: buyer + "#main-key", PEM: "x"},
		ReceivingKeys:  []vocab.Key{vocab.ReceivingKey(buyer, 1, point(3)), vocab.ReceivingKey(buyer, 2, point(4))},
		RequestingKeys: []vocab.Key{vocab.RequestingKey(buyer, 1, edwards(3)), vocab.RequestingKey(buyer, 2, edwards(4))},
		KeyLinks:       []json.RawMessage{link},
	}
}

func sampleInstance() vocab.Actor {
	const id = "https://s.example/actor"
	return vocab.Actor{
		ID: id, Type: vocab.Application, PreferredUsername: "s.example", Name: "Sounds", URL: "https://s.example/",
		Inbox: "https://s.example/inbox", SharedInbox: "https://s.example/inbox", Reencrypt: "https://s.example/antiphon/v1/reencrypt",
		PublicKey:  vocab.PublicKey{ID: id + "#main-key", PEM: "x"},
		ProofKeys:  []vocab.Key{{ID: id + "#ed25519-1", Multikey: edwards(5)}},
		SealingKey: &vocab.SealingKey{ID: id + "#sealing-1", PublicKey: fill(vocab.SealingKeySize, 6)},
	}
}

func sampleKeyLink() vocab.KeyLink {
	return vocab.KeyLink{Actor: buyer, From: buyer + "#requesting-1", Receiving: point(4), Requesting: edwards(4), Created: at(9, 0, 0)}
}

func TestActorGolden(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]vocab.Actor{"artist": sampleArtist(), "listener": sampleListener(t), "instance": sampleInstance()} {
		m, err := want.Build()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "actor-"+name, wire(t, m))
		raw, err := jsonld.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := vocab.ReadActor(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: read(build(x)) != x (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadActorOfOthers(t *testing.T) {
	t.Parallel()
	// Forms that other servers use: lists of types, Link objects, key arrays, parts that are of no use to us.
	const raw = `{"@context":"https://www.w3.org/ns/activitystreams","id":"https://gts.example/users/bo","type":["x","Service"],"inbox":"https://gts.example/users/bo/inbox",
"preferredUsername":"bo","name":null,"summary":17,"published":"2020-01-01T01:00:00.123+01:00","outbox":"https://evil.example/outbox","followers":["https://gts.example/f"],
"url":[{"type":"Link","mediaType":"video/mp4","href":"https://gts.example/v.mp4"},{"type":"Link","mediaType":"text/html","href":"https://gts.example/@bo"}],
"icon":[{"type":"Image","url":[{"type":"Link","href":"https://gts.example/i.png","mediaType":"image/png"}]}],"image":{"type":"Image","url":7},
"endpoints":{"sharedInbox":"https://victim.example/inbox"},"discoverable":"yes",
"attachment":{"type":"PropertyValue","name":"Home","value":"x"},
"publicKey":[{"id":"https://gts.example/users/bo/main-key","owner":"https://gts.example/users/else","publicKeyPem":"no"},{"id":"https://gts.example/users/bo/main-key","owner":"https://gts.example/users/bo","publicKeyPem":"yes"}],
"assertionMethod":["https://gts.example/users/bo#k",{"id":"https://gts.example/users/bo#p256","type":"Multikey","controller":"https://gts.example/users/bo","publicKeyMultibase":"zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv"}],
"keyAgreement":"none","sealingKey":{"id":"https://gts.example/users/bo#s","kem":32,"kdf":1,"aead":1,"publicKey":"AA"},"keyLink":"x"}`
	want := vocab.Actor{
		ID: "https://gts.example/users/bo", Type: vocab.Service, PreferredUsername: "bo", Inbox: "https://gts.example/users/bo/inbox",
		URL: "https://gts.example/@bo", Icon: vocab.Media{URL: "https://gts.example/i.png", MediaType: "image/png"},
		Fields: []vocab.Field{{Name: "Home", Value: "x"}}, PublicKey: vocab.PublicKey{ID: "https://gts.example/users/bo/main-key", PEM: "yes"},
	}
	got, err := vocab.ReadActor([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if got.Published.Format("2006-01-02T15:04:05Z") != "2020-01-01T00:00:00Z" {
		t.Errorf("published %s", got.Published)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(vocab.Actor{}, "Published")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// edited is the document of a listener in which one text was replaced.
func edited(t *testing.T, a vocab.Actor, old, new string) []byte {
	t.Helper()
	m, err := a.Build()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jsonld.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), old) {
		t.Fatalf("%s is not in %s", old, raw)
	}
	return []byte(strings.Replace(string(raw), old, new, 1))
}

func TestReadActorRefuses(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string][]byte{
		"no id":                 edited(t, sampleInstance(), `"id":"https://s.example/actor",`, ``),
		"id is relative":        edited(t, sampleInstance(), `"id":"https://s.example/actor",`, `"id":"/actor",`),
		"a note":                edited(t, sampleInstance(), `"Application"`, `"Note"`),
		"no type":               edited(t, sampleInstance(), `"type":"Application"`, `"kind":"Application"`),
		"no inbox":              edited(t, sampleInstance(), `"inbox"`, `"outbox"`),
		"inbox on another host": edited(t, sampleInstance(), `"inbox":"https://s.example`, `"inbox":"https://victim.example`),
		"inbox on another port": edited(t, sampleInstance(), `"inbox":"https://s.example`, `"inbox":"https://s.example:8443`),
		"inbox without TLS":     edited(t, sampleInstance(), `"inbox":"https://s.example`, `"inbox":"http://s.example`),
	} {
		if _, err := vocab.ReadActor(raw); !errors.Is(err, vocab.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := vocab.ReadActor([]byte(`{"id":"a","id":"b"}`)); !errors.Is(err, jsonld.ErrMalformed) {
		t.Errorf("id twice: %v", err)
	}
}

func TestReadActorKeys(t *testing.T) {
	t.Parallel()
	key := func(id, controller, text string) string {
		return `{"controller":"` + controller + `","id":"` + id + `","publicKeyMultibase":"` + text + `","type":"Multikey"}`
	}
	cases := []struct {
		name, old, new string
		receiving      int
	}{
		{"as built", `"inbox"`, `"inbox"`, 2},
		{"two under one number", buyer + "#receiving-2", buyer + "#receiving-1", 0},
		{"number with a zero", buyer + "#receiving-2", buyer + "#receiving-02", 1},
		{"number 0", buyer + "#receiving-2", buyer + "#receiving-0", 1},
		{"no number", buyer + "#receiving-2", buyer + "#receiving-", 1},
		{"other name", buyer + "#receiving-2", buyer + "#sending-2", 1},
		{"of another actor", buyer + "#receiving-2", "https://b.example/users/eve#receiving-2", 1},
		{"other codec", point(4), edwards(4), 1},
		{"other controller", key(buyer+"#receiving-2", buyer, point(4)), key(buyer+"#receiving-2", artist, point(4)), 1},
	}
	for _, tc := range cases {
		raw := edited(t, sampleListener(t), `"keyAgreement":[`+key(buyer+"#receiving-1", buyer, point(3))+`,`+key(buyer+"#receiving-2", buyer, point(4))+`]`,
			`"keyAgreement":[`+key(buyer+"#receiving-1", buyer, point(3))+`,`+strings.Replace(key(buyer+"#receiving-2", buyer, point(4)), tc.old, tc.new, 1)+`]`)
		a, err := vocab.ReadActor(raw)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if len(a.ReceivingKeys) != tc.receiving {
			t.Errorf("%s: receiving keys %v", tc.name, a.ReceivingKeys)
		}
	}
}

func TestCurrent(t *testing.T) {
	t.Parallel()
	if _, ok := vocab.Current(nil); ok {
		t.Error("a key of none")
	}
	keys := []vocab.Key{vocab.ReceivingKey(buyer, 9, "a"), vocab.ReceivingKey(buyer, 10, "b"), vocab.ReceivingKey(buyer, 2, "c")}
	if k, ok := vocab.Current(keys); !ok || k.Multikey != "b" || k.Number() != 10 {
		t.Errorf("current %+v", k)
	}
}

func TestReadKeyOwner(t *testing.T) {
	t.Parallel()
	const id = "https://gts.example/users/bo/main-key"
	cases := []struct{ name, in, want string }{
		{"stub actor", `{"id":"https://gts.example/users/bo","publicKey":{"id":"` + id + `","owner":"https://gts.example/users/bo","publicKeyPem":"x"}}`, "https://gts.example/users/bo"},
		{"key alone", `{"id":"` + id + `","owner":"https://gts.example/users/bo","publicKeyPem":"x"}`, "https://gts.example/users/bo"},
		{"another key", `{"id":"https://gts.example/users/bo/other","owner":"https://gts.example/users/bo","publicKeyPem":"x"}`, ""},
		{"owner elsewhere", `{"id":"` + id + `","owner":"https://victim.example/users/bo","publicKeyPem":"x"}`, ""},
		{"no owner", `{"id":"` + id + `","publicKeyPem":"x"}`, ""},
		{"no key", `{"id":"` + id + `","owner":"https://gts.example/users/bo"}`, ""},
		{"garbage", `[]`, ""},
	}
	for _, tc := range cases {
		got, err := vocab.ReadKeyOwner([]byte(tc.in), id)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: %q, %v", tc.name, got, err)
		}
	}
}

func TestKeyLink(t *testing.T) {
	t.Parallel()
	raw := golden(t, "keylink", wire(t, sampleKeyLink().Object()))
	got, err := vocab.ReadKeyLink(raw)
	if err != nil || got != sampleKeyLink() {
		t.Errorf("read %+v, %v", got, err)
	}
	for name, change := range map[string]func(*vocab.KeyLink){
		"key of another actor": func(l *vocab.KeyLink) { l.From = artist + "#requesting-1" },
		"receiving key":        func(l *vocab.KeyLink) { l.From = buyer + "#receiving-1" },
		"number with a zero":   func(l *vocab.KeyLink) { l.From = buyer + "#requesting-01" },
		"wrong codec":          func(l *vocab.KeyLink) { l.Receiving = edwards(1) },
		"no time":              func(l *vocab.KeyLink) { l.Created = l.Created.AddDate(-2020, 0, 0) },
	} {
		l := sampleKeyLink()
		change(&l)
		if _, err := vocab.ReadKeyLink(wire(t, l.Object())); !errors.Is(err, vocab.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
