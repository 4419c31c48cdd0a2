package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"
	"time"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// royalty measures what a month of the pool costs: the division of every listener's money among what was heard, and the
// memory that it takes. By default it is a twentieth of the promised size; --length 60s makes it whole. The lines are
// made as they are read, so that the figures are those of the arithmetic and the trees.
func (b *bench) royalty(ctx context.Context) error {
	listeners, days := 50_000, 31
	if b.length >= time.Minute {
		listeners = 1_000_000
	}
	const artists = 200 // that each listener heard in the month
	m := benchMonth(ctx, listeners, artists, 1)
	used, stop := peak()
	start := time.Now()
	st, err := royalty.Compile(m.Policy.Royalty(), m.Month, func(yield func(royalty.Listener, error) bool) {
		for name := range m.Payers {
			if !yield(royalty.Listener{Pseudonym: name}, nil) {
				return
			}
		}
	}, royalty.Days{m.Days[0].Lines}, func(royalty.SplitLine) error { return nil }, func(royalty.Listener) error { return nil })
	spent := time.Since(start)
	stop()
	if err != nil {
		return err
	}
	if st.Payments != int64(listeners) || st.Pool != royalty.Micro(listeners)*royalty.Pool {
		return fmt.Errorf("%d listeners came to %s", st.Payments, st.Pool)
	}
	perMillion := spent.Seconds() * 1_000_000 / float64(listeners)
	if err := b.report("royalty/million-listeners-of-200-artists", perMillion, "s", atMost(60)); err != nil {
		return err
	}
	if err := b.report("royalty/memory", float64(used())/(1<<20), "MB", noFloor); err != nil {
		return err
	}

	// A month whose plays lie in the reports of all its days, three a line, with the root of each day computed again.
	m = benchMonth(ctx, listeners/10, 11, days)
	lines := float64(listeners / 10 * 11 * days)
	used, stop = peak()
	start = time.Now()
	_, err = m.Compile(nil, nil)
	spent = time.Since(start)
	stop()
	if err != nil {
		return err
	}
	if err := b.report("royalty/listens-a-second", 3*lines/spent.Seconds(), "/s", noFloor); err != nil {
		return err
	}
	return b.report("royalty/month-memory", float64(used())/(1<<20), "MB", atMost(1024))
}

// benchMonth is a month in which each of so many listeners hears so many artists on each of so many days.
func benchMonth(ctx context.Context, listeners, artists, days int) report.Month {
	name := func(i int) string { return fmt.Sprintf("%032x", i+1) }
	uris := make([]string, 997)
	for i := range uris {
		uris[i] = fmt.Sprintf("https://music.example/users/artist%04d", i)
	}
	lines := func(day int) iter.Seq2[royalty.Line, error] {
		return func(yield func(royalty.Line, error) bool) {
			for i := range listeners {
				if ctx.Err() != nil {
					yield(royalty.Line{}, ctx.Err())
					return
				}
				pseudonym := name(i)
				first := (i * 31) % (len(uris) - artists)
				for a := range artists {
					l := royalty.Line{
						Pseudonym: pseudonym, Artist: uris[first+a], Track: "https://music.example/tracks/t",
						Units: int64((i*a+day)%7+1) * royalty.Unit, Seconds: int64(200 * (a + 1)),
					}
					if !yield(l, nil) {
						return
					}
				}
			}
		}
	}
	m := report.Month{
		Node: "music.example", Month: "2026-10", Policy: contract.DefaultPolicy("2026-10"), Tolerant: true,
		Payers: func(yield func(string, error) bool) {
			for i := range listeners {
				if !yield(name(i), nil) {
					return
				}
			}
		},
	}
	for day := range days {
		root := sha256.Sum256([]byte{byte(day)})
		m.Days = append(m.Days, report.Day{Day: fmt.Sprintf("2026-10-%02d", day+1), Root: hex.EncodeToString(root[:]), Lines: lines(day)})
	}
	return m
}

// peak watches how much memory the program has in use at most, until stop is called.
func peak() (used func() uint64, stop func()) {
	runtime.GC()
	var most atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			if stats.HeapInuse > most.Load() {
				most.Store(stats.HeapInuse)
			}
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return most.Load, func() { close(done); <-ended }
}
