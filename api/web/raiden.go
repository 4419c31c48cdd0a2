package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
	"antiphon/payments/treasury"
	"antiphon/templates"
)

// The most that the node's page shows of each list, and how long it waits for the node.
const (
	maxChannels  = 100
	maxTransfers = 50
	lastPayments = 20
	lastActs     = 20
	nodePatience = 10 * time.Second
)

// AdminRaiden is GET /admin/raiden: the instance's payment node, and what can be done with its channels.
func (p *Pages) AdminRaiden(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	return p.raiden(w, r, http.StatusOK, "")
}

func (p *Pages) raiden(w http.ResponseWriter, r *http.Request, status int, wrong string) error {
	view := &templates.Raiden{Layout: p.Layout(r), Error: wrong, Partner: r.FormValue("partner"), Amount: r.FormValue("amount")}
	view.NoIndex = true
	if p.Treasury == nil {
		return p.Render(w, status, view)
	}
	view.Here, view.Symbol = true, p.Treasury.Money.Symbol
	ctx, cancel := context.WithTimeout(r.Context(), nodePatience)
	defer cancel()
	survey := p.Treasury.Look(ctx)
	for _, f := range survey.Findings(p.Treasury.Money) {
		if f.Part != "channel" { // each has its place below
			view.Findings = append(view.Findings, templates.NodeFinding{Part: f.Part, Level: string(f.Level), Says: f.Says, Do: f.Do})
		}
	}
	for _, c := range survey.Channels[:min(len(survey.Channels), maxChannels)] {
		view.Channels = append(view.Channels, templates.NodeChannel{
			Partner: c.Partner.String(), State: c.State, Open: c.Open(), Online: c.Online(), Deposit: p.nodeMoney(c.TotalDeposit),
			Ours: p.nodeMoney(c.Balance), Theirs: p.nodeMoney(c.TheirsAtLeast()),
		})
	}
	view.MoreChannels = max(0, len(survey.Channels)-maxChannels)
	for _, t := range survey.Pending[:min(len(survey.Pending), maxTransfers)] {
		other := t.Target
		if t.Role == raiden.RoleTarget {
			other = t.Initiator
		}
		view.Transfers = append(view.Transfers, templates.NodeTransfer{Role: string(t.Role), Other: other.String(), Amount: p.nodeMoney(t.Locked)})
	}
	if survey.Reached == nil && survey.Registered {
		if recent, err := p.Treasury.Recent(ctx, lastPayments); err != nil {
			p.Log.Warn("history of the node not shown", "error", err)
			view.NoHistory = true
		} else {
			view.Payments = p.nodePayments(recent, survey.Address)
		}
	}
	acts, err := p.Treasury.Acts(r.Context(), lastActs)
	if err != nil {
		return err
	}
	for _, a := range acts {
		act := templates.NodeAct{
			ID: a.ID, Kind: string(a.Kind), Partner: a.Partner, Total: p.nodeMoney(a.Total), Who: a.Who, State: string(a.State), Words: a.Words, When: a.CreatedAt,
		}
		view.Acts = append(view.Acts, act)
		view.Moving = view.Moving || a.State == treasury.Waiting || a.State == treasury.Doing
		view.Busy = view.Busy || view.Moving || a.State == treasury.Unknown
	}
	return p.Render(w, status, view)
}

func (p *Pages) nodeMoney(u amount.Units) templates.Money {
	return templates.Money{Units: u.String(), Decimals: p.Treasury.Money.Decimals, Symbol: p.Treasury.Money.Symbol}
}

func (p *Pages) nodePayments(events []raiden.Event, own eip55.Address) []templates.NodePayment {
	var all []templates.NodePayment
	for _, e := range events {
		one := templates.NodePayment{Kind: "sent", Other: e.Target.String(), Amount: p.nodeMoney(e.Amount), When: e.Time, Reason: e.Reason}
		switch {
		case e.Kind == raiden.EventSentFailed:
			one.Kind = "failed"
		case e.Target != own && e.Initiator != own && !e.Target.IsZero() && !e.Initiator.IsZero():
			one.Kind = "mediated"
		case e.Kind == raiden.EventReceived:
			one.Kind, one.Other = "received", e.Initiator.String()
		}
		all = append(all, one)
	}
	return all
}

// ConfirmRaiden is GET /admin/raiden/confirm: what an act would do, and the question whether it is to be done.
func (p *Pages) ConfirmRaiden(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	return p.confirmRaiden(w, r, http.StatusOK, "", "")
}

