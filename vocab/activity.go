package vocab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-fed/activity/streams"
	as "github.com/go-fed/activity/streams/vocab"

	"antiphon/vocab/jsonld"
)

// Verb is the type of an activity, a single word of ActivityStreams' core.
type Verb string

// The verbs that have an effect here. Others are answered politely and forgotten.
const (
	VerbAccept   Verb = "Accept"
	VerbAdd      Verb = "Add"
	VerbAnnounce Verb = "Announce"
	VerbBlock    Verb = "Block"
	VerbCreate   Verb = "Create"
	VerbDelete   Verb = "Delete"
	VerbFlag     Verb = "Flag"
	VerbFollow   Verb = "Follow"
	VerbLike     Verb = "Like"
	VerbListen   Verb = "Listen"
	VerbMove     Verb = "Move"
	VerbOffer    Verb = "Offer"
	VerbReject   Verb = "Reject"
	VerbRemove   Verb = "Remove"
	VerbUndo     Verb = "Undo"
	VerbUpdate   Verb = "Update"
	// VerbView says that something was looked at; it is received and never sent.
	VerbView Verb = "View"
	// VerbQuoteRequest asks whether a post may be quoted (FEP-044f); it is received and never sent.
	VerbQuoteRequest Verb = "QuoteRequest"
)

// emojiReact is a Like with a picture (FEP-c0e0), and read as a Like.
const emojiReact Verb = "EmojiReact"

const (
	// maxRecipients is how many recipients one activity may name.
	maxRecipients = 1000
	// maxObjects is how many objects of one activity are looked at.
	maxObjects = 100
)

// ErrUnknownType says that a document is an activity, but of a kind that has no effect here.
var ErrUnknownType = errors.New("unknown activity type")

// Ref is what an activity is about: named by its URI, embedded, or both.
type Ref struct {
	// ID is the object's URI; empty for an embedded object that has none, such as the Agreement of an Offer.
	ID string
	// Types are the types of an embedded object, in its order.
	Types []string
	// Raw is the embedded object as it came, byte for byte; nil if there is only a URI. An object embedded by
	// anyone but its own host's actor is hearsay.
	Raw json.RawMessage
}

// Embed makes a Ref of what a builder, or proof.Sign, returned.
func Embed(object map[string]any) (Ref, error) {
	raw, err := jsonld.Marshal(object)
	if err != nil {
		return Ref{}, err
	}
	return readReference(raw)
}

// Is reports whether name is among the types of the embedded object.
func (r Ref) Is(name string) bool { return slices.Contains(r.Types, name) }

// Activity is one activity, to be sent or received. A received one is unverified: its actor is only what it says.
type Activity struct {
	// ID is the activity's URI; empty if it has none.
	ID    string
	Type  Verb
	Actor string
	// Object is what the verb acts on; Others are further ones, which Flag and some servers' Delete have.
	Object Ref
	Others []Ref
	// Target is where Add and Remove put the object, and where Move goes.
	Target Ref
	// Result is what an Accept came to: an Agreement.
	Result Ref
	// To, Cc and Audience are URIs; the three ways to write the public collection have become one.
	To, Cc, Audience []string
	// Published is zero if absent, as is EndTime, which a subscription's Add has; both in whole seconds.
	Published, EndTime time.Time
	// Context is the URI of what this belongs to, such as an agreement.
	Context string
	// Summary is a reason in plain words, Content the text of a Flag, Code the reason of a Reject for machines.
	Summary, Content, Code string
	// Raw is the whole document as it came; it may hold bto and bcc, which are never passed on.
	Raw json.RawMessage
}

// Public reports whether everyone is addressed, in whatever field.
func (a Activity) Public() bool {
	return slices.Contains(a.To, Public) || slices.Contains(a.Cc, Public) || slices.Contains(a.Audience, Public)
}

