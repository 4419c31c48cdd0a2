package outbox

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Position is where a page of a list begins: behind the entry of that time and URI. The zero Position is the
// beginning. Lists go from the newest to the oldest, so a position stays right while entries come in at the front, and
// the database finds it in an index, however long the list is.
type Position struct {
	At  time.Time
	URI string
}

// String is the position as it stands in an address; ParsePosition reads it.
func (p Position) String() string {
	if p.URI == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(p.At.UTC().Format(time.RFC3339Nano) + " " + p.URI))
}

// maxPosition bounds the text of a position.
const maxPosition = 4096

// ParsePosition reads a position; the empty text is the beginning. Anything else that String did not write is
// ErrNotFound.
func ParsePosition(text string) (Position, error) {
	if text == "" {
		return Position{}, nil
	}
	bad := fmt.Errorf("%w: position %.40q", ErrNotFound, text)
	if len(text) > maxPosition {
		return Position{}, bad
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Position{}, bad
	}
	at, uri, ok := strings.Cut(string(raw), " ")
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || !ok || uri == "" || t.Year() < 1 || t.Year() > 9999 {
		return Position{}, bad
	}
	return Position{t.UTC(), uri}, nil
}

// After limits a query to what comes behind the position, and orders it: newest first by the columns at and uri.
func (p Position) After(q *gorm.DB, at, uri string) *gorm.DB {
	if p.URI != "" {
		q = q.Where("("+at+", "+uri+") < (?, ?)", p.At, p.URI)
	}
	return q.Order(at + " DESC, " + uri + " DESC")
}
