package vocab

import (
	"slices"
	"time"
)

// subscribed is what the subject of a Subscription is to its object.
const subscribed = Namespace + "subscribes"

// Subscription says that a listener subscribes to an artist. In an Offer the listener proposes it, without an id; in the
// result of an Accept the artist's server names it.
type Subscription struct {
	// ID is empty in an Offer.
	ID string
	// Artist is whom the listener subscribes to, and who says so, on the subscription's host; an Offer says nothing of who
	// says it.
	Artist   string
	Listener string
	// Tier is the product that is subscribed to; empty where only the relationship is told.
	Tier string
	// Shown says that the listener wants to be seen among the subscribers: the subscription is addressed to everyone.
	Shown bool
	// Agreement is what was agreed on and paid last; empty before.
	Agreement string
	// StartTime is zero before anything was paid.
	StartTime time.Time
	// EndTime is the end of what was paid; nil in an Offer, and for a subscription that ends when somebody ends it.
	EndTime *time.Time
}

// Object is the subscription with its context. It does not check; the readers do.
func (s Subscription) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindSubscription), "type": []any{"Subscription", "Relationship"},
		"subject": s.Listener, "relationship": subscribed, "object": s.Artist, "endTime": timeOrNull(s.EndTime),
	}
	if s.ID != "" {
		m["id"], m["attributedTo"] = s.ID, s.Artist
	}
	put(m, "product", s.Tier)
	put(m, "context", s.Agreement)
	putTime(m, "startTime", s.StartTime)
	if s.Shown {
		m["to"] = Public
	}
	return m
}

// ReadSubscription reads a subscription; members that it does not know are left alone. Errors wrap ErrInvalid or those
// of vocab/jsonld.
func ReadSubscription(raw []byte) (Subscription, error) {
	o, err := openObject(raw)
	if err != nil {
		return Subscription{}, err
	}
	s := Subscription{ID: o.id("id")}
	s.Artist = o.sibling("attributedTo", s.ID)
	o.same("object", s.Artist)
	o.subscription(&s)
	s.Agreement = o.maybeSibling("context", s.ID)
	s.StartTime = o.maybeMoment("startTime")
	s.EndTime = o.until("endTime", s.StartTime)
	if err := o.err(); err != nil {
		return Subscription{}, err
	}
	return s, nil
}

// ReadOfferedSubscription reads the subscription in an Offer, which has no id and names a tier. That the subject is who
// sent it is for the caller to check. Errors wrap ErrInvalid or those of vocab/jsonld.
func ReadOfferedSubscription(raw []byte) (Subscription, error) {
	o, err := openObject(raw)
	if err != nil {
		return Subscription{}, err
	}
	if o.has("id") {
		o.fail("id", "is the seller's to give")
	}
	s := Subscription{Artist: o.id("object")}
	o.subscription(&s)
	if s.Tier == "" {
		o.fail("product", "is missing")
	}
	if err := o.err(); err != nil {
		return Subscription{}, err
	}
	return s, nil
}

// subscription reads what both forms have.
func (o *object) subscription(s *Subscription) {
	o.typed("Subscription")
	o.same("relationship", subscribed)
	s.Listener = o.id("subject")
	s.Tier = o.maybeSibling("product", s.Artist)
	s.Shown = slices.Contains(o.audience("to"), Public)
}
