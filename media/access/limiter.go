package access

import (
	"sync"
	"time"
)

const (
	// burst requests may come at once for one grant, and perMinute more each minute.
	burst     = 60
	perMinute = 120
	// maxTracked bounds the memory of the limiter.
	maxTracked = 10_000
)

// limiter is a token bucket per grant. It is a courtesy to the processor, not a defence: an unknown grant costs nothing.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter() *limiter { return &limiter{buckets: make(map[string]bucket)} }

func (l *limiter) allow(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	if !ok {
		if len(l.buckets) >= maxTracked {
			clear(l.buckets)
		}
		b = bucket{tokens: burst, at: now}
	}
	// A clock that was set back gives nothing and takes nothing.
	b.tokens = min(burst, b.tokens+max(0, now.Sub(b.at).Minutes())*perMinute)
	b.at = now
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	l.buckets[key] = b
	return allowed
}
