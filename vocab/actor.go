package vocab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-fed/activity/streams"
	as "github.com/go-fed/activity/streams/vocab"

	"antiphon/vocab/multikey"
)

const (
	maxUsername = 100
	maxFields   = 16
	maxKeys     = 16
	maxPEM      = 8192
	// SealingKeySize is the length of an X-Wing public key.
	SealingKeySize = 1216

	receivingKeyName  = "#receiving-"
	requestingKeyName = "#requesting-"
	verifyingKeyName  = "#umbral-"

	kemXWing             = 0x647a
	kdfHKDFSHA256        = 1
	aeadChaCha20Poly1305 = 3
)

// ActorType is what kind of actor somebody is.
type ActorType string

// The types of actors. Antiphon's artists and listeners are persons, its instances applications.
const (
	Person       ActorType = "Person"
	Application  ActorType = "Application"
	Service      ActorType = "Service"
	Group        ActorType = "Group"
	Organization ActorType = "Organization"
)

// Actor is somebody who acts, as the own server describes them. What is optional is the zero value if absent.
type Actor struct {
	ID   string
	Type ActorType
	// PreferredUsername is the part of the handle before the host. It may be missing elsewhere.
	PreferredUsername string
	Name              string
	// Summary is HTML, not sanitized.
	Summary string
	// URL is the profile page.
	URL       string
	Published time.Time
	// Inbox is on the actor's origin.
	Inbox string
	// The collections, and SharedInbox and Reencrypt, are on the actor's origin too; one that is not is not read.
	Outbox, Followers, Following, Featured, Liked string
	Tracks, Playlists, Subscribers                string
	SharedInbox                                   string
	// Reencrypt is where an instance re-encrypts as a proxy.
	Reencrypt                                          string
	Discoverable, Indexable, ManuallyApprovesFollowers bool
	// Icon is the portrait, Image the wide picture.
	Icon, Image Media
	AlsoKnownAs []string
	MovedTo     string
	Fields      []Field
	// Payments are links to proposals (FEP-0ea0).
	Payments []PaymentLink
	// PublicKey signs HTTP requests. It is zero if it does not say that this actor owns it.
	PublicKey PublicKey
	// ProofKeys (assertionMethod) sign objects; Ed25519.
	ProofKeys []Key
	// ReceivingKeys (keyAgreement, secp256k1), RequestingKeys (Ed25519) and VerifyingKeys (secp256k1) are numbered;
	// Current finds the one in use.
	ReceivingKeys, RequestingKeys, VerifyingKeys []Key
	// KeyLinks are signed objects that tie a listener's keys to those before; see ReadKeyLink.
	KeyLinks []json.RawMessage
	// SealingKey is an instance's key for the fragments that it keeps; nil if there is none of the one known suite.
	SealingKey *SealingKey
}

// Field is a line of a profile: a name, and a value that is HTML, not sanitized.
type Field struct{ Name, Value string }

// PaymentLink is a link to a proposal, with the words for its button.
type PaymentLink struct{ Name, Proposal string }

// PublicKey is an actor's RSA or Ed25519 key for HTTP signatures, as PEM (see httpsig.ParsePublicKey).
type PublicKey struct{ ID, PEM string }

// Key is a Multikey under its URI; the actor is its controller.
type Key struct {
	ID       string
	Multikey string
}

func numberedKey(actor, name string, number int, multikey string) Key {
	return Key{ID: actor + name + strconv.Itoa(number), Multikey: multikey}
}

// ReceivingKey returns actor's receiving key number n (from 1) under its URI.
func ReceivingKey(actor string, n int, multikey string) Key {
	return numberedKey(actor, receivingKeyName, n, multikey)
}

// RequestingKey returns actor's requesting key number n (from 1) under its URI.
func RequestingKey(actor string, n int, multikey string) Key {
	return numberedKey(actor, requestingKeyName, n, multikey)
}

// VerifyingKey returns actor's verifying key number n (from 1) under its URI.
func VerifyingKey(actor string, n int, multikey string) Key {
	return numberedKey(actor, verifyingKeyName, n, multikey)
}

// Number is the N of a key URI that ends in "-N", or 0.
func (k Key) Number() int {
	_, text, _ := strings.Cut(k.ID, "#")
	i := strings.LastIndexByte(text, '-')
	n, err := strconv.Atoi(text[i+1:])
	if err != nil || n < 1 || n > maxVersion || strconv.Itoa(n) != text[i+1:] {
		return 0
	}
	return n
}

