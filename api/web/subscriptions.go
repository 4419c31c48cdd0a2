package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
	"antiphon/templates"
)

// Subscriptions is both sides of who subscribes to what; payments/subscription implements it.
type Subscriptions interface {
	Join(ctx context.Context, j subscription.Joining) (subscription.Held, purchase.Purchase, error)
	Cancel(ctx context.Context, listener, id string) error
	ByID(ctx context.Context, id string) (subscription.Held, error)
	HeldOf(ctx context.Context, listener, tier string) (subscription.Held, error)
	List(ctx context.Context, listener string) ([]subscription.Held, error)
	UnderWay(ctx context.Context, h subscription.Held) (purchase.Purchase, error)
	SetStanding(ctx context.Context, listener, id string, maximum amount.Units, until time.Time) error
	Revoke(ctx context.Context, listener, id string) error
	StandingOf(ctx context.Context, listener, product string) (subscription.Standing, bool, error)
	Of(ctx context.Context, artist string, offset, limit int) ([]subscription.Subscription, error)
	Counts(ctx context.Context, artist string) (map[string]int64, error)
}

// SubscriptionsPage is GET /subscriptions: what the visitor subscribes to.
func (p *Pages) SubscriptionsPage(w http.ResponseWriter, r *http.Request) error {
	return p.subscriptions(w, r, http.StatusOK, "", "")
}

func (p *Pages) subscriptions(w http.ResponseWriter, r *http.Request, status int, id, wrong string) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	rows, err := p.Subscriptions.List(r.Context(), v.Account.Actor)
	if err != nil {
		return err
	}
	view := &templates.Subscriptions{Layout: p.Layout(r), CanStand: p.CanStand && maySpend(r), Error: wrong, ErrorID: id}
	view.Path, view.NoIndex = "/subscriptions", true
	for _, h := range rows {
		row, err := p.subscriptionRow(r.Context(), h)
		if err != nil {
			return err
		}
		view.Rows = append(view.Rows, row)
	}
	return p.Render(w, status, view)
}

func (p *Pages) subscriptionRow(ctx context.Context, h subscription.Held) (templates.Subscription, error) {
	row := templates.Subscription{
		ID: h.ID, Name: h.Name, Artist: h.Artist, State: string(h.State), Price: p.money(h.Units.String(), h.Asset, h.Decimals),
		Words: h.Words, Since: h.CreatedAt, CanResume: h.State == subscription.Ending,
		CanCancel: h.State == subscription.Active || h.State == subscription.Late || h.State == subscription.Asked,
		Most:      h.Units.Decimal(h.Decimals), Until: p.Now().AddDate(1, 0, 0).Format(time.DateOnly),
	}
	if who, err := p.actor(ctx, h.Artist); err == nil {
		row.Artist, row.ArtistURL = who.Display, who.page()
	}
	if h.EndTime != nil {
		row.Ends, row.Closes = *h.EndTime, h.EndTime.Add(subscription.Grace)
	}
	bought, err := p.Subscriptions.UnderWay(ctx, h)
	switch {
	case err == nil:
		row.PurchaseURL = purchasePath(bought)
	case !errors.Is(err, subscription.ErrNotFound):
		return row, err
	case subscription.NextMonth(h, p.Now()) > 0:
		row.TierURL = subscribeURL(h.Tier)
	}
	order, ok, err := p.Subscriptions.StandingOf(ctx, h.Listener, h.Tier)
	if err != nil || !ok {
		return row, err
	}
	row.Most, row.Until = order.Maximum.Decimal(order.Decimals), order.Until.Format(time.DateOnly)
	end := p.Now()
	if h.EndTime != nil && h.EndTime.After(end) {
		end = *h.EndTime
	}
	row.Standing = &templates.Standing{
		Most: p.money(order.Maximum.String(), order.Asset, order.Decimals), Until: order.Until, Covers: order.Covers(h.Price(), end),
	}
	return row, nil
}

// CancelSubscription is POST /subscriptions/{id}/cancel.
func (p *Pages) CancelSubscription(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if err := p.Subscriptions.Cancel(r.Context(), v.Account.Actor, mux.Vars(r)["id"]); err != nil {
		return notSubscribed(err)
	}
	return seeOther(w, r, "/subscriptions?done=canceled")
}

// ResumeSubscription is POST /subscriptions/{id}/resume.
func (p *Pages) ResumeSubscription(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	h, err := p.Subscriptions.ByID(r.Context(), mux.Vars(r)["id"])
	if err == nil && (h.Listener != v.Account.Actor || h.State != subscription.Ending) {
		err = subscription.ErrNotFound
	}
	if err != nil {
		return notSubscribed(err)
	}
	_, _, err = p.Subscriptions.Join(r.Context(), subscription.Joining{
		Listener: h.Listener, Artist: h.Artist, Tier: h.Tier, Name: h.Name, Price: h.Price(), Decimals: h.Decimals, Shown: h.Shown,
	})
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return seeOther(w, r, "/subscriptions?done=saved")
}

// SetStanding is POST /subscriptions/{id}/standing: a standing order to this instance's payment node.
func (p *Pages) SetStanding(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if !p.CanStand || !maySpend(r) {
		return &Fault{
			Status: http.StatusForbidden, What: "The payment node of this instance is its admin's",
			Do: "You are reminded before each month ends, and can pay with a node of your own.",
		}
	}
	id := mux.Vars(r)["id"]
	h, err := p.Subscriptions.ByID(r.Context(), id)
	if err != nil || h.Listener != v.Account.Actor {
		return notSubscribed(errors.Join(subscription.ErrNotFound, err))
	}
	maximum, err := amount.ParseDecimal(strings.TrimSpace(r.PostFormValue("most")), h.Decimals)
	if err != nil {
		return p.subscriptions(w, r, http.StatusUnprocessableEntity, id, "Write the most that may be paid as a number, such as 3 or 3.50.")
	}
	until, err := time.Parse(time.DateOnly, r.PostFormValue("until"))
	if err != nil {
		return p.subscriptions(w, r, http.StatusUnprocessableEntity, id, "Write the day as 2027-12-31.")
	}
	err = p.Subscriptions.SetStanding(r.Context(), v.Account.Actor, id, maximum, until)
	if refusal := (*purchase.Refusal)(nil); errors.As(err, &refusal) {
		return p.subscriptions(w, r, http.StatusUnprocessableEntity, id, refusal.Words)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/subscriptions?done=standing")
}

// EndStanding is POST /subscriptions/{id}/standing/end.
func (p *Pages) EndStanding(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if err := p.Subscriptions.Revoke(r.Context(), v.Account.Actor, mux.Vars(r)["id"]); err != nil {
		return notSubscribed(err)
	}
	return seeOther(w, r, "/subscriptions?done=unstanding")
}

func notSubscribed(err error) error {
	if errors.Is(err, subscription.ErrNotFound) || errors.Is(err, subscription.ErrState) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}
