package jsonld

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

// Canonicalize returns the RFC 8785 form of object, whose values are those that Parse gives, or integers. Strings
// must be valid UTF-8 and numbers finite; integers must be at most MaxInteger, because RFC 8785 knows only doubles.
func Canonicalize(object map[string]any) ([]byte, error) {
	if err := check(object, 0); err != nil {
		return nil, fmt.Errorf("canonicalize: %w", err)
	}
	raw, err := Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("canonicalize: %w", err)
	}
	out, err := jcs.Transform(raw)
	if err != nil {
		return nil, fmt.Errorf("canonicalize: %w: %w", ErrMalformed, err)
	}
	return out, nil
}

// Marshal writes object as compact JSON without HTML escapes, as it goes over the wire.
func Marshal(object map[string]any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return nil, fmt.Errorf("marshal JSON: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// check refuses what encoding/json would change without a word.
func check(v any, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("deeper than %d: %w", MaxDepth, ErrLimit)
	}
	switch v := v.(type) {
	case nil, bool:
		return nil
	case string:
		if !utf8.ValidString(v) {
			return fmt.Errorf("invalid UTF-8: %w", ErrMalformed)
		}
		return nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("number is not finite: %w", ErrMalformed)
		}
		return nil
	case int:
		return checkInteger(int64(v))
	case int64:
		return checkInteger(v)
	case []any:
		for _, e := range v {
			if err := check(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		for k, e := range v {
			if !utf8.ValidString(k) {
				return fmt.Errorf("invalid UTF-8: %w", ErrMalformed)
			}
			if err := check(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("value of type %T: %w", v, ErrMalformed)
}

func checkInteger(n int64) error {
	if n > MaxInteger || n < -MaxInteger {
		return fmt.Errorf("integer %d is not exact: %w", n, ErrMalformed)
	}
	return nil
}