// Current returns the key with the highest number.
func Current(keys []Key) (Key, bool) {
	if len(keys) == 0 {
		return Key{}, false
	}
	return slices.MaxFunc(keys, func(a, b Key) int { return a.Number() - b.Number() }), true
}

// SealingKey is an HPKE public key of the one suite in use: X-Wing, HKDF-SHA256, ChaCha20Poly1305.
type SealingKey struct {
	ID string
	// PublicKey is SealingKeySize bytes.
	PublicKey []byte
}

// Build returns the actor's document.
func (a Actor) Build() (map[string]any, error) {
	t := newStreamsActor(a.Type)
	if t == nil {
		return nil, fmt.Errorf("build actor of type %q: %w", a.Type, ErrInvalid)
	}
	var c composer
	c.id(t, a.ID)
	c.name(t, a.Name)
	c.summary(t, a.Summary)
	c.link(t, a.URL)
	c.published(t, a.Published)
	c.icon(t, a.Icon)
	username := streams.NewActivityStreamsPreferredUsernameProperty()
	username.SetXMLSchemaString(a.PreferredUsername)
	t.SetActivityStreamsPreferredUsername(username)
	inbox := streams.NewActivityStreamsInboxProperty()
	inbox.SetIRI(c.uri(a.Inbox))
	t.SetActivityStreamsInbox(inbox)
	if a.Outbox != "" {
		p := streams.NewActivityStreamsOutboxProperty()
		p.SetIRI(c.uri(a.Outbox))
		t.SetActivityStreamsOutbox(p)
	}
	if a.Image.URL != "" {
		p := streams.NewActivityStreamsImageProperty()
		p.AppendActivityStreamsImage(c.image(a.Image))
		t.SetActivityStreamsImage(p)
	}
	m, err := c.finish(t, Context(KindActor))
	if err != nil {
		return nil, err
	}
	for name, uri := range map[string]string{
		"followers": a.Followers, "following": a.Following, "featured": a.Featured, "liked": a.Liked, "tracks": a.Tracks,
		"playlists": a.Playlists, "subscribers": a.Subscribers, "movedTo": a.MovedTo,
	} {
		put(m, name, uri)
	}
	putList(m, "alsoKnownAs", a.AlsoKnownAs)
	m["discoverable"], m["indexable"] = a.Discoverable, a.Indexable
	m["manuallyApprovesFollowers"] = a.ManuallyApprovesFollowers
	endpoints := map[string]any{}
	put(endpoints, "sharedInbox", a.SharedInbox)
	put(endpoints, "reencrypt", a.Reencrypt)
	if len(endpoints) > 0 {
		m["endpoints"] = endpoints
	}
	var attachments []any
	for _, f := range a.Fields {
		attachments = append(attachments, map[string]any{"type": "PropertyValue", "name": f.Name, "value": f.Value})
	}
	for _, p := range a.Payments {
		attachments = append(attachments, paymentLink(p.Name, p.Proposal))
	}
	if attachments != nil {
		m["attachment"] = attachments
	}
	return m, a.putKeys(m)
}

func (a Actor) putKeys(m map[string]any) error {
	if a.PublicKey.ID != "" {
		m["publicKey"] = map[string]any{"id": a.PublicKey.ID, "owner": a.ID, "publicKeyPem": a.PublicKey.PEM}
	}
	for name, keys := range map[string][]Key{
		"assertionMethod": a.ProofKeys, "keyAgreement": a.ReceivingKeys, "requestingKey": a.RequestingKeys,
		"verifyingKey": a.VerifyingKeys,
	} {
		var list []any
		for _, k := range keys {
			list = append(list, map[string]any{"id": k.ID, "type": "Multikey", "controller": a.ID, "publicKeyMultibase": k.Multikey})
		}
		if list != nil {
			m[name] = list
		}
	}
	if k := a.SealingKey; k != nil {
		m["sealingKey"] = map[string]any{
			"id": k.ID, "kem": kemXWing, "kdf": kdfHKDFSHA256, "aead": aeadChaCha20Poly1305, "publicKey": encodeBytes(k.PublicKey),
		}
	}
	var links []any
	for _, raw := range a.KeyLinks {
		var link map[string]any
		if err := json.Unmarshal(raw, &link); err != nil {
			return fmt.Errorf("build actor: key link: %w", err)
		}
		links = append(links, link)
	}
	if links != nil {
		m["keyLink"] = links
	}
	return nil
}

