package vocab

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"antiphon/vocab/jsonld"
)

const (
	maxURI  = 2048
	maxName = 500
	// maxHTML is the longest content, summary or biography that is read.
	maxHTML = 200_000
)

// ErrInvalid says that a document is well-formed JSON but not the noun that it is read as.
var ErrInvalid = errors.New("invalid object")

// object reads one JSON object member by member and keeps the first thing that was wrong, so that a noun's reader is
// a list of its fields. It remembers which members were asked for: close refuses the others.
type object struct {
	members map[string]any
	path    string
	asked   map[string]bool
	doc     *document
}

// document is what the objects of one document share.
type document struct {
	err     error
	objects []*object
}

// openObject parses raw, which carries no proof.
func openObject(raw []byte) (*object, error) {
	m, err := jsonld.Parse(raw)
	if err != nil {
		return nil, err
	}
	return newObject(m), nil
}

// openSigned parses raw as a signed object of kind: its numbers are exact, its context is the kind's, and its types
// are those given. The caller ends with close, which refuses what no reader asked for.
func openSigned(raw []byte, kind Kind, types ...string) (*object, error) {
	m, err := jsonld.ParseSigned(raw)
	if err != nil {
		return nil, err
	}
	o := newObject(m)
	o.context(kind)
	o.types(types...)
	o.skip("proof") // vocab/proof looks at it
	return o, o.doc.err
}

func newObject(m map[string]any) *object {
	doc := &document{}
	return doc.open(m, "")
}

func (d *document) open(m map[string]any, path string) *object {
	o := &object{members: m, path: path, asked: map[string]bool{}, doc: d}
	d.objects = append(d.objects, o)
	return o
}

// err returns what was wrong first.
func (o *object) err() error { return o.doc.err }

// hasContext reports whether ActivityStreams is, or is among, the contexts.
func (o *object) hasContext() bool {
	list, ok := o.get("@context").([]any)
	return o.get("@context") == ActivityStreams || ok && slices.Contains(list, any(ActivityStreams))
}

// close is err, and refuses members that were never asked for, here and in every object opened from here.
func (o *object) close() error {
	if o.doc.err != nil {
		return o.doc.err
	}
	for _, o := range o.doc.objects {
		for name := range o.members {
			if !o.asked[name] {
				return fmt.Errorf("%s%.60q is not a known member: %w", o.path, name, ErrInvalid)
			}
		}
	}
	return nil
}

func (o *object) fail(name, format string, args ...any) {
	if o.doc.err == nil {
		o.doc.err = fmt.Errorf("%s%s %s: %w", o.path, name, fmt.Sprintf(format, args...), ErrInvalid)
	}
}

// get returns the member, or nil if it is missing or null.
func (o *object) get(name string) any {
	o.asked[name] = true
	return o.members[name]
}

func (o *object) has(name string) bool { return o.get(name) != nil }

// skip lets members stand that are not read.
func (o *object) skip(names ...string) {
	for _, name := range names {
		o.asked[name] = true
	}
}

// context asks for exactly the context of kind.
func (o *object) context(kind Kind) {
	if !IsContext(kind, o.get("@context")) {
		o.fail("@context", "is not that of %s", kind)
	}
}

// types asks for exactly these types: one string, or an array in this order.
func (o *object) types(want ...string) {
	var got []string
	switch v := o.get("type").(type) {
	case string:
		got = []string{v}
	case []any:
		for _, e := range v {
			s, _ := e.(string)
			got = append(got, s)
		}
	}
	if !slices.Equal(got, want) {
		o.fail("type", "is not %s", strings.Join(want, ", "))
	}
}

// typed asks that name is among the types.
func (o *object) typed(name string) {
	switch v := o.get("type").(type) {
	case string:
		if v == name {
			return
		}
	case []any:
		if slices.Contains(v, any(name)) {
			return
		}
	}
	o.fail("type", "is not %s", name)
}

// text asks for a string of 1 to limit characters.
func (o *object) text(name string, limit int) string {
	s, ok := o.get(name).(string)
	if n := utf8.RuneCountInString(s); !ok || n == 0 || n > limit {
		o.fail(name, "is not a text of 1 to %d characters", limit)
		return ""
	}
	return s
}

