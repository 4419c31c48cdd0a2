package outbox

import (
	"crypto/sha256"
	"encoding/base64"
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"antiphon/vocab"
)

const (
	// freshFor is how long a rendered document is served without a look at the database. What this process changes is
	// seen at once; this bounds for how long another process's change is not.
	freshFor = time.Second
	// maxRendered and maxRenderedBytes bound what is kept; a full cache is emptied.
	maxRendered      = 10_000
	maxRenderedBytes = 64 << 20
	// maxRenderedKey is the longest address that is looked up.
	maxRenderedKey = 1024
	// counters is how many counters the names of what can change share.
	counters = 1 << 14
)

// rendered is a public document as it goes out.
type rendered struct {
	body []byte
	etag string
	at   time.Time
	deps []dependency
}

// dependency is a counter as it stood before a document was read from the database.
type dependency struct {
	counter *atomic.Uint64
	seen    uint64
}

// renders keeps public documents ready to be sent. Each of them remembers counters of what it was made from: a change
// raises its counter when it is committed, and a document with an old number is made anew. The numbers are taken before
// the database is read, so a document that was made while something changed is never taken for a new one.
type renders struct {
	seed     maphash.Seed
	counters []atomic.Uint64

	mu      sync.RWMutex
	entries map[string]*rendered
	bytes   int
}

func newRenders() *renders {
	return &renders{seed: maphash.MakeSeed(), counters: make([]atomic.Uint64, counters), entries: map[string]*rendered{}}
}

// changed is told the name of each table and URI that was written.
func (c *renders) changed(key string) { c.counter(key).Add(1) }

func (c *renders) counter(key string) *atomic.Uint64 {
	return &c.counters[maphash.String(c.seed, key)%counters]
}

// watch takes the numbers of what a document will be made from.
func (c *renders) watch(keys ...string) []dependency {
	out := make([]dependency, len(keys))
	for i, key := range keys {
		counter := c.counter(key)
		out[i] = dependency{counter, counter.Load()}
	}
	return out
}

// get returns a document that is as good as a new one, or nil.
func (c *renders) get(key string, now time.Time) *rendered {
	c.mu.RLock()
	r := c.entries[key]
	c.mu.RUnlock()
	if r == nil || now.Sub(r.at) >= freshFor || now.Before(r.at) {
		return nil
	}
	for _, d := range r.deps {
		if d.counter.Load() != d.seen {
			return nil
		}
	}
	return r
}

func (c *renders) put(key string, r *rendered) {
	if len(key) > maxRenderedKey {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.entries[key]; old != nil {
		c.bytes -= len(old.body)
	}
	if len(c.entries) >= maxRendered || c.bytes+len(r.body) > maxRenderedBytes {
		clear(c.entries)
		c.bytes = 0
	}
	c.entries[key] = r
	c.bytes += len(r.body)
}

// etagOf is a strong validator: the hash of what is sent.
func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// unchanged reports whether the asker has this form of the document already.
func unchanged(r *http.Request, etag string) bool {
	for _, line := range r.Header.Values("If-None-Match") {
		for have := range strings.SplitSeq(line, ",") {
			have = strings.TrimPrefix(strings.TrimSpace(have), "W/")
			if have == etag || have == "*" {
				return true
			}
		}
	}
	return false
}

// The header values of every public document, shared by all answers.
var (
	documentType   = []string{vocab.ActivityType + "; charset=utf-8"}
	documentSniff  = []string{"nosniff"}
	documentVary   = "Accept"
	documentAge    = []string{"public, no-cache"}
	documentOrigin = []string{"*"}
)

// writeRendered answers with a public document, or with 304 when the asker has it.
func (d *documents) writeRendered(w http.ResponseWriter, r *http.Request, doc *rendered) {
	h := w.Header()
	h["Content-Type"], h["X-Content-Type-Options"] = documentType, documentSniff
	h["Cache-Control"], h["Access-Control-Allow-Origin"] = documentAge, documentOrigin
	h["Etag"] = []string{doc.etag}
	if h.Get("Vary") == "" {
		h.Add("Vary", documentVary)
	}
	if unchanged(r, doc.etag) {
		delete(h, "Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(len(doc.body))}
	w.WriteHeader(http.StatusOK)
	if _, err := w.Write(doc.body); err != nil {
		d.log.Debug("answer not taken", "error", err)
	}
}

// madeFrom names what the document at a path is made from: tables, and URIs of objects and of actors whose objects and
// activities these are. Without a name the document is made anew each time.
func (d *documents) madeFrom(path string) []string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	uri := d.config.BaseURL + "/" + strings.Join(parts, "/")
	of := strings.TrimSuffix(uri, "/"+parts[len(parts)-1])
	switch {
	case parts[0] == "actor" && len(parts) == 1, parts[0] == "users" && len(parts) == 2:
		return []string{"actors", "actor_keys", "tiers"}
	case parts[0] == "actor" || parts[0] == "users", parts[0] == "notes" && len(parts) == 3:
		return []string{of, "actors", tables[parts[len(parts)-1]]}
	case parts[0] == "products", strings.HasPrefix(parts[0], "@"):
		return nil
	case parts[0] == "albums":
		return []string{uri, "releases"}
	}
	return []string{uri}
}

// tables are where collections come from that hold neither objects nor activities.
var tables = map[string]string{
	"followers": "follows", "following": "follows", "liked": "reactions", "likes": "reactions", "shares": "reactions",
	"replies": "comments", "featured": "pins",
}