// ReadActor reads an actor as any server describes one. Only id, type and inbox must be right; what else is of a
// strange form, or points at another host where it must not, is left out. The caller has fetched raw from its id.
func ReadActor(raw []byte) (Actor, error) {
	o, err := openObject(raw)
	if err != nil {
		return Actor{}, fmt.Errorf("read actor: %w", err)
	}
	a := Actor{ID: o.uri("id")}
	for _, name := range typesOf(o.get("type")) {
		if a.Type == "" && newStreamsActor(ActorType(name)) != nil {
			a.Type = ActorType(name)
		}
	}
	if a.Type == "" {
		o.fail("type", "is not an actor's")
	}
	if a.Inbox = o.uri("inbox"); a.Inbox != "" && !SameOrigin(a.Inbox, a.ID) {
		o.fail("inbox", "is on another host")
	}
	if o.err() != nil {
		return Actor{}, fmt.Errorf("read actor: %w", o.err())
	}
	a.PreferredUsername, a.Name = o.looseText("preferredUsername", maxUsername), o.looseText("name", maxName)
	a.Summary, a.URL, a.Published = o.looseText("summary", maxHTML), o.looseLink("url"), o.looseTime("published")
	for name, to := range map[string]*string{
		"outbox": &a.Outbox, "followers": &a.Followers, "following": &a.Following, "featured": &a.Featured,
		"liked": &a.Liked, "tracks": &a.Tracks, "playlists": &a.Playlists, "subscribers": &a.Subscribers,
	} {
		*to = o.looseSibling(name, a.ID)
	}
	for _, e := range o.looseObjects("endpoints", 1) {
		a.SharedInbox, a.Reencrypt = e.looseSibling("sharedInbox", a.ID), e.looseSibling("reencrypt", a.ID)
	}
	a.Discoverable, a.Indexable = o.get("discoverable") == true, o.get("indexable") == true
	a.ManuallyApprovesFollowers = o.get("manuallyApprovesFollowers") == true
	a.Icon, a.Image = o.looseMedia("icon"), o.looseMedia("image")
	for _, v := range listOf(o.get("alsoKnownAs")) {
		if s, ok := uriOf(v); ok && len(a.AlsoKnownAs) < maxFields {
			a.AlsoKnownAs = append(a.AlsoKnownAs, s)
		}
	}
	a.MovedTo = o.looseURI("movedTo")
	a.readAttachments(o)
	a.readKeys(o)
	a.readKeyLinks(raw)
	return a, nil
}

func (a *Actor) readAttachments(o *object) {
	for _, e := range o.looseObjects("attachment", 2*maxFields) {
		types := typesOf(e.get("type"))
		name := e.looseText("name", maxName)
		if slices.Contains(types, "PropertyValue") && name != "" && len(a.Fields) < maxFields {
			a.Fields = append(a.Fields, Field{Name: name, Value: e.looseText("value", maxHTML)})
		}
		if href := e.looseURI("href"); slices.Contains(types, "Link") && href != "" && slices.Contains(listOf(e.get("rel")), any("payment")) {
			a.Payments = append(a.Payments, PaymentLink{Name: name, Proposal: href})
		}
	}
}

func (a *Actor) readKeys(o *object) {
	for _, e := range o.looseObjects("publicKey", maxKeys) {
		id, pem := e.looseSibling("id", a.ID), e.looseText("publicKeyPem", maxPEM)
		if a.PublicKey.ID == "" && id != "" && pem != "" && e.get("owner") == a.ID {
			a.PublicKey = PublicKey{ID: id, PEM: pem}
		}
	}
	isEd25519 := func(s string) bool { _, err := multikey.DecodeEd25519(s); return err == nil }
	isSecp256k1 := func(s string) bool { _, err := multikey.DecodeSecp256k1(s); return err == nil }
	a.ProofKeys = a.multikeys(o, "assertionMethod", "", isEd25519)
	a.ReceivingKeys = a.multikeys(o, "keyAgreement", a.ID+receivingKeyName, isSecp256k1)
	a.RequestingKeys = a.multikeys(o, "requestingKey", a.ID+requestingKeyName, isEd25519)
	a.VerifyingKeys = a.multikeys(o, "verifyingKey", a.ID+verifyingKeyName, isSecp256k1)
	for _, e := range o.looseObjects("sealingKey", maxKeys) {
		if e.get("kem") != float64(kemXWing) || e.get("kdf") != float64(kdfHKDFSHA256) || e.get("aead") != float64(aeadChaCha20Poly1305) {
			continue
		}
		text, _ := e.get("publicKey").(string)
		key, ok := decodeBytes(text, SealingKeySize)
		if id := e.looseSibling("id", a.ID); ok && id != "" && a.SealingKey == nil {
			a.SealingKey = &SealingKey{ID: id, PublicKey: key}
		}
	}
}

