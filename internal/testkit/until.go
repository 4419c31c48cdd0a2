package testkit

import (
	"testing"
	"time"
)

// untilDone is how long Until waits: much longer than anything takes, also on a busy machine.
const untilDone = 2 * time.Minute

// Until asks again and again whether something is done, and fails the test with what it waited for when that takes more
// than two minutes or the test's context ends. Call it on the test's own goroutine.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(untilDone)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", untilDone, what)
		case <-t.Context().Done():
			t.Fatalf("the test ended before: %s", what)
		}
	}
}
