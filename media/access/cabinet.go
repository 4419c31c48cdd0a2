package access

import (
	"sync"
	"time"

	"antiphon/media/pre/umbral"
)

// maxOpened bounds the fragments that are kept open.
const maxOpened = 4096

// cabinet keeps fragments that were unsealed and verified, so that a listener's next track does not cost that again. It
// lies in memory alone, and decides nothing: whether a fragment is held is asked of the database each time.
type cabinet struct {
	mu     sync.Mutex
	opened map[place]opened
}

type place struct {
	uri     string
	updated time.Time
}

type opened struct {
	grant string
	kfrag *umbral.VerifiedKeyFrag
}

func newCabinet() *cabinet { return &cabinet{opened: map[place]opened{}} }

func (c *cabinet) get(row heldRow) (*umbral.VerifiedKeyFrag, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.opened[place{row.URI, row.UpdatedAt.UTC()}]
	return o.kfrag, ok
}

func (c *cabinet) put(row heldRow, kfrag *umbral.VerifiedKeyFrag) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.opened) >= maxOpened {
		clear(c.opened)
	}
	c.opened[place{row.URI, row.UpdatedAt.UTC()}] = opened{row.GrantURI, kfrag}
}

// forget closes all fragments of a grant.
func (c *cabinet) forget(grant string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, o := range c.opened {
		if o.grant == grant {
			delete(c.opened, at)
		}
	}
}