// ParseActivity reads one activity. It is not go-fed's reader: that one panics on some durations and knows single
// types only. Beside ErrUnknownType the Activity is returned with ID, Actor and Raw, enough to be authenticated and
// answered; the other errors are ErrInvalid and those of jsonld. Whether the id lies on the actor's host and the
// actor is the signer is for the inbox to check.
func ParseActivity(raw []byte) (Activity, error) {
	values, members, err := jsonld.ParseMembers(raw)
	if err != nil {
		return Activity{}, fmt.Errorf("parse activity: %w", err)
	}
	o := newObject(values)
	a := Activity{Raw: raw, ID: o.maybeURI("id"), Actor: o.sole("actor")}
	if !o.hasContext() {
		o.fail("@context", "is missing")
	}
	if o.err() != nil {
		return Activity{}, fmt.Errorf("parse activity: %w", o.err())
	}
	verb, ok := verbOf(o.get("type"))
	if !ok {
		return a, fmt.Errorf("parse activity of type %.100v: %w", o.get("type"), ErrUnknownType)
	}
	a.Type = verb
	objects, err := readReferences(listed(verb, members["object"], values["object"]))
	if err != nil || len(objects) == 0 {
		return Activity{}, fmt.Errorf("parse activity: object is neither a URI nor an object: %w", ErrInvalid)
	}
	a.Object = objects[0]
	if len(objects) > 1 {
		a.Others = objects[1:]
	}
	if a.Target, err = reference(members["target"], values["target"]); err != nil {
		return Activity{}, fmt.Errorf("parse activity: target: %w", err)
	}
	if a.Result, err = reference(members["result"], values["result"]); err != nil {
		return Activity{}, fmt.Errorf("parse activity: result: %w", err)
	}
	a.To, a.Cc, a.Audience = o.audience("to"), o.audience("cc"), o.audience("audience")
	a.Published, a.EndTime = o.time("published"), o.time("endTime")
	// What follows is beside the point in most verbs, where other servers write it in forms of their own.
	a.Context, _ = uriOf(o.get("context"))
	a.Summary, a.Content, a.Code = o.looseText("summary", maxName), o.looseText("content", maxHTML), o.looseText("code", 100)
	if o.err() != nil {
		return Activity{}, fmt.Errorf("parse activity: %w", o.err())
	}
	return a, nil
}

// verbOf reads a type. Of arrays only [something, core verb] is taken, as a core verb with a more special name.
func verbOf(v any) (Verb, bool) {
	name, _ := v.(string)
	if list, ok := v.([]any); ok && len(list) == 2 {
		special, ok := list[0].(string)
		if !ok || newStreamsActivity(Verb(special)) != nil {
			return "", false
		}
		name, _ = list[1].(string)
	}
	switch verb := Verb(name); verb {
	case VerbQuoteRequest:
		return verb, true
	case emojiReact:
		return VerbLike, true
	default:
		return verb, newStreamsActivity(verb) != nil
	}
}

// listed is what a Delete is about when it is written as one object with a list of ids, as Funkwhale does: the list.
func listed(verb Verb, raw json.RawMessage, v any) (json.RawMessage, any) {
	one, _ := v.(map[string]any)
	ids, ok := one["id"].([]any)
	var members struct{ ID json.RawMessage }
	if verb != VerbDelete || !ok || json.Unmarshal(raw, &members) != nil {
		return raw, v
	}
	return members.ID, ids
}

// readReferences reads one reference or a list of them, given as text and as values.
func readReferences(raw json.RawMessage, v any) ([]Ref, error) {
	values, ok := v.([]any)
	list := []json.RawMessage{raw}
	if ok {
		list = nil
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
	} else if values = []any{v}; v == nil {
		return nil, nil
	}
	var out []Ref
	for i, r := range list[:min(len(list), maxObjects)] {
		o, err := reference(r, values[i])
		if err != nil {
			return nil, err
		}
		if o.ID == "" && o.Raw == nil {
			return nil, ErrInvalid
		}
		out = append(out, o)
	}
	return out, nil
}

// readReference reads a URI or an embedded object; nothing and null are the zero Ref.
func readReference(raw json.RawMessage) (Ref, error) {
	var v any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &v); err != nil {
			return Ref{}, fmt.Errorf("%w: %w", jsonld.ErrMalformed, err)
		}
	}
	return reference(raw, v)
}

// reference is readReference of a text whose value is known.
func reference(raw json.RawMessage, v any) (Ref, error) {
	switch v := v.(type) {
	case nil:
		return Ref{}, nil
	case string:
		id, ok := uriOf(v)
		if !ok {
			return Ref{}, fmt.Errorf("%.100q is not an absolute URI: %w", v, ErrInvalid)
		}
		return Ref{ID: id}, nil
	case map[string]any:
		o := Ref{Raw: bytes.TrimSpace(raw)}
		if v["id"] != nil {
			id, ok := uriOf(v["id"])
			if !ok {
				return Ref{}, fmt.Errorf("id is not an absolute URI: %w", ErrInvalid)
			}
			o.ID = id
		}
		o.Types = typesOf(v["type"])
		return o, nil
	}
	return Ref{}, fmt.Errorf("neither a URI nor an object: %w", ErrInvalid)
}

