package contracttest_test

import (
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contracttest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestMemory(t *testing.T) {
	t.Parallel()
	contracttest.Run(t, func(*testing.T) contracttest.Bench {
		clock := testkit.NewClock(time.Time{})
		return contracttest.Bench{Backend: contracttest.NewMemory("memory", clock.Now), SetTime: clock.Set, Caller: "memory"}
	})
}
