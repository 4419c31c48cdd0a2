package api_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/moderation"
	"antiphon/internal/jobs"
	"antiphon/internal/vault"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/pool"
	"antiphon/payments/pseudonym"
)

// moneyBox is a provider at which dues are paid, or nobody answers.
type moneyBox struct{ down bool }

func (*moneyBox) Name() string               { return "raiden" }
func (*moneyBox) Asset() (amount.Asset, int) { return devAsset, 6 }
func (*moneyBox) Received(context.Context, string) (payments.Look, error) {
	return payments.Look{}, nil
}

func (m *moneyBox) Target(context.Context, string) (string, error) {
	if m.down {
		return "", fmt.Errorf("connection refused")
	}
	return "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", nil
}

// listening joins a pool to an instance.
func listening(box *moneyBox, made **pool.Service) options {
	return options{join: func(i *instance, queue *jobs.Queue, log *slog.Logger) {
		orders := payments.New(payments.Config{BaseURL: i.base}, payments.Parts{
			DB: i.db, Jobs: queue, Providers: []payments.Provider{box}, Log: log, Now: i.clock.Now, Rand: rand.Reader,
		})
		names := pseudonym.New(pseudonym.Parts{DB: i.db, Jobs: queue, Vault: must(vault.New(make([]byte, 32), rand.Reader)), Now: i.clock.Now, Rand: rand.Reader})
		names.Register(queue)
		host := hostOf(i.base)
		book := must(ledger.New(ledger.Config{Origin: host + "/ledger", Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Now: i.clock.Now}))
		*made = must(pool.New(pool.Config{BaseURL: i.base, Host: host, Caller: host + "/ledger", Asset: devAsset}, pool.Parts{
			DB: i.db, Jobs: queue, Orders: orders, Ledger: ledger.Embedded{Ledger: book, DB: i.db}, Pseudonyms: names, Log: log, Now: i.clock.Now,
			Tell: func(ctx context.Context, tx *gorm.DB, listener, words string) error {
				return moderation.Tell(ctx, tx, listener, moderation.TidingPool, "", words, i.clock.Now())
			},
		}))
		orders.Collect(*made)
		(*made).Register(queue)
	}}
}

// pays has a listener's dues come in.
func (i *instance) pays(t *testing.T, p *pool.Service, listener, hash string) {
	t.Helper()
	at := i.clock.Now()
	check(t, i.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		return p.Collected(ctx, tx, payments.Order{
			URI: i.base + "/agreements/" + hash, Buyer: listener, Units: amount.NewUnits(10_000_000), Asset: devAsset, Decimals: 6, Provider: "raiden",
			PaymentHash: hash, PaidAt: &at,
		})
	}))
}

func TestThePoolsPage(t *testing.T) {
	t.Parallel()
	none := setup(t, options{})
	none.browser(t).get("/pool").want(http.StatusNotFound)
	none.signedUp(t, "lin", nil).post("/pool/join", nil).want(http.StatusNotFound)
	box := &moneyBox{}
	var p *pool.Service
	i := setup(t, listening(box, &p))
	i.pages.Pool, i.pages.PoolHosts = p, []string{"b.example"}
	lin, eve, ada := i.signedUp(t, "lin", nil), i.signedUp(t, "eve", nil), i.admin(t, "ada")

	i.browser(t).get("/pool").want(http.StatusOK, "Ten dollars a month", "10.00", "1.00", "9.00", "b.example", "Log in")
	lin.get("/settings").want(http.StatusOK, `href="/pool"`)
	lin.get("/library").want(http.StatusOK, `href="/pool"`)
	lin.get("/pool").want(http.StatusOK, "You are not a member.", `action="/pool/join"`)
	box.down = true
	lin.post("/pool/join", nil).want(http.StatusServiceUnavailable, "does not answer")
	box.down = false
	lin.post("/pool/pay", nil).to("/pool")
	asked := lin.get("/pool").want(http.StatusOK, "not paid yet", "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "November 2026", `data-state-url="/pool/state"`)
	identifier := regexp.MustCompile(`[0-9]{10,20}`).FindString(asked.body[strings.Index(asked.body, "Identifier"):])
	if again := lin.post("/pool/pay", nil).to("/pool"); !strings.Contains(lin.get("/pool").body, identifier) {
		t.Errorf("the invoice is another one on each look: %s", again.body)
	}

	lin.get("/pool/state").want(http.StatusOK, `"state":"waiting"`, `"next":"/pool"`)
	eve.get("/pool/state").want(http.StatusNotFound)
	i.clock.Advance(time.Hour)
	lin.get("/pool/state").want(http.StatusOK, `"state":"expired"`)

	first, second := strings.Repeat("a", 64), strings.Repeat("b", 64)
	i.pays(t, p, lin.actor, first)
	lin.get("/pool/state").want(http.StatusOK, `"state":"yours"`)
	lin.get("/pool").want(http.StatusOK, "Everything in the pool plays.", "Paid to the end of November 2026 (UTC).", first, `action="/pool/cancel"`)
	i.pays(t, p, lin.actor, second)
	lin.get("/pool").want(http.StatusOK, "November 2026 was paid already", "kept for a later month")
	lin.get("/tidings").want(http.StatusOK, "The listening pool", `href="/pool"`, "was paid already")
	if strings.Contains(eve.get("/pool").body, first) || strings.Contains(lin.get("/pool").body, "For the operator") {
		t.Error("somebody sees what is another's")
	}

	// The operator's part.
	for _, path := range []string{"/pool/back", "/pool/reverse"} {
		lin.post(path, url.Values{"payment": {second}}).want(http.StatusForbidden)
		ada.post(path, url.Values{"payment": {"nonsense"}}).want(http.StatusUnprocessableEntity, "There is no such payment")
	}
	ada.get("/pool").want(http.StatusOK, "For the operator", "@lin@", second)
	ada.post("/pool/back", url.Values{"payment": {first}}).want(http.StatusUnprocessableEntity, "has bought a month")
	ada.post("/pool/back", url.Values{"payment": {second}}).to("/pool?done=givenback")
	ada.post("/pool/reverse", url.Values{"payment": {first}}).to("/pool?done=reversed")
	lin.get("/pool").want(http.StatusOK, "payment taken back", "Your payment for November 2026 was taken back")
	if strings.Contains(lin.get("/pool").body, `action="/pool/pay"`) {
		t.Error("a month that cannot be bought again is for sale")
	}

	// Cancel and go on.
	lin.post("/pool/cancel", nil).to("/pool?done=poolended")
	lin.get("/pool").want(http.StatusOK, "It is over.", `action="/pool/join"`)
	i.pays(t, p, eve.actor, strings.Repeat("c", 64))
	eve.get("/pool").want(http.StatusOK, "You are not a member.")
	eve.post("/pool/join", nil).to("/pool")
	eve.get("/pool").want(http.StatusOK, "not paid yet")
}
