package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/httpsig"
	"antiphon/vocab"
)

// letter is an activity on its way: what is the same for all inboxes is made once.
type letter struct {
	uri, actor string
	raw        []byte
	// digest and contentDigest are header values of the two dialects of signatures.
	digest, contentDigest string
	kind                  string
	common                bool
	// public is what followers get: their server is told which of them we know.
	public  bool
	created time.Time
}

func newLetter(a sent) *letter {
	l := &letter{uri: a.URI, actor: a.Actor, raw: a.Raw, digest: httpsig.Digest(a.Raw), contentDigest: httpsig.ContentDigest(a.Raw), public: a.Public, created: a.CreatedAt}
	if parsed, err := vocab.ParseActivity(a.Raw); err == nil {
		l.kind, l.common = kindOf(parsed)
	}
	return l
}

// maxLetters bounds how many activities are kept in memory for what comes next.
const maxLetters = 64

// read returns the activities of these deliveries; one that is not there any more is missing.
func (d *dispatcher) read(ctx context.Context, rows []delivery) (map[string]*letter, error) {
	if len(d.letters) > maxLetters {
		clear(d.letters)
	}
	letters := map[string]*letter{}
	for _, row := range rows {
		if letters[row.Activity] != nil {
			continue
		}
		if l := d.letters[row.Activity]; l != nil {
			letters[row.Activity] = l
			continue
		}
		var a sent
		err := d.outbox.db.Read.WithContext(ctx).Where("uri = ?", row.Activity).Take(&a).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read activity %s: %w", row.Activity, err)
		}
		l := newLetter(a)
		letters[row.Activity], d.letters[row.Activity] = l, l
	}
	return letters, nil
}
