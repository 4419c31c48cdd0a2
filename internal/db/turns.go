package db

import "sync"

// Turns serves many callers together, where one turn costs as much for many as for one, as a turn of the disk does: what
// comes while a turn is taken waits for the next one and shares it. Nobody waits for company.
type Turns[T any] struct {
	// Most is how many share a turn at most.
	Most int
	// Serve takes a turn, for at least one. It tells each of those whom it serves, by itself, when they may go on.
	Serve func([]T)

	mu      sync.Mutex
	waiting []T
	busy    bool
}

// Join puts one into the row and returns at once.
func (t *Turns[T]) Join(one T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, one)
	if !t.busy {
		t.busy = true
		go t.serveAll()
	}
}

// serveAll takes turns until nobody waits.
func (t *Turns[T]) serveAll() {
	for {
		t.mu.Lock()
		n := min(len(t.waiting), t.Most)
		turn := t.waiting[:n:n]
		t.waiting = t.waiting[n:]
		if n == 0 {
			t.waiting, t.busy = nil, false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
		t.Serve(turn)
	}
}
