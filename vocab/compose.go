package vocab

import (
	"fmt"
	"maps"
	"net/url"
	"time"

	"github.com/go-fed/activity/streams"
	as "github.com/go-fed/activity/streams/vocab"
)

// composer fills go-fed's types from plain values and keeps the first URI that was not one.
type composer struct{ err error }

func (c *composer) uri(s string) *url.URL {
	u, err := url.Parse(s)
	if err == nil && !u.IsAbs() {
		err = fmt.Errorf("%.100q is not absolute: %w", s, ErrInvalid)
	}
	if err != nil {
		if c.err == nil {
			c.err = fmt.Errorf("build: %w", err)
		}
		return &url.URL{}
	}
	return u
}

// finish writes t as a map with the context of its kind. Streams makes a single value of a list of one; lists that
// other servers expect as arrays become arrays again.
func (c *composer) finish(t as.Type, context any) (map[string]any, error) {
	if c.err != nil {
		return nil, c.err
	}
	m, err := streams.Serialize(t)
	if err != nil {
		return nil, fmt.Errorf("serialize %s: %w", t.GetTypeName(), err)
	}
	m["@context"] = context
	for _, name := range []string{"to", "cc", "attachment", "tag", "orderedItems"} {
		if v, ok := m[name]; ok {
			if _, ok := v.([]any); !ok {
				m[name] = []any{v}
			}
		}
	}
	return m, nil
}

func (c *composer) id(t interface{ SetJSONLDId(as.JSONLDIdProperty) }, id string) {
	if id == "" {
		return
	}
	p := streams.NewJSONLDIdProperty()
	p.SetIRI(c.uri(id))
	t.SetJSONLDId(p)
}

// addressed is what has an audience.
type addressed interface {
	SetActivityStreamsTo(as.ActivityStreamsToProperty)
	SetActivityStreamsCc(as.ActivityStreamsCcProperty)
}

func (c *composer) address(t addressed, to, cc []string) {
	if len(to) > 0 {
		p := streams.NewActivityStreamsToProperty()
		for _, s := range to {
			p.AppendIRI(c.uri(s))
		}
		t.SetActivityStreamsTo(p)
	}
	if len(cc) > 0 {
		p := streams.NewActivityStreamsCcProperty()
		for _, s := range cc {
			p.AppendIRI(c.uri(s))
		}
		t.SetActivityStreamsCc(p)
	}
}

func (c *composer) published(t interface {
	SetActivityStreamsPublished(as.ActivityStreamsPublishedProperty)
}, at time.Time) {
	if at.IsZero() {
		return
	}
	p := streams.NewActivityStreamsPublishedProperty()
	p.Set(at.UTC().Truncate(time.Second))
	t.SetActivityStreamsPublished(p)
}

func (c *composer) updated(t interface {
	SetActivityStreamsUpdated(as.ActivityStreamsUpdatedProperty)
}, at time.Time) {
	if at.IsZero() {
		return
	}
	p := streams.NewActivityStreamsUpdatedProperty()
	p.Set(at.UTC().Truncate(time.Second))
	t.SetActivityStreamsUpdated(p)
}

func (c *composer) attributedTo(t interface {
	SetActivityStreamsAttributedTo(as.ActivityStreamsAttributedToProperty)
}, actor string) {
	p := streams.NewActivityStreamsAttributedToProperty()
	p.AppendIRI(c.uri(actor))
	t.SetActivityStreamsAttributedTo(p)
}

func (c *composer) name(t interface {
	SetActivityStreamsName(as.ActivityStreamsNameProperty)
}, name string) {
	if name == "" {
		return
	}
	p := streams.NewActivityStreamsNameProperty()
	p.AppendXMLSchemaString(name)
	t.SetActivityStreamsName(p)
}

func (c *composer) summary(t interface {
	SetActivityStreamsSummary(as.ActivityStreamsSummaryProperty)
}, text string) {
	if text == "" {
		return
	}
	p := streams.NewActivityStreamsSummaryProperty()
	p.AppendXMLSchemaString(text)
	t.SetActivityStreamsSummary(p)
}

func (c *composer) content(t interface {
	SetActivityStreamsContent(as.ActivityStreamsContentProperty)
}, html string) {
	if html == "" {
		return
	}
	p := streams.NewActivityStreamsContentProperty()
	p.AppendXMLSchemaString(html)
	t.SetActivityStreamsContent(p)
}

func (c *composer) link(t interface {
	SetActivityStreamsUrl(as.ActivityStreamsUrlProperty)
}, href string) {
	if href == "" {
		return
	}
	p := streams.NewActivityStreamsUrlProperty()
	p.AppendIRI(c.uri(href))
	t.SetActivityStreamsUrl(p)
}

func (c *composer) mediaType(t interface {
	SetActivityStreamsMediaType(as.ActivityStreamsMediaTypeProperty)
}, text string) {
	if text == "" {
		return
	}
	p := streams.NewActivityStreamsMediaTypeProperty()
	p.Set(text)
	t.SetActivityStreamsMediaType(p)
}

func (c *composer) image(f Media) as.ActivityStreamsImage {
	t := streams.NewActivityStreamsImage()
	c.mediaType(t, f.MediaType)
	c.link(t, f.URL)
	return t
}

func (c *composer) icon(t interface {
	SetActivityStreamsIcon(as.ActivityStreamsIconProperty)
}, f Media) {
	if f.URL == "" {
		return
	}
	p := streams.NewActivityStreamsIconProperty()
	p.AppendActivityStreamsImage(c.image(f))
	t.SetActivityStreamsIcon(p)
}

// embed returns object for use inside a document of context. An object without a proof gives its context up, so that
// it stands once, on the outside; a signed object keeps its own, because it is part of what was signed.
func embed(object map[string]any, context any) (inner map[string]any, outer any) {
	if own, ok := object["@context"]; ok && object["proof"] == nil {
		inner = maps.Clone(object)
		delete(inner, "@context")
		return inner, own
	}
	return object, context
}
