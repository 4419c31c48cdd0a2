package inbox

import (
	"context"
	"sync"
	"time"

	"antiphon/federation/moderation"
)

const (
	// averseFor is how long it is remembered who blocks an actor. What this process changes is known at once.
	averseFor = 10 * time.Second
	// maxAverse is of how many actors that is.
	maxAverse = 50_000
)

// averse remembers which members block an actor: every activity that is acted on asks, and for most the answer is nobody.
type averse struct {
	mu     sync.Mutex
	owners map[string]aversion
	// turn grows with each change, so that what was read before it is not remembered after it.
	turn int
}

type aversion struct {
	owners []string
	until  time.Time
}

func (a *averse) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.owners, a.turn = nil, a.turn+1
}

// averseTo returns the members who block an actor.
func (i *Inbox) averseTo(ctx context.Context, uri string) ([]string, error) {
	a := &i.averse
	now := i.now()
	a.mu.Lock()
	known, ok := a.owners[uri]
	turn := a.turn
	a.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.owners, nil
	}
	owners, err := moderation.AverseTo(ctx, i.db.Read, uri)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.turn == turn {
		if a.owners == nil || len(a.owners) >= maxAverse {
			a.owners = map[string]aversion{}
		}
		a.owners[uri] = aversion{owners, now.Add(averseFor)}
	}
	return owners, nil
}
