package ledger_test

import (
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contracttest"
)

// TestContract holds the embedded ledger to the contract, and to itself afterwards.
func TestContract(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		var b bundle
		contracttest.Run(t, func(t *testing.T) contracttest.Bench {
			b = setup(t, fresh())
			b.clock.Set(time.Time{})
			return contracttest.Bench{Backend: ledger.Embedded{Ledger: b.Ledger, DB: b.db}, SetTime: b.clock.Set, Caller: origin}
		})
		if n, err := b.VerifyAll(t.Context(), b.db.Read); err != nil || n < 30 {
			t.Errorf("verified %d, %v", n, err)
		}
	})
}
