package inbox

import (
	"net"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/time/rate"
)

// maxSites bounds how many sites have a bucket of their own; when there are more, all begin anew.
const maxSites = 10_000

// limits has one token bucket per site.
type limits struct {
	rate  rate.Limit
	burst int

	mu    sync.Mutex
	sites map[string]*rate.Limiter
}

func newLimits(r rate.Limit, burst int) *limits {
	return &limits{rate: r, burst: burst, sites: map[string]*rate.Limiter{}}
}

// allow takes a token of the host's site. With none left it says after how long there will be one.
func (l *limits) allow(host string, now time.Time) (wait time.Duration, ok bool) {
	return l.take(siteOf(host), now)
}

// take takes a token of one bucket.
func (l *limits) take(site string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, found := l.sites[site]
	if !found {
		if len(l.sites) >= maxSites {
			clear(l.sites)
		}
		bucket = rate.NewLimiter(l.rate, l.burst)
		l.sites[site] = bucket
	}
	if bucket.AllowN(now, 1) {
		return 0, true
	}
	return time.Duration(float64(time.Second) / float64(l.rate)), false
}

// siteOf is the registrable domain of a host, so that throwaway subdomains share one bucket. An address is its own site,
// with its port, because servers behind one address are different ones only in development.
func siteOf(host string) string {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if net.ParseIP(name) != nil {
		return host
	}
	site, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return site
}
