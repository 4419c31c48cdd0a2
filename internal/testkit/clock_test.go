package testkit_test

import (
	"testing"
	"time"

	"antiphon/internal/testkit"
)

func TestClock(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("CET", 3600))
	c := testkit.NewClock(start)
	if got := c.Now(); !got.Equal(start) || got.Location() != time.UTC {
		t.Errorf("now %v", got)
	}
	if got := c.Advance(-time.Hour); !got.Equal(start.Add(-time.Hour)) || !c.Now().Equal(got) {
		t.Errorf("advanced to %v, shows %v", got, c.Now())
	}
	c.Set(start)
	if got := c.Now(); !got.Equal(start) || got.Location() != time.UTC {
		t.Errorf("set to %v", got)
	}
}
