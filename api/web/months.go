package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/federation/reporting"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
	"antiphon/templates"
)

// asReporter is an admin of an instance that reports to others; without a pool there are no such pages.
func (p *Pages) asReporter(r *http.Request) (*reporting.Service, error) {
	if _, err := asAdmin(r); err != nil {
		return nil, err
	}
	if p.Reporting == nil {
		return nil, ErrNotFound
	}
	return p.Reporting, nil
}

func monthIn(text string, now time.Time) royalty.Month {
	month, err := royalty.ParseMonth(text)
	if err != nil {
		return royalty.MonthOf(royalty.MonthOf(now).Start().AddDate(0, -1, 0))
	}
	return month
}

// Months is GET /admin/months: the last month, or the one that is asked for.
func (p *Pages) Months(w http.ResponseWriter, r *http.Request) error {
	return p.months(w, r, monthIn(r.URL.Query().Get("month"), p.Now()), nil)
}

// months draws a month, with what was refused.
func (p *Pages) months(w http.ResponseWriter, r *http.Request, month royalty.Month, refused error) error {
	s, err := p.asReporter(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	view := &templates.Months{
		Layout: p.Layout(r), Month: string(month), Earlier: string(royalty.MonthOf(month.Start().AddDate(0, -1, 0))), Later: string(month.Next()),
	}
	view.NoIndex = true
	status := http.StatusOK
	if refused != nil {
		p.Log.Warn("month not changed", "month", month, "error", refused)
		view.Error, status = report.Explain(refused), http.StatusConflict
	}
	if err := p.statements(ctx, s, month, view); err != nil {
		return err
	}
	found, err := s.Findings(ctx, string(month))
	if err != nil {
		return err
	}
	for _, f := range found {
		one := templates.MonthFinding{Host: f.Node, Kind: f.Kind, Words: f.Words}
		if f.Kind == "altered" {
			one.Artist = f.Subject
		}
		view.Findings = append(view.Findings, one)
	}
	if err := p.decisions(ctx, s, month, view); err != nil {
		return err
	}
	payouts, err := s.Reports.Payouts(ctx, month)
	if err != nil {
		return err
	}
	for _, l := range payouts {
		view.Payouts = append(view.Payouts, templates.MonthPayout{
			Artist: l.Artist, Payee: l.Payee, Dollars: l.Micro.String(), Address: l.Address, State: string(l.State), Remark: l.Remark, Ref: l.Ref,
			CanSend: l.State == report.Ready && l.Units != "",
		})
	}
	return p.Render(w, status, view)
}

// statements adds what the ledger has of every node that takes part.
func (p *Pages) statements(ctx context.Context, s *reporting.Service, month royalty.Month, view *templates.Months) error {
	nodes, err := contract.Nodes(ctx, s.Book())
	if err != nil {
		return err
	}
	for _, n := range nodes {
		final := true
		st, err := contract.Finally(ctx, s.Book(), month, n.Host)
		if errors.Is(err, contract.ErrUnknown) {
			final = false
			st, _, err = contract.Reported(ctx, s.Book(), month, n.Host)
		}
		if errors.Is(err, contract.ErrUnknown) {
			continue
		}
		if err != nil {
			return err
		}
		days, err := report.Days(ctx, s.Book(), month, n.Host)
		if err != nil {
			return err
		}
		view.Statements = append(view.Statements, templates.MonthStatement{
			Host: n.Host, Own: n.Host == s.Reports.Node(), Final: final, Payments: int(st.Payments), Listeners: int(st.Listeners), Artists: int(st.ArtistCount),
			Pool: st.Pool.String(), Splits: st.Splits.String(), Held: st.Held.String(), CarryIn: st.CarryIn.String(), CarryOut: st.CarryOut.String(),
			SplitsRoot: st.SplitsRoot, Days: len(days),
		})
	}
	return nil
}

// DecideMonth is POST /admin/months/{month}/decide.
func (p *Pages) DecideMonth(w http.ResponseWriter, r *http.Request) error {
	s, err := p.asReporter(r)
	if err != nil {
		return err
	}
	admin, err := asAdmin(r)
	if err != nil {
		return err
	}
	month := monthIn(mux.Vars(r)["month"], p.Now())
	err = s.Reports.Decide(r.Context(), month, r.PostFormValue("pseudonym"), r.PostFormValue("artist"), report.DecisionState(r.PostFormValue("state")), admin.Account.Name)
	if err != nil {
		return p.months(w, r, month, err)
	}
	return seeOther(w, r, "/admin/months?done=decided&month="+string(month))
}

// NoteSent is POST /admin/months/{month}/sent.
func (p *Pages) NoteSent(w http.ResponseWriter, r *http.Request) error {
	s, err := p.asReporter(r)
	if err != nil {
		return err
	}
	month := monthIn(mux.Vars(r)["month"], p.Now())
	err = s.Reports.Sent(r.Context(), month, []report.Transfer{{Artist: r.PostFormValue("artist"), Provider: "manual", Ref: r.PostFormValue("ref")}})
	if err != nil {
		return p.months(w, r, month, err)
	}
	return seeOther(w, r, "/admin/months?done=sent&month="+string(month))
}

// ExportPayouts is GET /admin/months/{month}/payouts.csv and .json.
func (p *Pages) ExportPayouts(w http.ResponseWriter, r *http.Request) error {
	s, err := p.asReporter(r)
	if err != nil {
		return err
	}
	month := monthIn(mux.Vars(r)["month"], p.Now())
	lines, err := s.Reports.Payouts(r.Context(), month)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	if mux.Vars(r)["form"] == "json" {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Disposition", `attachment; filename="payouts-`+string(month)+`.json"`)
		return report.WriteJSON(w, lines)
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="payouts-`+string(month)+`.csv"`)
	return report.WriteCSV(w, lines)
}

// DisputeList is GET /admin/disputes.
func (p *Pages) DisputeList(w http.ResponseWriter, r *http.Request) error {
	return p.disputes(w, r, nil)
}

func (p *Pages) disputes(w http.ResponseWriter, r *http.Request, refused error) error {
	s, err := p.asReporter(r)
	if err != nil {
		return err
	}
	view := &templates.Disputes{Layout: p.Layout(r), Host: r.FormValue("host"), Month: r.FormValue("month"), Artist: r.FormValue("artist")}
	view.NoIndex = true
	status := http.StatusOK
	if refused != nil {
		p.Log.Warn("step of a dispute refused", "error", refused)
		view.Error, status = report.Explain(refused), http.StatusConflict
	}
	own := s.Reports.Node()
	err = s.Disputes.All(r.Context(), func(d contract.Dispute) error {
		row := templates.DisputeRow{
			ID: d.ID, Host: d.Node, Month: string(d.Month), Reason: d.Reason, State: string(d.State), Slice: d.Slice.String(), Until: d.Deadline.Format(time.DateOnly),
			CanAppeal: d.State == contract.Ruled && (d.Node == own || d.OpenerNode == own),
		}
		if d.Ruling != nil {
			row.Verdict = string(d.Ruling.Verdict)
		}
		appeal := d.State == contract.Appealed
		votes, err := contract.Votes(r.Context(), s.Book(), d.ID, appeal)
		if err != nil {
			return err
		}
		eyes := d.Eyes
		if appeal {
			eyes = d.AppealEyes
		}
		for _, eye := range append([]string{d.Node}, eyes...) {
			v, voted := votes[eye]
			if voted {
				row.Votes = append(row.Votes, eye+": "+string(v.Verdict))
			}
			open := d.State == contract.InProof || d.State == contract.InVotes || d.State == contract.Withheld || appeal && eye != d.Node
			row.CanVote = row.CanVote || eye == own && !voted && open
		}
		view.Rows = append(view.Rows, row)
		return nil
	})
	if err != nil {
		return err
	}
	return p.Render(w, status, view)
}

// OpenDispute is POST /admin/disputes.
func (p *Pages) OpenDispute(w http.ResponseWriter, r *http.Request) error {
	s, err := p.asReporter(r)
	if err != nil {
		return err
	}
	admin, err := asAdmin(r)
	if err != nil {
		return err
	}
	month, err := royalty.ParseMonth(r.PostFormValue("month"))
	if err == nil {
		_, err = s.Disputes.Open(r.Context(), strings.TrimSpace(r.PostFormValue("host")), month, strings.TrimSpace(r.PostFormValue("artist")), r.PostFormValue("reason"), admin.Account.Actor, s.Reports.Node())
	}
	if err != nil {
		return p.disputes(w, r, err)
	}
	return seeOther(w, r, "/admin/disputes?done=dispute")
}

// VoteDispute is POST /admin/disputes/{id}/vote: it computes, and votes what comes out.
func (p *Pages) VoteDispute(w http.ResponseWriter, r *http.Request) error {
	return p.stepDispute(w, r, func(s *reporting.Service, id string) error { return s.Disputes.Vote(r.Context(), id) })
}

// AppealDispute is POST /admin/disputes/{id}/appeal.
func (p *Pages) AppealDispute(w http.ResponseWriter, r *http.Request) error {
	return p.stepDispute(w, r, func(s *reporting.Service, id string) error { return s.Disputes.Appeal(r.Context(), id) })
}

func (p *Pages) stepDispute(w http.ResponseWriter, r *http.Request, do func(s *reporting.Service, id string) error) error {
	s, err := p.asReporter(r)
	if err != nil {
		return err
	}
	if err := do(s, mux.Vars(r)["id"]); err != nil {
		return p.disputes(w, r, err)
	}
	return seeOther(w, r, "/admin/disputes?done=dispute")
}

// artistLink is an artist's page here, by the URI of the actor.
func artistLink(uri string) string { return "/artist?uri=" + url.QueryEscape(uri) }
