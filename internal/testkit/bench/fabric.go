package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/fabric"
	"antiphon/payments/ledger/fabricdev"
	"antiphon/payments/royalty"
)

// fabric measures the ledger on Hyperledger Fabric: the smallest network, of which both organizations must endorse, from
// a command to its commit. Its programs are built by .ci/fabric.
func (b *bench) fabric(ctx context.Context) (err error) {
	programs, err := fabricdev.Programs("")
	if err != nil {
		return err
	}
	begin := time.Now()
	network, err := fabricdev.Start(ctx, fabricdev.Config{Dir: filepath.Join(b.dir, "fabric"), Programs: programs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	if err := network.Deploy(ctx); err != nil {
		return err
	}
	if err := b.report("fabric/start", time.Since(begin).Seconds(), "s", noFloor); err != nil {
		return err
	}
	ledger, err := fabric.Open(network.Member(0))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	var numbers atomic.Int64
	for _, clients := range []int{1, 32} {
		if err := b.fabricClients(ctx, ledger, clients, &numbers); err != nil {
			return err
		}
	}
	if err := b.fabricMonth(ctx, ledger, network.Member(0).MSP); err != nil {
		return err
	}
	var reads []float64
	for i := range 200 {
		at := time.Now()
		if _, _, err := ledger.Get(ctx, fmt.Sprintf("payment/%064x", i+1)); err != nil {
			return err
		}
		reads = append(reads, milliseconds(time.Since(at)))
	}
	kilobytes := 0
	for _, node := range network.Nodes() {
		kb, err := residentKB(node.PID)
		if err != nil {
			return err
		}
		kilobytes += kb
	}
	return errors.Join(
		b.report("fabric/read-p50", median(reads), "ms", noFloor),
		b.report("fabric/memory", float64(kilobytes)*1024/1e6, "MB", noFloor),
	)
}

// fabricClients lets clients record payments for a while, each of its own provider for its own artist: two that change
// one account in one block get in each other's way, and one of them is tried again.
func (b *bench) fabricClients(ctx context.Context, ledger *fabric.Backend, clients int, numbers *atomic.Int64) error {
	var (
		mu    sync.Mutex
		waits []float64
		all   errgroup.Group
	)
	begin := time.Now()
	for client := range clients {
		all.Go(func() error {
			for time.Since(begin) < b.length {
				n := numbers.Add(1)
				at := time.Now()
				err := ledger.Submit(ctx, contract.Payment{
					Order: fmt.Sprintf("%s/orders/%d", artist, n), Payee: fmt.Sprintf("%s-%d", artist, client),
					Amount: amount.New(10, "iso4217:EUR"), Provider: fmt.Sprintf("bench-%d", client), PaymentHash: fmt.Sprintf("%064x", n),
				})
				if err != nil {
					return err
				}
				mu.Lock()
				waits = append(waits, milliseconds(time.Since(at)))
				mu.Unlock()
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	took := time.Since(begin).Seconds()
	slices.Sort(waits)
	name := fmt.Sprintf("fabric/%d-clients", clients)
	return errors.Join(
		b.report(name+"-rate", float64(len(waits))/took, "tx/s", noFloor),
		b.report(name+"-p50", waits[len(waits)/2], "ms", noFloor),
		b.report(name+"-p95", waits[len(waits)*95/100], "ms", noFloor),
	)
}

// fabricMonth records what 10,000 subscribers pay on the first of a month, 500 in a transaction.
func (b *bench) fabricMonth(ctx context.Context, ledger *fabric.Backend, caller string) error {
	month := royalty.MonthOf(time.Now())
	node := contract.Node{Host: "bench.example", Caller: caller, Owner: contract.Digest("owner", "https://bench.example/")}
	for _, c := range []contract.Command{contract.DefaultPolicy(month), node} {
		if err := ledger.Submit(ctx, c); err != nil {
			return err
		}
	}
	const subscribers, batch = 10_000, 500
	begin := time.Now()
	for first := 0; first < subscribers; first += batch {
		paid := contract.Subscriptions{Node: node.Host}
		for i := first; i < first+batch; i++ {
			paid.Lines = append(paid.Lines, contract.Subscription{
				Pseudonym: fmt.Sprintf("%032x", i), Month: month, Micro: royalty.Fee, Paid: amount.New(1000, "iso4217:EUR"), Provider: "bench",
				PaymentHash: fmt.Sprintf("%064x", 1<<32+i),
			})
		}
		if err := ledger.Submit(ctx, paid); err != nil {
			return err
		}
	}
	return b.report("fabric/10000-subscribers", time.Since(begin).Seconds(), "s", noFloor)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// residentKB is the memory of a process, in KiB.
func residentKB(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
		}
	}
	return 0, fmt.Errorf("process %d says nothing of its memory", pid)
}
