package vocab

import "time"

// Listen is the activity of one play (AS2's own verb). It is sent only for listeners who asked for it, and never to
// followers by default.
type Listen struct {
	ID string
	// Actor is the listener, on the activity's host.
	Actor string
	Track string
	// Published is when the play was reported; StartTime and EndTime are when it began and ended.
	Published, StartTime, EndTime time.Time
	// Duration is what was heard, in whole seconds: at least one, at most from StartTime to EndTime.
	Duration time.Duration
	To, Cc   []string
}

// Object is the activity with its context. It does not check; ReadListen does.
func (l Listen) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindListen), "id": l.ID, "type": "Listen", "actor": l.Actor, "object": l.Track,
		"published": formatTime(l.Published), "startTime": formatTime(l.StartTime), "endTime": formatTime(l.EndTime),
		"duration": formatDuration(l.Duration),
	}
	putList(m, "to", l.To)
	putList(m, "cc", l.Cc)
	return m
}

// ReadListen reads one play; members that it does not know are left alone. Errors wrap ErrInvalid or those of
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
