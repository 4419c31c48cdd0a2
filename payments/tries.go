package payments

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Who guesses at codes is let do so rarely: a code has 100 random bits, and the rest is to keep the log quiet.
const (
	wrongCodes = 10 // in a burst, then one every six minutes
	maxTriers  = 10_000
)

// tries counts codes that were none, by who tried them.
type tries struct {
	mu  sync.Mutex
	who map[string]*rate.Limiter
}

// may reports whether somebody may try another code.
func (t *tries) may(who string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.who[who]
	return !ok || one.TokensAt(now) >= 1
}

// count notes a code that was none.
func (t *tries) count(who string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.who[who]
	if !ok {
		if t.who == nil || len(t.who) >= maxTriers {
			t.who = map[string]*rate.Limiter{}
		}
		one = rate.NewLimiter(rate.Every(6*time.Minute), wrongCodes)
		t.who[who] = one
	}
	one.AllowN(now, 1)
}
