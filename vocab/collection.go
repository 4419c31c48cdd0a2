package vocab

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-fed/activity/streams"

	"antiphon/vocab/jsonld"
)

// maxPageItems is how many entries of one page are looked at.
const maxPageItems = 1000

// Collection is an ordered collection, or one page of it.
type Collection struct {
	ID string
	// PartOf is the collection that this is a page of, or empty for the collection itself.
	PartOf string
	// TotalItems counts all of the collection's entries, shown or not; 0 also if that is not said.
	TotalItems int64
	// First and Last are pages of a collection, Next and Prev the neighbors of a page.
	First, Last, Next, Prev string
	// Items are what this document itself holds.
	Items []Ref
}

// Build returns the collection or page as JSON to send.
func (l Collection) Build() (map[string]any, error) {
	m, err := l.compose()
	if err != nil {
		return nil, err
	}
	m["totalItems"] = l.TotalItems
	// Entries are set behind go-fed's back: it would rewrite what is embedded.
	var items []any
	for _, r := range l.Items {
		if r.Raw == nil {
			items = append(items, r.ID)
			continue
		}
		item, err := jsonld.Parse(r.Raw)
		if err != nil {
			return nil, fmt.Errorf("build collection: item %.200s: %w", r.ID, err)
		}
		items = append(items, item)
	}
	if items != nil || l.PartOf != "" {
		m["orderedItems"] = append([]any{}, items...)
	}
	return m, nil
}

func (l Collection) compose() (map[string]any, error) {
	var c composer
	if l.PartOf == "" {
		t := streams.NewActivityStreamsOrderedCollection()
		c.id(t, l.ID)
		if l.First != "" {
			p := streams.NewActivityStreamsFirstProperty()
			p.SetIRI(c.uri(l.First))
			t.SetActivityStreamsFirst(p)
		}
		if l.Last != "" {
			p := streams.NewActivityStreamsLastProperty()
			p.SetIRI(c.uri(l.Last))
			t.SetActivityStreamsLast(p)
		}
		return c.finish(t, ActivityStreams)
	}
	t := streams.NewActivityStreamsOrderedCollectionPage()
	c.id(t, l.ID)
	partOf := streams.NewActivityStreamsPartOfProperty()
	partOf.SetIRI(c.uri(l.PartOf))
	t.SetActivityStreamsPartOf(partOf)
	if l.Next != "" {
		p := streams.NewActivityStreamsNextProperty()
		p.SetIRI(c.uri(l.Next))
		t.SetActivityStreamsNext(p)
	}
	if l.Prev != "" {
		p := streams.NewActivityStreamsPrevProperty()
		p.SetIRI(c.uri(l.Prev))
		t.SetActivityStreamsPrev(p)
	}
	return c.finish(t, ActivityStreams)
}

// ReadCollection reads a collection or page of any server, ordered or not. If the first page is embedded in it, that
// page's entries and its Next are the collection's. Entries that are neither URIs nor objects are left out, and so are
// those past the first thousand.
func ReadCollection(raw []byte) (Collection, error) {
	o, err := openObject(raw)
	if err != nil {
		return Collection{}, fmt.Errorf("read collection: %w", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return Collection{}, fmt.Errorf("read collection: %w: %w", jsonld.ErrMalformed, err)
	}
	if !slices.ContainsFunc(typesOf(o.get("type")), isCollectionType) {
		o.fail("type", "is not a collection's")
	}
	l := Collection{ID: o.uri("id")}
	if o.err() != nil {
		return Collection{}, fmt.Errorf("read collection: %w", o.err())
	}
	l.TotalItems, l.PartOf = o.looseCount("totalItems"), o.looseSibling("partOf", l.ID)
	l.First, l.Last = o.looseSibling("first", l.ID), o.looseSibling("last", l.ID)
	l.Next, l.Prev = o.looseSibling("next", l.ID), o.looseSibling("prev", l.ID)
	l.Items = readItems(members)
	if page, ok := o.get("first").(map[string]any); ok && len(l.Items) == 0 {
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(members["first"], &inner); err == nil {
			l.Items = readItems(inner)
			l.Next = newObject(page).looseSibling("next", l.ID)
		}
	}
	return l, nil
}

func isCollectionType(name string) bool {
	return slices.Contains([]string{"OrderedCollection", "OrderedCollectionPage", "Collection", "CollectionPage"}, name)
}

func readItems(members map[string]json.RawMessage) []Ref {
	raw := members["orderedItems"]
	if raw == nil {
		raw = members["items"]
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil && raw != nil {
		list = []json.RawMessage{raw}
	}
	var out []Ref
	for _, e := range list {
		if r, err := readReference(e); err == nil && (r.ID != "" || r.Raw != nil) && len(out) < maxPageItems {
			out = append(out, r)
		}
	}
	return out
}

// Tombstone is what is left of a deleted object.
type Tombstone struct {
	ID string
	// FormerType is what it was, such as "Note".
	FormerType string
	Deleted    time.Time
}

// Build returns the tombstone as JSON to send.
func (s Tombstone) Build() (map[string]any, error) {
	var c composer
	t := streams.NewActivityStreamsTombstone()
	c.id(t, s.ID)
	if s.FormerType != "" {
		p := streams.NewActivityStreamsFormerTypeProperty()
		p.AppendXMLSchemaString(s.FormerType)
		t.SetActivityStreamsFormerType(p)
	}
	if !s.Deleted.IsZero() {
		p := streams.NewActivityStreamsDeletedProperty()
		p.Set(s.Deleted.UTC().Truncate(time.Second))
		t.SetActivityStreamsDeleted(p)
	}
	return c.finish(t, ActivityStreams)
}
