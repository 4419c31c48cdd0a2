package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"antiphon/api/auth"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/pool"
	"antiphon/payments/purchase"
	"antiphon/payments/royalty"
	"antiphon/templates"
)

// Pool is the listening pool; payments/pool implements it.
type Pool interface {
	Price() (amount.Amount, int)
	Month() royalty.Month
	Of(ctx context.Context, listener string) (pool.Membership, error)
	Join(ctx context.Context, listener string) error
	Cancel(ctx context.Context, listener string) error
	// Invoice is what is to be paid now, Demanded what was asked for and still waits.
	Invoice(ctx context.Context, listener string) (payments.Order, error)
	Demanded(ctx context.Context, m pool.Membership) (payments.Order, bool, error)
	Payments(ctx context.Context, listener string, limit int) ([]pool.Payment, error)
	// What follows is the operator's.
	Unsettled(ctx context.Context, limit int) ([]pool.Payment, error)
	Counts(ctx context.Context) (map[pool.State]int64, error)
	GiveBack(ctx context.Context, payment string) error
	Reverse(ctx context.Context, payment string) error
}

// opensInPool reports whether the visitor can play a track as a member of the pool.
func (p *Pages) opensInPool(ctx context.Context, track string) (bool, error) {
	if p.Lends == nil || me(ctx) == "" {
		return false, nil
	}
	return p.Lends(ctx, me(ctx), track)
}

// PoolPage is GET /pool: what the pool is, and how the visitor stands to it.
func (p *Pages) PoolPage(w http.ResponseWriter, r *http.Request) error {
	return p.pool(w, r, http.StatusOK, "")
}

func (p *Pages) pool(w http.ResponseWriter, r *http.Request, status int, wrong string) error {
	if p.Pool == nil {
		return fmt.Errorf("%w: there is no listening pool here", ErrNotFound)
	}
	month := p.Pool.Month()
	price, decimals := p.Pool.Price()
	view := &templates.Pool{
		Layout: p.Layout(r), Price: p.money(price.Units.String(), price.Asset, decimals), Others: p.PoolHosts, Error: wrong,
		Month: month.Start(), Closes: month.Start().Add(pool.Grace),
	}
	for part, field := range map[royalty.Micro]*templates.Money{royalty.Operator: &view.Operator, royalty.Pool: &view.Artists} {
		units, err := part.Tokens(decimals)
		if err != nil {
			return err
		}
		*field = p.money(units.String(), price.Asset, decimals)
	}
	if v, ok := auth.FromContext(r.Context()); ok && v.Account.Role != auth.Guest {
		if err := p.poolMember(r.Context(), view, v.Account.Actor); err != nil {
			return err
		}
		if v.Account.Role == auth.Admin {
			if err := p.poolDesk(r.Context(), view); err != nil {
				return err
			}
		}
	}
	return p.Render(w, status, view)
}

// offersPool reports whether a track that the visitor cannot play as a member is one of the pool of this server.
func (p *Pages) offersPool(track string, pooled bool) bool {
	host := strings.ToLower(hostOf(track))
	return p.Pool != nil && pooled && (host == p.host || slices.Contains(p.PoolHosts, host))
}

// PoolState is GET /pool/state, which the page asks for while an invoice waits.
func (p *Pages) PoolState(w http.ResponseWriter, r *http.Request) error {
	v, err := p.poolVisitor(r)
	if err != nil {
		return err
	}
	m, err := p.Pool.Of(r.Context(), v.Account.Actor)
	if errors.Is(err, pool.ErrNotFound) {
		return fmt.Errorf("%w: no membership", ErrNotFound)
	}
	if err != nil {
		return err
	}
	state, words := templates.OrderWaiting, m.Words
	if m.Paid(p.Pool.Month()) {
		state = templates.OrderYours
	} else if order, waits, err := p.Pool.Demanded(r.Context(), m); err != nil {
		return err
	} else if !waits {
		state = templates.OrderExpired
	} else if order.Seen != "" {
		words = order.Seen
	}
	return writeState(w, state, words, "/pool")
}

// poolMember fills in how a visitor stands to the pool.
func (p *Pages) poolMember(ctx context.Context, view *templates.Pool, listener string) error {
	m, err := p.Pool.Of(ctx, listener)
	if errors.Is(err, pool.ErrNotFound) {
		view.CanJoin = true
		return nil
	}
	if err != nil {
		return err
	}
	view.State, view.Words, view.Paid = string(m.State), m.Words, m.Paid(p.Pool.Month())
	if view.Paid && p.Reporting != nil {
		view.ShareURL = sharePath(p.Pool.Month())
	}
	view.CanCancel = m.State != pool.Ending && m.State != pool.Ended
	view.CanResume = m.State == pool.Ending
	view.CanJoin = m.State == pool.Ended
	view.CanPay = !view.Paid && m.State != pool.Ended && m.State != pool.Ending && (m.State != pool.Reversed || m.Month < p.Pool.Month())
	if view.CanPay {
		order, waits, err := p.Pool.Demanded(ctx, m)
		if err != nil {
			return err
		}
		if waits {
			view.Invoice = invoiceView(purchase.Invoice{
				Provider: order.Provider, Asset: order.Asset, Units: order.Units, Decimals: order.Decimals, Target: order.Target,
				Identifier: order.Identifier, Expires: order.ExpiresAt,
			})
			view.Price = p.money(order.Units.String(), order.Asset, order.Decimals)
			if order.Seen != "" {
				view.Words = order.Seen
			}
		}
	}
	paid, err := p.Pool.Payments(ctx, listener, listRows)
	if err != nil {
		return err
	}
	for _, one := range paid {
		view.Payments = append(view.Payments, p.poolPayment(one))
	}
	return nil
}

