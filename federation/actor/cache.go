package actor

import (
	"sync"
	"time"

	"antiphon/federation/httpsig"
)

// cached is how long this process believes what it remembers of an actor. It is short, because another process over the
// same database may know better.
const cached = time.Minute

// cache keeps what every received activity needs: remote actors, the keys that they sign with, and who has an inbox here.
type cache struct {
	mu      sync.Mutex
	actors  map[string]entry[Actor]
	keys    map[string]entry[httpsig.Key]
	inboxes map[string]entry[struct{}]
	// turn counts what was dropped: a reading of the database that began before is not remembered.
	turn int
}

type entry[V any] struct {
	value V
	until time.Time
}

// read looks into one of the maps; turn is for write.
func read[V any](c *cache, m *map[string]entry[V], name string, now time.Time) (value V, turn int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := (*m)[name]
	return e.value, c.turn, ok && now.Before(e.until)
}

// now is the present turn, for write.
func (c *cache) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// write puts a value into one of the maps, unless something was dropped since turn.
func write[V any](c *cache, m *map[string]entry[V], name string, value V, until time.Time, turn int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn != turn {
		return
	}
	if *m == nil || len(*m) >= maxRemembered {
		*m = map[string]entry[V]{}
	}
	(*m)[name] = entry[V]{value, until}
}

// drop forgets an actor and its keys.
func (c *cache) drop(uri string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	if a, ok := c.actors[uri]; ok {
		delete(c.keys, a.value.HTTPKeyID)
	}
	delete(c.actors, uri)
	for id, k := range c.keys {
		if k.value.Owner == uri {
			delete(c.keys, id)
		}
	}
}
