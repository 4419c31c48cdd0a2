package vocab

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-fed/activity/streams"
	as "github.com/go-fed/activity/streams/vocab"
)

const (
	maxUsername = 100
	maxFields   = 16
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
	Tracks, Playlists, Releases, Subscribers      string
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
		"playlists": a.Playlists, "releases": a.Releases, "subscribers": a.Subscribers, "movedTo": a.MovedTo,
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
		"liked": &a.Liked, "tracks": &a.Tracks, "playlists": &a.Playlists, "releases": &a.Releases, "subscribers": &a.Subscribers,
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
