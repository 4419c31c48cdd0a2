package discover

import (
	"context"
	"sync"
	"time"
)

const (
	// sightAge is how long this process believes what it has read of a host that another process may have changed since.
	sightAge = 5 * time.Second
	// maxSights bounds how many hosts are kept in memory; a full memory is emptied.
	maxSights = 10_000
)

// sights are what this process read of hosts lately: every received activity and every delivery asks.
type sights struct {
	mu    sync.Mutex
	known map[string]sight
	// changes counts what was forgotten, so that what was read before a change is not kept after it.
	changes int
}

type sight struct {
	row Host
	at  time.Time
}

// see reads a host through this process's memory.
func (h *Hosts) see(ctx context.Context, host string) (Host, error) {
	if row, ok := h.recall(host); ok {
		return row, nil
	}
	changes := h.changes()
	row, err := h.read(ctx, host)
	if err != nil {
		return Host{}, err
	}
	h.keep(row, changes)
	return row, nil
}

// recall returns what is remembered of a host, if that is not too old.
func (h *Hosts) recall(host string) (Host, bool) {
	now := h.now()
	h.sights.mu.Lock()
	defer h.sights.mu.Unlock()
	have, ok := h.sights.known[host]
	age := now.Sub(have.at)
	return have.row, ok && age >= 0 && age < sightAge
}

// keep remembers a host that was read when so many changes had been made.
func (h *Hosts) keep(row Host, changes int) {
	now := h.now()
	h.sights.mu.Lock()
	defer h.sights.mu.Unlock()
	if changes != h.sights.changes {
		return
	}
	if h.sights.known == nil || len(h.sights.known) >= maxSights {
		h.sights.known = map[string]sight{}
	}
	h.sights.known[row.Host] = sight{row, now}
}

func (h *Hosts) changes() int {
	h.sights.mu.Lock()
	defer h.sights.mu.Unlock()
	return h.sights.changes
}

// forget has this process read a host anew, because it has changed it.
func (h *Hosts) forget(host string) {
	h.sights.mu.Lock()
	defer h.sights.mu.Unlock()
	delete(h.sights.known, host)
	h.sights.changes++
}