func (p *Pages) poolPayment(one pool.Payment) templates.PoolPayment {
	row := templates.PoolPayment{
		Hash: one.Hash, Listener: one.Listener, When: one.FinalAt, Amount: p.money(one.Units.String(), one.Asset, one.Decimals), State: string(one.State),
		OnLedger: one.PostedAt != nil,
	}
	if one.Month != "" {
		row.Month = one.Month.Start()
		if one.State == pool.Counted && p.Reporting != nil {
			row.ShareURL = sharePath(one.Month)
		}
	}
	return row
}

// poolDesk fills in what the operator sees.
func (p *Pages) poolDesk(ctx context.Context, view *templates.Pool) error {
	counts, err := p.Pool.Counts(ctx)
	if err != nil {
		return err
	}
	view.Desk = &templates.PoolDesk{}
	for _, state := range pool.States() {
		if n := counts[state]; n > 0 {
			view.Desk.Members = append(view.Desk.Members, templates.PoolCount{State: string(state), Count: int(n)})
		}
	}
	waiting, err := p.Pool.Unsettled(ctx, listRows)
	if err != nil {
		return err
	}
	for _, one := range waiting {
		row := p.poolPayment(one)
		if who, err := p.actor(ctx, one.Listener); err == nil {
			row.Listener = p.handle(who.Name, who.Host)
		}
		view.Desk.Unsettled = append(view.Desk.Unsettled, row)
	}
	return nil
}

// poolVisitor is a member of this server, where there is a pool.
func (p *Pages) poolVisitor(r *http.Request) (auth.Visitor, error) {
	v, err := visitor(r)
	if err == nil && p.Pool == nil {
		err = fmt.Errorf("%w: there is no listening pool here", ErrNotFound)
	}
	return v, err
}

// JoinPool is POST /pool/join; it also takes a cancellation back.
func (p *Pages) JoinPool(w http.ResponseWriter, r *http.Request) error {
	v, err := p.poolVisitor(r)
	if err != nil {
		return err
	}
	if err := p.Pool.Join(r.Context(), v.Account.Actor); err != nil {
		return fmt.Errorf("join the pool: %w", err)
	}
	return p.PayPool(w, r)
}

// PayPool is POST /pool/pay: the visitor wants to pay this month, and is shown how.
func (p *Pages) PayPool(w http.ResponseWriter, r *http.Request) error {
	v, err := p.poolVisitor(r)
	if err != nil {
		return err
	}
	_, err = p.Pool.Invoice(r.Context(), v.Account.Actor)
	var refused *payments.Refusal
	switch {
	case errors.As(err, &refused):
		return p.pool(w, r, http.StatusServiceUnavailable, "The payment node of this server does not answer. Try again in a few minutes.")
	case err != nil && !errors.Is(err, pool.ErrState) && !errors.Is(err, pool.ErrNotFound):
		return fmt.Errorf("ask for dues: %w", err)
	}
	return seeOther(w, r, "/pool")
}

// CancelPool is POST /pool/cancel.
func (p *Pages) CancelPool(w http.ResponseWriter, r *http.Request) error {
	v, err := p.poolVisitor(r)
	if err != nil {
		return err
	}
	if err := p.Pool.Cancel(r.Context(), v.Account.Actor); err != nil && !errors.Is(err, pool.ErrNotFound) {
		return fmt.Errorf("cancel the pool: %w", err)
	}
	return seeOther(w, r, "/pool?done=poolended")
}

// GiveBackDues is POST /pool/back: the operator has given a payment back.
func (p *Pages) GiveBackDues(w http.ResponseWriter, r *http.Request) error {
	return p.settleDues(w, r, "givenback", "This payment has bought a month, or was given back before.", func(ctx context.Context, payment string) error {
		return p.Pool.GiveBack(ctx, payment)
	})
}

// ReverseDues is POST /pool/reverse: a payment was taken back by its bank or provider.
func (p *Pages) ReverseDues(w http.ResponseWriter, r *http.Request) error {
	return p.settleDues(w, r, "reversed", "This payment was given back already.", func(ctx context.Context, payment string) error {
		return p.Pool.Reverse(ctx, payment)
	})
}

func (p *Pages) settleDues(w http.ResponseWriter, r *http.Request, done, settled string, settle func(ctx context.Context, payment string) error) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	if p.Pool == nil {
		return fmt.Errorf("%w: there is no listening pool here", ErrNotFound)
	}
	err := settle(r.Context(), strings.TrimSpace(r.PostFormValue("payment")))
	switch {
	case errors.Is(err, pool.ErrNotFound):
		return p.pool(w, r, http.StatusUnprocessableEntity, "There is no such payment. Copy its 64 digits from the member's page or from the list here.")
	case errors.Is(err, pool.ErrState):
		return p.pool(w, r, http.StatusUnprocessableEntity, settled)
	case err != nil:
		return err
	}
	return seeOther(w, r, "/pool?done="+done)
}