// typesOf reads a type that is one string or an array of them.
func typesOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok && len(out) < 8 {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// newStreamsActivity returns an empty activity of verb, or nil for one that has no effect here.
func newStreamsActivity(verb Verb) streamsActivity {
	switch verb {
	case VerbAccept:
		return streams.NewActivityStreamsAccept()
	case VerbAdd:
		return streams.NewActivityStreamsAdd()
	case VerbAnnounce:
		return streams.NewActivityStreamsAnnounce()
	case VerbBlock:
		return streams.NewActivityStreamsBlock()
	case VerbCreate:
		return streams.NewActivityStreamsCreate()
	case VerbDelete:
		return streams.NewActivityStreamsDelete()
	case VerbFlag:
		return streams.NewActivityStreamsFlag()
	case VerbFollow:
		return streams.NewActivityStreamsFollow()
	case VerbLike:
		return streams.NewActivityStreamsLike()
	case VerbListen:
		return streams.NewActivityStreamsListen()
	case VerbMove:
		return streams.NewActivityStreamsMove()
	case VerbOffer:
		return streams.NewActivityStreamsOffer()
	case VerbReject:
		return streams.NewActivityStreamsReject()
	case VerbRemove:
		return streams.NewActivityStreamsRemove()
	case VerbUndo:
		return streams.NewActivityStreamsUndo()
	case VerbUpdate:
		return streams.NewActivityStreamsUpdate()
	case VerbView:
		return streams.NewActivityStreamsView()
	}
	return nil
}

// streamsActivity is what go-fed's activities have in common and we set.
type streamsActivity interface {
	as.Type
	addressed
	SetJSONLDId(as.JSONLDIdProperty)
	SetActivityStreamsActor(as.ActivityStreamsActorProperty)
	SetActivityStreamsPublished(as.ActivityStreamsPublishedProperty)
	SetActivityStreamsSummary(as.ActivityStreamsSummaryProperty)
	SetActivityStreamsContent(as.ActivityStreamsContentProperty)
}

// Build returns a as JSON to send. An embedded object without a proof gives its context to the activity; a signed
// one keeps its own.
func (a Activity) Build() (map[string]any, error) {
	t := newStreamsActivity(a.Type)
	if t == nil {
		return nil, fmt.Errorf("build %q: %w", a.Type, ErrUnknownType)
	}
	var c composer
	c.id(t, a.ID)
	actor := streams.NewActivityStreamsActorProperty()
	actor.AppendIRI(c.uri(a.Actor))
	t.SetActivityStreamsActor(actor)
	c.address(t, a.To, a.Cc)
	c.published(t, a.Published)
	c.summary(t, a.Summary)
	c.content(t, a.Content)

	var context any = ActivityStreams
	if a.Code != "" {
		context = Context(KindActivity)
	}
	m, err := c.finish(t, context)
	if err != nil {
		return nil, err
	}
	// Objects, durations and contexts are set behind go-fed's back: it would rewrite what is embedded and signed.
	objects := make([]any, 0, 1+len(a.Others))
	for _, o := range append([]Ref{a.Object}, a.Others...) {
		v, outer, err := o.build(m["@context"])
		if err != nil {
			return nil, fmt.Errorf("build %s: object: %w", a.Type, err)
		}
		m["@context"] = outer
		objects = append(objects, v)
	}
	m["object"] = objects[0]
	if len(objects) > 1 {
		m["object"] = objects
	}
	for name, o := range map[string]Ref{"target": a.Target, "result": a.Result} {
		if o.ID == "" && o.Raw == nil {
			continue
		}
		if m[name], m["@context"], err = o.build(m["@context"]); err != nil {
			return nil, fmt.Errorf("build %s: %s: %w", a.Type, name, err)
		}
	}
	putList(m, "audience", a.Audience)
	putTime(m, "endTime", a.EndTime)
	put(m, "context", a.Context)
	put(m, "code", a.Code)
	return m, nil
}

func (r Ref) build(context any) (value, outer any, err error) {
	if r.Raw == nil {
		if _, ok := uriOf(r.ID); !ok {
			return nil, nil, fmt.Errorf("%.100q is not an absolute URI: %w", r.ID, ErrInvalid)
		}
		return r.ID, context, nil
	}
	m, err := jsonld.Parse(r.Raw)
	if err != nil {
		return nil, nil, err
	}
	value, outer = embed(m, context)
	return value, outer, nil
}
