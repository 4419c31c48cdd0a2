package outbox

import "sync"

// lanes lets a few deliveries at a time through to each host, so that a slow one does not take all workers.
type lanes struct {
	mu    sync.Mutex
	width int
	busy  map[string]int
}

func newLanes(width int) *lanes { return &lanes{width: width, busy: map[string]int{}} }

// enter takes a place in the host's lane; whoever got one leaves it.
func (l *lanes) enter(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[host] >= l.width {
		return false
	}
	l.busy[host]++
	return true
}

func (l *lanes) leave(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[host]--; l.busy[host] <= 0 {
		delete(l.busy, host)
	}
}
