package inbox

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
)

const (
	// clockWindow is how long what sites say of the time is remembered, and the least time between two alarms.
	clockWindow = time.Hour
	// clockSites is how many sites must disagree with our clock, and be more than those that agree.
	clockSites = 3
)

// clock notices when ours is wrong: then most sites' signatures fail by their date, and nothing else would tell why
// nobody's activities arrive.
type clock struct {
	mu          sync.Mutex
	since       time.Time
	agree, off  map[string]struct{}
	lastWarning time.Time
}

// watch notes what a signature says of the time.
func (i *Inbox) watch(r *http.Request, err error) {
	if err != nil && !errors.Is(err, httpsig.ErrTime) {
		return
	}
	keyID, keyErr := httpsig.KeyID(r)
	if keyErr != nil {
		return
	}
	if i.clock.isWrong(siteOf(actor.HostOf(keyID)), err == nil, i.now()) {
		i.log.Error("the clock of this machine seems to be wrong: most signatures of other servers are out of time; set the clock, "+
			"or nothing will arrive", "last", err, "now", i.now().UTC())
	}
}

// isWrong counts a site, and reports whether it is time for an alarm.
func (c *clock) isWrong(site string, agrees bool, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.agree == nil || now.Sub(c.since) > clockWindow || len(c.agree)+len(c.off) >= maxSites {
		c.since, c.agree, c.off = now, map[string]struct{}{}, map[string]struct{}{}
	}
	if agrees {
		c.agree[site] = struct{}{}
		return false
	}
	c.off[site] = struct{}{}
	if len(c.off) < clockSites || len(c.off) <= len(c.agree) || now.Sub(c.lastWarning) < clockWindow {
		return false
	}
	c.lastWarning = now
	return true
}
