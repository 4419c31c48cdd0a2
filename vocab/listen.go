package vocab

import (
	"encoding/json"
	"time"
)

// Listen is the activity of what was heard of a track (AS2's own verb): one play, or those of a day together. It is sent
// only for listeners who asked for it; the instance's actor sends it for those who may be counted and not named.
type Listen struct {
	ID string
	// Actor is the listener or its instance, on the activity's host.
	Actor string
	Track string
	// Published is when it was reported; StartTime and EndTime are when it began and ended.
	Published, StartTime, EndTime time.Time
	// Duration is what was heard in whole seconds, of several plays their mean: at least one, at most from StartTime to
	// EndTime.
	Duration time.Duration
	// Plays is how many there were; 0 says nothing of it, which is one. On the wire it is an InteractionCounter of
	// schema.org as the result, as PeerTube counts views.
	Plays  int64
	To, Cc []string
}

const (
	// listenAction is the kind of interaction that is counted.
	listenAction = "ListenAction"
	// maxCount is the largest number of plays that an activity may tell.
	maxCount = 1_000_000_000
)

// Object is the activity with its context. It does not check; ReadListen does.
func (l Listen) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindListen), "id": l.ID, "type": "Listen", "actor": l.Actor, "object": l.Track,
		"published": formatTime(l.Published), "startTime": formatTime(l.StartTime), "endTime": formatTime(l.EndTime),
		"duration": formatDuration(l.Duration),
	}
	if l.Plays > 0 {
		m["result"] = map[string]any{"type": "InteractionCounter", "interactionType": listenAction, "userInteractionCount": l.Plays}
	}
	putList(m, "to", l.To)
	putList(m, "cc", l.Cc)
	return m
}

// ReadListen reads what was heard; members that it does not know are left alone. Errors wrap ErrInvalid or those of
// vocab/jsonld.
func ReadListen(raw []byte) (Listen, error) {
	o, err := openObject(raw)
	if err != nil {
		return Listen{}, err
	}
	o.types("Listen")
	l := Listen{ID: o.id("id")}
	l.Actor = o.sibling("actor", l.ID)
	l.Track = o.id("object")
	l.Published = o.moment("published")
	l.StartTime = o.moment("startTime")
	l.EndTime = o.moment("endTime")
	l.Duration = o.duration("duration")
	if o.has("result") {
		c := o.child("result")
		c.types("InteractionCounter")
		l.Plays = c.integer("userInteractionCount", 1, maxCount)
	}
	if l.Duration > l.EndTime.Sub(l.StartTime)+time.Second { // each of the three was rounded
		o.fail("duration", "is longer than from start to end")
	}
	l.To = o.uris("to", maxAudience)
	l.Cc = o.uris("cc", maxAudience)
	if err := o.err(); err != nil {
		return Listen{}, err
	}
	return l, nil
}

// Count is the number of interactions that the result of an activity tells, as PeerTube's View does; 1 when it tells
// none that can be read.
func (a Activity) Count() int64 {
	var result struct {
		Count int64 `json:"userInteractionCount"`
	}
	if !a.Result.Is("InteractionCounter") || json.Unmarshal(a.Result.Raw, &result) != nil || result.Count < 1 {
		return 1
	}
	return min(result.Count, maxCount)
}
