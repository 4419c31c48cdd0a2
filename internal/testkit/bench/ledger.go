package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
)

const (
	// ledgerRun is how long each number of writers records payments.
	ledgerRun = 2 * time.Second
	// ledgerShort and ledgerFull are how many records the checked ledger has; full from --length 60s on.
	ledgerShort, ledgerFull = 10_000, 100_000
)

// ledger measures the embedded ledger on SQLite: payments recorded durably, each when its writer waits for it; a ledger
// that is gone through from its first record to its last; and proofs that a record stands in it, made and checked.
func (b *bench) ledger(ctx context.Context) (err error) {
	database, err := db.Open(ctx, filepath.Join(b.dir, "ledger.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	l, err := ledger.New(ledger.Config{Origin: "bench.example/ledger", Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Now: time.Now})
	if err != nil {
		return err
	}
	embedded := ledger.Embedded{Ledger: l, DB: database}
	var numbers atomic.Int64
	for writers, f := range map[int]floor{1: noFloor, 32: atLeast(600)} {
		from, begin := numbers.Load(), time.Now()
		var g errgroup.Group
		for range writers {
			g.Go(func() error {
				for time.Since(begin) < ledgerRun {
					if err := embedded.Submit(ctx, ledgerPayment(numbers.Add(1))); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		rate := float64(numbers.Load()-from) / time.Since(begin).Seconds()
		if err := b.report(fmt.Sprintf("ledger/record-%d", writers), rate, "/s", f); err != nil {
			return err
		}
	}
	size := int64(ledgerShort)
	if b.length >= time.Minute {
		size = ledgerFull
	}
	for numbers.Load() < size {
		err := database.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			for range 500 {
				if _, err := l.Post(ctx, tx, ledgerPayment(numbers.Add(1))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	begin := time.Now()
	n, err := l.VerifyAll(ctx, database.Read)
	if err != nil {
		return err
	}
	each := time.Since(begin) / time.Duration(n)
	if err := b.report("ledger/verify-record", float64(each.Nanoseconds())/1000, "us", atMost(50)); err != nil {
		return err
	}
	var proofs []float64
	for i := range int64(200) {
		begin := time.Now()
		p, err := l.ProveRecord(ctx, database.Read, i*n/200)
		if err != nil {
			return err
		}
		if err := p.Check("bench.example/ledger", l.Verifier()); err != nil {
			return err
		}
		proofs = append(proofs, milliseconds(time.Since(begin)))
	}
	return b.report("ledger/prove-p50", median(proofs), "ms", atMost(1))
}

func ledgerPayment(n int64) ledger.Payment {
	return ledger.Payment{
		Order: fmt.Sprint("https://bench.example/agreements/", n), Payee: fmt.Sprint("https://bench.example/users/", n%50),
		Amount: amount.New(1_000_000, "iso4217:EUR"), Provider: "manual", PaymentHash: fmt.Sprintf("%064x", n),
	}
}
