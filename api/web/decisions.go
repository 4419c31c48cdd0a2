package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"antiphon/federation/reporting"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
	"antiphon/templates"
)

// shownMarks is how many decisions an admin's page has.
const shownMarks = 100

// byTime is who decides when nobody does.
const byTime = "time"

func (p *Pages) mark(ctx context.Context, d report.Decision, open bool) templates.Mark {
	m := templates.Mark{
		Rule: d.Rule, Policy: d.Policy, State: string(d.State), Artist: d.Artist, URL: artistLink(d.Artist), Payee: d.Artist, Evidence: []string{d.Evidence},
		By: d.DecidedBy, ByTime: d.DecidedBy == byTime, Listener: d.Appeal.Listener, Words: d.Appeal.Artist, Open: open && d.State != report.Noted,
	}
	if who, err := p.actor(ctx, d.Artist); err == nil {
		m.Artist, m.URL = who.Display, who.page()
	}
	return m
}

// decisions adds what the rules say of the own month to an admin's page: what waits comes first.
func (p *Pages) decisions(ctx context.Context, s *reporting.Service, month royalty.Month, view *templates.Months) error {
	all, err := s.Reports.Decisions(ctx, month)
	if err != nil {
		return err
	}
	_, err = contract.Finally(ctx, s.Book(), month, s.Reports.Node())
	open := errors.Is(err, contract.ErrUnknown)
	if err != nil && !open {
		return err
	}
	place := map[report.DecisionState]int{report.Held: 0, report.Noted: 2}
	slices.SortStableFunc(all, func(a, b report.Decision) int {
		first := func(d report.Decision) int {
			if n, ok := place[d.State]; ok {
				return n
			}
			return 1
		}
		return cmp.Or(cmp.Compare(first(a), first(b)), cmp.Compare(a.Artist, b.Artist))
	})
	for i, d := range all {
		if i == shownMarks {
			view.More = len(all) - shownMarks
			break
		}
		m := p.mark(ctx, d, open)
		m.Pseudonym = d.Pseudonym
		view.Decisions = append(view.Decisions, m)
	}
	return nil
}

// marksOf adds what the rules say of a listener's plays to the listener's page. What is only noted changes nothing.
func (p *Pages) marksOf(ctx context.Context, share report.Share, view *templates.Shares) {
	for _, d := range share.Decisions {
		if d.State == report.Noted {
			continue
		}
		m := p.mark(ctx, d, false)
		view.CanAppeal, view.Appeal, m.Listener, m.Words = share.Stage != report.Final, d.Appeal.Listener, "", ""
		view.Marks = append(view.Marks, m)
	}
}

// waits are what rules say of an artist's months on the instances of the pool.
func (p *Pages) waits(ctx context.Context, s *reporting.Service, artist string) ([]templates.MarkedMonth, error) {
	all, err := s.WaitsOf(ctx, artist)
	if err != nil {
		return nil, err
	}
	var out []templates.MarkedMonth
	for _, told := range all {
		for i, x := range told.Waits {
			if i == 0 || told.Waits[i-1].Month != x.Month {
				out = append(out, templates.MarkedMonth{Month: string(x.Month), Host: told.Host, Words: x.Words, CanAppeal: !x.Final})
			}
			m := templates.Mark{
				Rule: x.Rule, Policy: x.Policy, State: string(x.State), Listeners: x.Listeners, Evidence: x.Evidence, By: x.DecidedBy, ByTime: x.DecidedBy == byTime,
			}
			if x.Micro > 0 {
				m.Dollars = x.Micro.String()
			}
			month := &out[len(out)-1]
			month.Marks = append(month.Marks, m)
		}
	}
	return out, nil
}

// tooLate is the answer to words against what is final.
func tooLate() error {
	return &Fault{Status: http.StatusConflict, What: "This month is final", Do: "What was decided cannot be changed any more. Ask the admin of your instance for a correction."}
}

// AppealArtist is POST /statements/appeal: an artist says why a mark is wrong.
func (p *Pages) AppealArtist(w http.ResponseWriter, r *http.Request) error {
	artist, s, err := p.asPaid(r)
	if err != nil {
		return err
	}
	month, err := royalty.ParseMonth(r.PostFormValue("month"))
	if err != nil {
		return ErrNotFound
	}
	err = s.AppealFor(r.Context(), artist, r.PostFormValue("host"), month, r.PostFormValue("words"))
	switch {
	case errors.Is(err, report.ErrUnknown):
		return ErrNotFound
	case errors.Is(err, contract.ErrLate):
		return tooLate()
	case err != nil:
		return err
	}
	return seeOther(w, r, "/statements?done=appealed")
}

// AppealMarks is POST /pool/month/{month}/appeal.
func (p *Pages) AppealMarks(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	month, err := royalty.ParseMonth(mux.Vars(r)["month"])
	if err != nil || p.Reporting == nil {
		return ErrNotFound
	}
	share, err := p.Reporting.Reports.ShareOf(r.Context(), month, v.Account.Actor)
	if errors.Is(err, report.ErrUnknown) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	for _, d := range share.Decisions {
		if d.State == report.Noted {
			continue
		}
		if err := p.Reporting.Reports.Appeal(r.Context(), month, d.Pseudonym, d.Artist, r.PostFormValue("words")); err != nil {
			return tooLate()
		}
	}
	return seeOther(w, r, "/pool/month/"+string(month)+"?done=appealed")
}
