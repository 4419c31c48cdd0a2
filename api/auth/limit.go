package auth

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Slow says that there were too many tries; the next one may come after After.
type Slow struct{ After time.Duration }

// Error says how long to wait.
func (s *Slow) Error() string { return fmt.Sprintf("too many tries: wait %s", s.After) }

// maxBuckets bounds the limiter's memory.
const maxBuckets = 20_000

// limiter is one token bucket for each key.
type limiter struct {
	burst   int
	refill  time.Duration
	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

// newLimiter allows burst tries at once and one more for every refill that passes.
func newLimiter(burst int, refill time.Duration) *limiter {
	return &limiter{burst: burst, refill: refill, buckets: map[string]*rate.Limiter{}}
}

// take takes one try of key, or returns a [*Slow].
func (l *limiter) take(key string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	if !ok {
		if len(l.buckets) >= maxBuckets {
			l.sweep(now)
		}
		b = rate.NewLimiter(rate.Every(l.refill), l.burst)
		l.buckets[key] = b
	}
	if !b.AllowN(now, 1) {
		return &Slow{l.refill}
	}
	return nil
}

// sweep forgets buckets that are full again, and when none is, half of them.
func (l *limiter) sweep(now time.Time) {
	for key, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, key)
		}
	}
	for key := range l.buckets {
		if len(l.buckets) < maxBuckets/2 {
			return
		}
		delete(l.buckets, key)
	}
}

// origin is whom an address counts for: itself, or the /64 that one IPv6 subscriber holds.
func origin(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}
