package vocab

import (
	"math"
	"time"
	"unicode/utf8"

	"antiphon/vocab/jsonld"
)

// What is read here comes from software of every kind, and a strange form of a thing that is nice to have (a picture,
// a date) is no reason to refuse an actor or a post: these readers give nothing instead.

// looseText is the member if it is a text of at most limit characters, or "".
func (o *object) looseText(name string, limit int) string {
	s, _ := o.get(name).(string)
	if utf8.RuneCountInString(s) > limit {
		return ""
	}
	return s
}

// looseTime is the member if it is a time, in UTC and whole seconds, or zero.
func (o *object) looseTime(name string) time.Time {
	s, _ := o.get(name).(string)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// looseCount is the member if it is a whole number from 0, or 0.
func (o *object) looseCount(name string) int64 {
	f, _ := o.get(name).(float64)
	if f < 0 || f > jsonld.MaxInteger || f != math.Trunc(f) {
		return 0
	}
	return int64(f)
}

func (o *object) looseURI(name string) string {
	s, _ := uriOf(o.get(name))
	return s
}

// looseSibling is the member if it is a URI on the origin of another one, or "".
func (o *object) looseSibling(name, of string) string {
	if s := o.looseURI(name); SameOrigin(s, of) {
		return s
	}
	return ""
}

// looseMedia is the first file of an Image, Audio or Link, whose url may be a text, a Link or a list of these.
func (o *object) looseMedia(name string) Media {
	return mediaOf(o.get(name))
}

func mediaOf(v any) Media {
	for _, e := range listOf(v) {
		m, ok := e.(map[string]any)
		if !ok {
			if s, ok := uriOf(e); ok {
				return Media{URL: s}
			}
			continue
		}
		href := m["url"]
		if href == nil {
			href = m["href"]
		}
		media := Media{}
		media.MediaType, _ = m["mediaType"].(string)
		for _, e := range listOf(href) {
			if link, ok := e.(map[string]any); ok {
				if media.MediaType == "" {
					media.MediaType, _ = link["mediaType"].(string)
				}
				e = link["href"]
			}
			if s, ok := e.(string); ok {
				media.URL, _ = uriOf(s)
			}
			if media.URL != "" {
				if !mediaTypePattern.MatchString(media.MediaType) {
					media.MediaType = ""
				}
				return media
			}
		}
	}
	return Media{}
}

// looseLink is the first address of people's page: a text, a Link, or one of a list; text/html goes first.
func (o *object) looseLink(name string) string {
	first := ""
	for _, e := range listOf(o.get(name)) {
		m, isLink := e.(map[string]any)
		if isLink {
			e = m["href"]
		}
		s, ok := e.(string)
		if ok {
			s, ok = uriOf(s)
		}
		if !ok {
			continue
		}
		if isLink && m["mediaType"] == "text/html" {
			return s
		}
		if first == "" {
			first = s
		}
	}
	return first
}

// looseObjects are the first limit objects of a list, or the one that stands for a list.
func (o *object) looseObjects(name string, limit int) []*object {
	var out []*object
	for _, e := range listOf(o.get(name)) {
		if m, ok := e.(map[string]any); ok && len(out) < limit {
			out = append(out, newObject(m))
		}
	}
	return out
}

func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}
