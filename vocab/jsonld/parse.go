package jsonld

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// MaxBytes is the longest document that is read.
	MaxBytes = 1 << 20
	// MaxDepth is how deep objects and arrays may nest.
	MaxDepth = 64
	// MaxValues is how many members and elements a document may have in all.
	MaxValues = 50_000
	// MaxInteger bounds the integers of signed documents: all of them below 2^53 are exact in every language.
	MaxInteger = 1<<53 - 1
)

var (
	// ErrMalformed says that the bytes are not one unambiguous JSON object.
	ErrMalformed = errors.New("malformed JSON")
	// ErrLimit says that the document is longer, deeper or has more values than is read.
	ErrLimit = errors.New("JSON exceeds a limit")
)

// Parse reads one JSON object. Values are map[string]any, []any, string, float64, bool and nil, as in encoding/json.
// The errors are ErrMalformed and ErrLimit.
func Parse(raw []byte) (map[string]any, error) { return parse(raw, false, nil) }

// ParseMembers is Parse, and also returns each member of the object as it stands in raw, byte for byte.
func ParseMembers(raw []byte) (map[string]any, map[string]json.RawMessage, error) {
	spans := map[string]json.RawMessage{}
	object, err := parse(raw, false, spans)
	return object, spans, err
}

// ParseSigned is Parse for a document that carries a proof: each number must be written as a plain integer whose
// absolute value is at most MaxInteger.
func ParseSigned(raw []byte) (map[string]any, error) { return parse(raw, true, nil) }

func parse(raw []byte, signed bool, spans map[string]json.RawMessage) (map[string]any, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%d bytes: %w", len(raw), ErrLimit)
	}
	if err := checkText(raw); err != nil {
		return nil, err
	}
	if err := checkDepth(raw); err != nil {
		return nil, err
	}
	if !json.Valid(raw) { // one value and nothing behind it
		return nil, fmt.Errorf("syntax: %w", ErrMalformed)
	}
	r := reader{raw: raw, signed: signed, spans: spans}
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("not an object: %w", ErrMalformed)
	}
	return object, nil
}

// checkText finds what encoding/json would quietly replace.
func checkText(raw []byte) error {
	if bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
		return fmt.Errorf("byte order mark: %w", ErrMalformed)
	}
	if !utf8.Valid(raw) {
		return fmt.Errorf("invalid UTF-8: %w", ErrMalformed)
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // a backslash stands only in strings; what follows is its escape
		unit, ok := unicodeEscape(raw, i-1)
		if !ok {
			continue
		}
		i += 4
		switch {
		case unit == 0:
			return fmt.Errorf("NUL in a string: %w", ErrMalformed)
		case unit >= 0xdc00 && unit <= 0xdfff:
			return fmt.Errorf("lone surrogate: %w", ErrMalformed)
		case unit >= 0xd800 && unit <= 0xdbff:
			low, ok := unicodeEscape(raw, i+1)
			if !ok || low < 0xdc00 || low > 0xdfff {
				return fmt.Errorf("lone surrogate: %w", ErrMalformed)
			}
			i += 6
		}
	}
	return nil
}

// unicodeEscape reads the \uXXXX at raw[i:].
func unicodeEscape(raw []byte, i int) (uint64, bool) {
	if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
	return n, err == nil
}

// checkDepth counts brackets outside of strings, before any recursive parser sees them.
func checkDepth(raw []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("deeper than %d: %w", MaxDepth, ErrLimit)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// reader walks over text whose syntax is known to be good.
type reader struct {
	raw    []byte
	i      int
	signed bool
	count  int
	// spans, when it is not nil, gets the text of each member of the outermost object.
	spans map[string]json.RawMessage
}

// space skips white space and returns the byte behind it.
func (r *reader) space() byte {
	for r.raw[r.i] == ' ' || r.raw[r.i] == '\n' || r.raw[r.i] == '\r' || r.raw[r.i] == '\t' {
		r.i++
	}
	return r.raw[r.i]
}

func (r *reader) value() (any, error) {
	if r.count++; r.count > MaxValues {
		return nil, fmt.Errorf("more than %d values: %w", MaxValues, ErrLimit)
	}
	switch r.space() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return r.text()
	case 't':
		r.i += len("true")
		return true, nil
	case 'f':
		r.i += len("false")
		return false, nil
	case 'n':
		r.i += len("null")
		return nil, nil
	}
	begin := r.i
	for r.i < len(r.raw) && strings.IndexByte("+-.eE0123456789", r.raw[r.i]) >= 0 {
		r.i++
	}
	return r.number(string(r.raw[begin:r.i]))
}

func (r *reader) object() (any, error) {
	object, outermost := map[string]any{}, r.count == 1
	r.i++
	for r.space() != '}' {
		if r.raw[r.i] == ',' {
			r.i++
			r.space()
		}
		key, err := r.text()
		if err != nil {
			return nil, err
		}
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("key %.50q stands twice: %w", key, ErrMalformed)
		}
		r.space()
		r.i++ // the colon
		r.space()
		begin := r.i
		if object[key], err = r.value(); err != nil {
			return nil, err
		}
		if outermost && r.spans != nil {
			r.spans[key] = r.raw[begin:r.i]
		}
	}
	r.i++
	return object, nil
}

func (r *reader) array() (any, error) {
	array := []any{}
	r.i++
	for r.space() != ']' {
		if r.raw[r.i] == ',' {
			r.i++
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	r.i++
	return array, nil
}

func (r *reader) text() (string, error) {
	begin, escaped := r.i, false
	for r.i++; r.raw[r.i] != '"'; r.i++ {
		if r.raw[r.i] == '\\' {
			escaped = true
			r.i++
		}
	}
	r.i++
	if !escaped {
		return string(r.raw[begin+1 : r.i-1]), nil
	}
	var s string
	if err := json.Unmarshal(r.raw[begin:r.i], &s); err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return s, nil
}

func (r *reader) number(text string) (any, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, fmt.Errorf("number %.30s: %w", text, ErrMalformed)
	}
	if r.signed && (strings.ContainsAny(text, ".eE") || text == "-0" || math.Abs(f) > MaxInteger) {
		return nil, fmt.Errorf("number %.30s is not an exact integer: %w", text, ErrMalformed)
	}
	return f, nil
}