// multikeys reads the keys of one kind that the actor controls. With a prefix, their URIs are that and a number;
// of two keys under one URI neither is taken.
func (a *Actor) multikeys(o *object, name, prefix string, valid func(string) bool) []Key {
	count := map[string]int{}
	var all []Key
	for _, e := range o.looseObjects(name, maxKeys) {
		k := Key{ID: e.looseSibling("id", a.ID)}
		k.Multikey, _ = e.get("publicKeyMultibase").(string)
		if k.ID == "" || e.get("controller") != a.ID || !slices.Contains(typesOf(e.get("type")), "Multikey") {
			continue
		}
		if prefix != "" && (k.Number() == 0 || k.ID != prefix+strconv.Itoa(k.Number())) {
			continue
		}
		count[k.ID]++
		all = append(all, k)
	}
	var out []Key
	for _, k := range all {
		if count[k.ID] == 1 && valid(k.Multikey) {
			out = append(out, k)
		}
	}
	return out
}

// readKeyLinks takes the links from the bytes as they came, because they are signed.
func (a *Actor) readKeyLinks(raw []byte) {
	var members map[string]json.RawMessage // not a struct, whose names would match in any case
	if json.Unmarshal(raw, &members) != nil || members["keyLink"] == nil {
		return
	}
	var list []json.RawMessage
	if json.Unmarshal(members["keyLink"], &list) != nil {
		list = []json.RawMessage{members["keyLink"]}
	}
	for _, link := range list {
		if len(a.KeyLinks) < maxKeys && len(link) > 0 && link[0] == '{' {
			a.KeyLinks = append(a.KeyLinks, link)
		}
	}
}

// ReadKeyOwner reads the document that was fetched for the URI of an HTTP signature key, which is an actor, a stub of
// one, or the key alone, and returns the URI of the actor that it says owns the key. Only that actor's own document
// can confirm it.
func ReadKeyOwner(raw []byte, keyID string) (string, error) {
	o, err := openObject(raw)
	if err != nil {
		return "", fmt.Errorf("read key %s: %w", keyID, err)
	}
	candidates := append([]*object{o}, o.looseObjects("publicKey", maxKeys)...)
	for _, e := range candidates {
		if e.get("id") != keyID || !e.has("publicKeyPem") {
			continue
		}
		if owner := e.looseSibling("owner", keyID); owner != "" {
			return owner, nil
		}
	}
	return "", fmt.Errorf("read key %s: names no owner on its host: %w", keyID, ErrInvalid)
}

// streamsActor is what go-fed's actors have in common and we set.
type streamsActor interface {
	as.Type
	SetJSONLDId(as.JSONLDIdProperty)
	SetActivityStreamsName(as.ActivityStreamsNameProperty)
	SetActivityStreamsSummary(as.ActivityStreamsSummaryProperty)
	SetActivityStreamsUrl(as.ActivityStreamsUrlProperty)
	SetActivityStreamsPublished(as.ActivityStreamsPublishedProperty)
	SetActivityStreamsIcon(as.ActivityStreamsIconProperty)
	SetActivityStreamsImage(as.ActivityStreamsImageProperty)
	SetActivityStreamsPreferredUsername(as.ActivityStreamsPreferredUsernameProperty)
	SetActivityStreamsInbox(as.ActivityStreamsInboxProperty)
	SetActivityStreamsOutbox(as.ActivityStreamsOutboxProperty)
}

// newStreamsActor returns an empty actor of the type, or nil for what is not an actor.
func newStreamsActor(t ActorType) streamsActor {
	switch t {
	case Person:
		return streams.NewActivityStreamsPerson()
	case Application:
		return streams.NewActivityStreamsApplication()
	case Service:
		return streams.NewActivityStreamsService()
	case Group:
		return streams.NewActivityStreamsGroup()
	case Organization:
		return streams.NewActivityStreamsOrganization()
	}
	return nil
}
