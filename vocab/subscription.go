package vocab

import "time"

// subscribed is what the subject of a Subscription is to its object.
const subscribed = Namespace + "subscribes"

// Subscription says that a listener subscribes to an artist.
type Subscription struct {
	ID string
	// Artist is who says so and whom the listener subscribes to, on the subscription's host.
	Artist   string
	Listener string
	// Agreement is what was agreed on.
	Agreement string
	StartTime time.Time
	// EndTime is nil for a subscription that ends when somebody ends it.
	EndTime *time.Time
}

// Object is the subscription with its context. It does not check; ReadSubscription does.
func (s Subscription) Object() map[string]any {
	return map[string]any{
		"@context": Context(KindSubscription), "id": s.ID, "type": []any{"Subscription", "Relationship"},
		"attributedTo": s.Artist, "subject": s.Listener, "relationship": subscribed, "object": s.Artist,
		"context": s.Agreement, "startTime": formatTime(s.StartTime), "endTime": timeOrNull(s.EndTime),
	}
}

// ReadSubscription reads a subscription; members that it does not know are left alone. Errors wrap ErrInvalid or those
// of vocab/jsonld.
func ReadSubscription(raw []byte) (Subscription, error) {
	o, err := openObject(raw)
	if err != nil {
		return Subscription{}, err
	}
	o.typed("Subscription")
	s := Subscription{ID: o.id("id")}
	s.Artist = o.sibling("attributedTo", s.ID)
	o.same("object", s.Artist)
	o.same("relationship", subscribed)
	s.Listener = o.id("subject")
	s.Agreement = o.sibling("context", s.ID)
	s.StartTime = o.moment("startTime")
	s.EndTime = o.until("endTime", s.StartTime)
	if err := o.err(); err != nil {
		return Subscription{}, err
	}
	return s, nil
}
