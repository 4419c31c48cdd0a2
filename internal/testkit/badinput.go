package testkit

import (
	"fmt"
	"testing"
	"time"
)

// patience is the bound on the time of one half of a row. It is there for what hangs, not for what is slow: a busy
// machine must not reach it.
const patience = 3 * time.Minute

// BadInput runs the tests of one row of docs/bad-inputs.md as the subtests "<id>/refused" and "<id>/twin": bad sends
// what is broken or hostile and says that it was refused, twin sends the same well-formed and says that it was taken.
// The id is a string literal, because TestBadInputs reads it from the source. Neither half calls t.Parallel on the t
// that it is given; subtests of its own may. One that hangs ends the test with the stacks of all goroutines.
func BadInput(t *testing.T, id string, bad, twin func(t *testing.T)) {
	t.Helper()
	t.Run(id, func(t *testing.T) {
		t.Run("refused", func(t *testing.T) { bound(t, patience); bad(t) })
		t.Run("twin", func(t *testing.T) { bound(t, patience); twin(t) })
	})
}

// bound ends the process when the test and its subtests take longer than limit.
func bound(t *testing.T, limit time.Duration) {
	name := t.Name()
	watchdog := time.AfterFunc(limit, func() { panic(fmt.Sprintf("%s takes longer than %s", name, limit)) })
	t.Cleanup(func() { watchdog.Stop() })
}