// maybeText is text, or "" if there is none.
func (o *object) maybeText(name string, limit int) string {
	if v := o.get(name); v == nil || v == "" {
		return ""
	}
	return o.text(name, limit)
}

// oneOf asks for one of the words.
func (o *object) oneOf(name string, words ...string) string {
	s, _ := o.get(name).(string)
	if !slices.Contains(words, s) {
		o.fail(name, "is none of %s", strings.Join(words, ", "))
		return ""
	}
	return s
}

// uri asks for an absolute http or https URI, the form of every id. An object with an id counts as its id.
func (o *object) uri(name string) string {
	s, ok := uriOf(o.get(name))
	if !ok {
		o.fail(name, "is not an absolute URI")
		return ""
	}
	return s
}

func (o *object) maybeURI(name string) string {
	if !o.has(name) {
		return ""
	}
	return o.uri(name)
}

// uris asks for at most limit URIs, given as one or as an array; none is none.
func (o *object) uris(name string, limit int) []string {
	list := o.list(name, limit)
	var out []string
	for _, v := range list {
		s, ok := uriOf(v)
		if !ok {
			o.fail(name, "holds what is not an absolute URI")
			return nil
		}
		out = append(out, s)
	}
	return out
}

// sole is uri, and takes an array of one.
func (o *object) sole(name string) string {
	if list := o.list(name, 1); len(list) == 1 {
		if s, ok := uriOf(list[0]); ok {
			return s
		}
	}
	o.fail(name, "is not one absolute URI")
	return ""
}

// audience is uris in which the three ways to write the public collection have become one.
func (o *object) audience(name string) []string {
	var out []string
	for _, v := range o.list(name, maxRecipients) {
		if v == "as:Public" || v == "Public" {
			v = Public
		}
		s, ok := uriOf(v)
		if !ok {
			o.fail(name, "holds what is not an absolute URI")
			return nil
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// list is the member as an array: itself, a single value in one, or nothing.
func (o *object) list(name string, limit int) []any {
	var out []any
	switch v := o.get(name).(type) {
	case nil:
	case []any:
		out = v
	default:
		out = []any{v}
	}
	if len(out) > limit {
		o.fail(name, "has more than %d entries", limit)
		return nil
	}
	return out
}

// texts asks for an array of at most limit strings of 1 to length characters.
func (o *object) texts(name string, limit, length int) []string {
	var out []string
	for _, v := range o.list(name, limit) {
		s, ok := v.(string)
		if !ok || s == "" || utf8.RuneCountInString(s) > length {
			o.fail(name, "holds what is not a text of 1 to %d characters", length)
			return nil
		}
		out = append(out, s)
	}
	return out
}

// child asks for an object. It never returns nil, so that the reader can go on to its end.
func (o *object) child(name string) *object {
	m, ok := o.get(name).(map[string]any)
	if !ok {
		o.fail(name, "is not an object")
	}
	return o.doc.open(m, o.path+name+".")
}

// children asks for an array of low to high objects.
func (o *object) children(name string, low, high int) []*object {
	list, _ := o.get(name).([]any)
	if v := o.get(name); v != nil && list == nil || len(list) < low || len(list) > high {
		o.fail(name, "has not %d to %d objects", low, high)
		return nil
	}
	var out []*object
	for i, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			o.fail(name, "holds what is not an object")
			return nil
		}
		out = append(out, o.doc.open(m, o.path+name+"["+strconv.Itoa(i)+"]."))
	}
	return out
}

// uriOf reads an id: an absolute http or https URI with a host and without a user, or an object that has one.
func uriOf(v any) (string, bool) {
	if m, ok := v.(map[string]any); ok {
		v = m["id"]
	}
	s, _ := v.(string)
	if s == "" || len(s) > maxURI {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	return s, true
}

// SameOrigin reports whether two URIs have the same scheme, host and port, so that one may speak for the other.
func SameOrigin(a, b string) bool {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	return errA == nil && errB == nil && ua.Host != "" && ua.Scheme == ub.Scheme && strings.EqualFold(ua.Host, ub.Host)
}

// origin is the scheme and the host of a URI, without a slash behind them.
func origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
