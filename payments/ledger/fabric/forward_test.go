package fabric_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
	"antiphon/payments/ledger/forward"
)

// forwarded: what an instance posts to its own ledger comes to the shared one, once, and no sale does.
func (r *real) forwarded() {
	ctx, log := r.t.Context(), slog.New(slog.DiscardHandler)
	r.clock.Set(time.Date(2027, 1, 5, 0, 0, 0, 0, time.UTC))
	database, err := db.Open(ctx, filepath.Join(r.t.TempDir(), "antiphon.db"), log)
	if err != nil {
		r.t.Fatal(err)
	}
	queue := jobs.New(database, log)
	own, err := ledger.New(ledger.Config{
		Origin: contracttest.Alpha + "/ledger", Key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)), Now: r.clock.Now,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	f := forward.New(forward.Parts{DB: database, Jobs: queue, Own: own, To: r.members[0], Log: log})
	f.Register(queue)
	if err := errors.Join(queue.Open(), queue.Start(ctx)); err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(queue.Stop(context.WithoutCancel(ctx)), database.Close()); err != nil {
			r.t.Error(err)
		}
	}()
	paid := contracttest.Keep(r.t, contracttest.Alpha, "2027-01", 1, nil).Paid(r.t, 90_000, "F1", "F2")
	err = database.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, c := range []contract.Command{
			contract.DefaultPolicy(contracttest.October), contracttest.Nodes(contracttest.Alpha + "/ledger")[0], payment(77), paid,
		} {
			if _, err := f.Post(ctx, tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.eventually("nothing is forwarded", func() error {
		n, err := contract.Payments(ctx, r.members[0], "2027-01", contracttest.Alpha)
		if err == nil && n != 2 {
			err = errors.New("no payment is there")
		}
		return err
	})
	if _, found, err := r.members[0].Get(ctx, "payment/"+payment(77).PaymentHash); found || err != nil {
		r.t.Errorf("a sale is on the shared ledger: %t, %v", found, err)
	}
}
