package trade_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/media/access"
	"antiphon/media/pre/hpke"
	"antiphon/media/pre/umbral"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/subscription"
	"antiphon/vocab/multikey"
)

// neighbors are two proxies beside the seller's own instance.
type neighbors struct {
	helpers
	all []access.Proxy
}

func (n *neighbors) Proxies(context.Context, []string, string) ([]access.Proxy, error) {
	return n.all, nil
}

// BenchmarkRenewal reports what the first of a month is to a seller with 1,000 subscribers on 50 servers, of a tier of 30
// tracks, with grants of 2 of 3 proxies: renewal_s, from the moment when all months are paid until every grant, receipt, key
// fragment and Add is with its server, and offer_s, from all orders placed until every invoice is.
func BenchmarkRenewal(b *testing.B) {
	const subscribers, servers, tracks = 1000, 50, 30
	for b.Loop() {
		ctx := b.Context()
		clock, till := testkit.NewClock(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)), &bank{}
		town, peers := fedtest.NewTown(b, servers), &neighbors{}
		seller := openShop(b, filepath.Join(b.TempDir(), "antiphon.db"), clock, till, peers)
		ada := seller.User(b, "ada", actor.Artist)
		seller.Followers(b, ada.URI, town.Hosts, subscribers, false)
		for i := range 2 {
			key, err := hpke.GenerateKey(rand.Reader)
			need(b, err)
			who := "http://" + town.Hosts[i] + "/actor"
			peers.all = append(peers.all, access.Proxy{Actor: who, Reencrypt: who + "/reencrypt", SealingKeyID: who + "#sealing-1", SealingKey: key.PublicKey()})
			need(b, seller.DB.Write.Exec("INSERT INTO actors (uri, local, name, host, kind, display, inbox, created_at) VALUES (?, FALSE, 'actor', ?, 'Application', 'P', ?, ?)",
				who, town.Hosts[i], "http://"+town.Hosts[i]+"/inbox", clock.Now()).Error)
		}
		for i := range tracks {
			seller.track(b, ada.URI, fmt.Sprint("t", i))
		}
		tier, err := seller.room.MakeTier(ctx, ada.URI, access.TierTerms{
			Name: "Engine Room", Price: access.Price{Units: "5000000", Asset: asset, Decimals: 6}, Whole: true, Open: true,
		}, 202611)
		need(b, err)

		// Everybody has paid November.
		var listeners []string
		need(b, seller.DB.Read.Table("actors").Where("name LIKE 'p%'").Order("uri").Pluck("uri", &listeners).Error)
		need(b, seller.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			for _, who := range listeners {
				err := seller.subscriptions.Paid(ctx, tx, subscription.Payment{Tier: tier.URI, Artist: ada.URI, Listener: who, Agreement: who + "/0", Period: 202611})
				if err != nil {
					return err
				}
			}
			return nil
		}))
		taken := func(n int) func() bool {
			return func() bool { total, _ := town.Total(); return total >= n }
		}
		await(b, "everybody was added", taken(subscribers))

		clock.Set(time.Date(2026, 12, 1, 0, 0, 10, 0, time.UTC))
		need(b, seller.subscriptions.Round(ctx))
		began := time.Now()
		var orders []payments.Order
		for _, who := range listeners {
			placed, err := seller.orders.Place(ctx, request(b, who, ada.URI, tier.URI))
			need(b, err)
			orders = append(orders, placed.Order)
		}
		await(b, "every invoice is there", taken(2*subscribers))
		b.ReportMetric(time.Since(began).Seconds(), "offer_s")

		for i, o := range orders {
			till.made = append(till.made, payments.Payment{
				Ref: fmt.Sprint(i), Initiator: o.Target, Target: o.Target, Identifier: o.Identifier, Amount: o.Amount(), At: clock.Now(),
			})
		}
		began = time.Now()
		before := spent(b)
		stop := seller.watch(b)
		// A receipt, a grant, an Add, and the fragments of two proxies.
		await(b, "every grant is there", taken(7*subscribers))
		b.ReportMetric(time.Since(began).Seconds(), "renewal_s")
		b.ReportMetric((spent(b) - before).Seconds(), "renewal_cpu_s")
		b.ReportMetric(0, "ns/op")
		stop()
		if n := seller.Count(b, "grants", "version = 202612"); n != subscribers {
			b.Fatalf("%d grants", n)
		}
	}
}

// await waits until done, as long as a loaded machine may need.
func await(b *testing.B, what string, done func() bool) {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Minute); !done(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("not within 10 minutes: %s", what)
		}
	}
}

// spent is the processor time of this process, receivers included.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	need(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// request is the offer of a subscriber with keys of his own.
func request(b *testing.B, who, artist, tier string) payments.Request {
	b.Helper()
	receiving, err := umbral.GenerateSecretKey(rand.Reader)
	need(b, err)
	public, _, err := ed25519.GenerateKey(rand.Reader)
	need(b, err)
	r := payments.Request{
		Offer: strings.Replace(who, "/users/", "/offers/", 1), Buyer: who, Artist: artist, Product: tier, Amount: amount.New(5_000_000, asset),
	}
	r.ReceivingKey, err = multikey.EncodeSecp256k1(receiving.PublicKey().Bytes())
	need(b, err)
	r.RequestingKey, err = multikey.EncodeEd25519(public)
	need(b, err)
	return r
}
