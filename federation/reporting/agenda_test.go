package reporting_test

import (
	"slices"
	"time"

	"antiphon/internal/testkit"
)

// agenda is what happens by the clock of a town.
type agenda struct {
	clock *testkit.Clock
	left  []entry
}

type entry struct {
	at time.Time
	do func()
}

func (a *agenda) add(at time.Time, do func()) { a.left = append(a.left, entry{at, do}) }

// until lets everything happen that is before an instant, each at its own time, and goes there.
func (a *agenda) until(end time.Time) {
	slices.SortStableFunc(a.left, func(x, y entry) int { return x.at.Compare(y.at) })
	for len(a.left) > 0 && a.left[0].at.Before(end) {
		next := a.left[0]
		a.left = a.left[1:]
		a.clock.Set(next.at)
		next.do()
	}
	a.clock.Set(end)
}
