package reporting_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

const usdp = amount.Asset("eip155:1/erc20:0x8E870D67F660D95d5be530380D0eC0bd388289E1")

// fed is what a test has told a node.
type fed struct {
	heard   map[string][]report.Heard
	members []string
}

// town starts instances that take part in one pool and report what a test tells them; nothing happens there by itself.
func town(t testing.TB, clock *testkit.Clock, names ...string) []*node {
	t.Helper()
	return start(t, clock, names, func(n *node) sources {
		n.heard = map[string][]report.Heard{}
		return sources{listens: feed{n}, members: feed{n}, names: feed{n}, asset: usdp}
	})
}

// feed gives what a node was told to its reports.
type feed struct{ *node }

func (f feed) Lines(_ context.Context, day time.Time, yield func(report.Heard) error) error {
	for _, h := range f.heard[day.Format(time.DateOnly)] {
		if err := yield(h); err != nil {
			return err
		}
	}
	return nil
}

func (f feed) Members(_ context.Context, _ royalty.Month, yield func(string) error) error {
	for _, m := range f.members {
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

func (f feed) Of(_ context.Context, _ *gorm.DB, month royalty.Month, listener string) (string, error) {
	return royalty.Pseudonym(sha256.Sum256([]byte(f.name)), month, listener), nil
}

// pay records that listeners have paid for October.
func (n *node) pay(names ...string) {
	n.t.Helper()
	units, err := royalty.Fee.Tokens(decimals)
	n.must(err)
	paid, err := amount.Parse(units.String(), string(usdp))
	n.must(err)
	batch := contract.Subscriptions{Node: n.Host}
	for _, name := range names {
		p, err := feed{n}.Of(n.t.Context(), nil, october, n.listener(name))
		n.must(err)
		batch.Lines = append(batch.Lines, contract.Subscription{
			Pseudonym: p, Month: october, Micro: royalty.Fee, Paid: paid, Provider: "manual", PaymentHash: contract.Digest("test", p),
		})
		n.members = append(n.members, n.listener(name))
	}
	n.must(n.book.Submit(n.t.Context(), batch))
}

// hears says that somebody hears an artist so often on a day of October; held plays are held by the rule R6.
func (n *node) hears(day int, name, artist string, plays, held int64) {
	date := october.Day(day).Format(time.DateOnly)
	n.heard[date] = append(n.heard[date], report.Heard{
		Listener: n.listener(name), Track: artist + "/1", Artists: []royalty.Share{{Artist: artist, Points: 10_000}},
		Plays: plays, Seconds: 200 * plays, HeldPlays: held, HeldSeconds: 200 * held, Rule: "R6", Evidence: contract.Digest("test", name),
	})
}
