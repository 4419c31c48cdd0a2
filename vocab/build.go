package vocab

import (
	"encoding/base64"
	"time"
)

// timeLayout is RFC 3339 in UTC and whole seconds.
const timeLayout = "2006-01-02T15:04:05Z"

// formatTime writes t as it goes on the wire.
func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// timeOrNull is formatTime, or null where that has a meaning ("for good").
func timeOrNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return formatTime(*t)
}

// encodeBytes writes b in base64url without padding.
func encodeBytes(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// put sets a member unless v is the zero value of its type.
func put[T comparable](m map[string]any, name string, v T) {
	if v != *new(T) {
		m[name] = v
	}
}

// putTime sets a member unless t is the zero time.
func putTime(m map[string]any, name string, t time.Time) {
	if !t.IsZero() {
		m[name] = formatTime(t)
	}
}

// putList sets a member to an array of texts unless there are none.
func putList(m map[string]any, name string, texts []string) {
	if len(texts) > 0 {
		m[name] = anys(texts)
	}
}

// anys makes of texts what JSON is made of.
func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}