func (p *Pages) confirmRaiden(w http.ResponseWriter, r *http.Request, status int, why, wrong string) error {
	if p.Treasury == nil {
		return ErrNotFound
	}
	unclear := func(words string) error { return p.raiden(w, r, http.StatusUnprocessableEntity, words) }
	partner, err := eip55.Parse(strings.TrimSpace(r.FormValue("partner")))
	if err != nil {
		return unclear("This is not a node's address. It begins with 0x and has 40 more characters; copy it whole.")
	}
	view := &templates.RaidenConfirm{Layout: p.Layout(r), Act: r.FormValue("act"), Partner: partner.String(), Why: why, Error: wrong}
	view.NoIndex = true
	ctx, cancel := context.WithTimeout(r.Context(), nodePatience)
	defer cancel()
	survey := p.Treasury.Look(ctx)
	if survey.Reached != nil || survey.ChannelsErr != nil {
		return unclear("The node does not answer. Nothing was done.")
	}
	var channel raiden.Channel
	for _, c := range survey.Open() {
		if c.Partner == partner {
			channel = c
		}
	}
	kind := treasury.Kind(view.Act)
	switch {
	case kind != treasury.Open && kind != treasury.Deposit && kind != treasury.Close:
		return malformed(errors.New("no such act"))
	case kind == treasury.Open && channel.Open():
		return unclear("There is an open channel with this partner already: top it up instead.")
	case kind != treasury.Open && !channel.Open():
		return unclear("There is no open channel with this partner.")
	}
	view.Ours, view.Theirs = p.nodeMoney(channel.Balance), p.nodeMoney(channel.TheirsAtLeast())
	if kind != treasury.Close {
		adds, err := amount.ParseDecimal(strings.TrimSpace(r.FormValue("amount")), p.Treasury.Money.Decimals)
		if err != nil || adds.IsZero() {
			return unclear("Write an amount such as 25 or 2.50, with a point before the decimals.")
		}
		total, err := channel.TotalDeposit.Add(adds)
		if err != nil {
			return unclear("That is more than there is of any token.")
		}
		view.Adds, view.Before, view.After = p.nodeMoney(adds), p.nodeMoney(channel.TotalDeposit), p.nodeMoney(total)
		view.Amount, view.Total, view.Seen = r.FormValue("amount"), total.String(), channel.TotalDeposit.String()
	}
	return p.Render(w, status, view)
}

// ActRaiden is POST /admin/raiden/acts: it has the node do what was confirmed.
func (p *Pages) ActRaiden(w http.ResponseWriter, r *http.Request) error {
	v, err := asAdmin(r)
	if err != nil {
		return err
	}
	if p.Treasury == nil {
		return ErrNotFound
	}
	why := strings.TrimSpace(r.PostFormValue("why"))
	if why == "" || len(why) > 2000 {
		return p.confirmRaiden(w, r, http.StatusUnprocessableEntity, why, "Please say why, in up to 2,000 characters.")
	}
	partner, err := eip55.Parse(r.PostFormValue("partner"))
	if err != nil {
		return malformed(err)
	}
	o := treasury.Order{Kind: treasury.Kind(r.PostFormValue("act")), Partner: partner, Who: v.Account.Name, Why: why}
	if o.Kind != treasury.Close {
		var err1, err2 error
		o.Total, err1 = amount.ParseUnits(r.PostFormValue("total"))
		o.Seen, err2 = amount.ParseUnits(r.PostFormValue("seen"))
		if err := errors.Join(err1, err2); err != nil {
			return malformed(err)
		}
	}
	_, err = p.Treasury.Begin(r.Context(), o)
	var refused *treasury.Refusal
	switch {
	case errors.Is(err, treasury.ErrBusy):
		return p.raiden(w, r, http.StatusConflict, "Something else is being done with the channels, or its outcome is not known yet. See below; then decide again.")
	case errors.As(err, &refused):
		return p.raiden(w, r, http.StatusUnprocessableEntity, refused.Words)
	case err != nil:
		return err
	}
	return seeOther(w, r, "/admin/raiden?done=asked")
}

// LookRaiden is POST /admin/raiden/acts/{id}/look: it looks what became of an act whose answer was lost.
func (p *Pages) LookRaiden(w http.ResponseWriter, r *http.Request) error {
	return p.settleRaiden(w, r, "looked", func(ctx context.Context, id, _ string) error { return p.Treasury.LookAgain(ctx, id) })
}

// DropRaiden is POST /admin/raiden/acts/{id}/drop: it lets such an act go.
func (p *Pages) DropRaiden(w http.ResponseWriter, r *http.Request) error {
	return p.settleRaiden(w, r, "dropped", func(ctx context.Context, id, who string) error { return p.Treasury.Drop(ctx, id, who) })
}

func (p *Pages) settleRaiden(w http.ResponseWriter, r *http.Request, done string, settle func(ctx context.Context, id, who string) error) error {
	v, err := asAdmin(r)
	if err != nil {
		return err
	}
	if p.Treasury == nil {
		return ErrNotFound
	}
	err = settle(r.Context(), mux.Vars(r)["id"], v.Account.Name)
	var refused *treasury.Refusal
	switch {
	case errors.As(err, &refused):
		return p.raiden(w, r, http.StatusBadGateway, refused.Words)
	case err != nil && !errors.Is(err, treasury.ErrNotFound): // settled already
		return err
	}
	return seeOther(w, r, "/admin/raiden?"+url.Values{"done": {done}}.Encode())
}
