package web

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"antiphon/federation/reporting"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
	"antiphon/templates"
)

// ArtistStatements is GET /statements: what pools have paid an artist, from which instance.
func (p *Pages) ArtistStatements(w http.ResponseWriter, r *http.Request) error {
	return p.artistStatements(w, r, "")
}

func (p *Pages) artistStatements(w http.ResponseWriter, r *http.Request, refused string) error {
	v, s, err := p.asPaid(r)
	if err != nil {
		return err
	}
	view := &templates.Statements{Layout: p.Layout(r), Error: refused}
	view.NoIndex = true
	view.Asset, view.Address, err = s.Reports.AddressOf(r.Context(), v)
	if err != nil {
		return err
	}
	err = p.eachStatement(r, s, v, func(month royalty.Month, all []reporting.Statement) error {
		one := templates.StatementMonth{Month: string(month)}
		var sum royalty.Micro
		for _, st := range all {
			row := templates.StatementRow{
				Host: st.Node, Final: st.Stage == report.Final, Listeners: st.Listeners, Plays: plays(st.Units), Owed: st.Micro.String(), Ref: st.Ref, Words: st.Words,
				Proofs: len(st.Splits), ProofURL: fmt.Sprintf("/statements/%s/%s", month, st.Node),
			}
			if st.Paid > 0 {
				row.Paid = st.Paid.String()
			}
			if st.Words == "" {
				sum += st.Micro
			}
			one.Rows = append(one.Rows, row)
		}
		one.Total = sum.String()
		view.Months = append(view.Months, one)
		return nil
	})
	if err != nil {
		return err
	}
	if view.Marks, err = p.waits(r.Context(), s, v); err != nil {
		return err
	}
	status := http.StatusOK
	if refused != "" {
		status = http.StatusUnprocessableEntity
	}
	return p.Render(w, status, view)
}

// plays are units as people read them: shared tracks make parts.
func plays(units int64) string {
	text := strconv.FormatInt(units/royalty.Unit, 10)
	if rest := units % royalty.Unit / 100; rest > 0 {
		text += fmt.Sprintf(".%02d", rest)
	}
	return text
}

// asPaid is an artist's actor on an instance that reports.
func (p *Pages) asPaid(r *http.Request) (string, *reporting.Service, error) {
	v, err := asArtist(r)
	if err == nil && p.Reporting == nil {
		err = ErrNotFound
	}
	return v.Account.Actor, p.Reporting, err
}

func (p *Pages) eachStatement(r *http.Request, s *reporting.Service, artist string, fn func(royalty.Month, []reporting.Statement) error) error {
	months, err := s.MonthsOf(r.Context(), artist)
	if err != nil {
		return err
	}
	for _, month := range months {
		all, err := s.StatementsOf(r.Context(), month, artist)
		if err != nil {
			return err
		}
		if err := fn(month, all); err != nil {
			return err
		}
	}
	return nil
}

// StatementsCSV is GET /statements.csv.
func (p *Pages) StatementsCSV(w http.ResponseWriter, r *http.Request) error {
	artist, s, err := p.asPaid(r)
	if err != nil {
		return err
	}
	rows := [][]string{{"month", "instance", "statement", "listeners", "plays", "seconds", "owed", "paid", "transfer", "remark"}}
	err = p.eachStatement(r, s, artist, func(month royalty.Month, all []reporting.Statement) error {
		for _, st := range all {
			rows = append(rows, []string{
				string(month), st.Node, string(st.Stage), strconv.Itoa(st.Listeners), plays(st.Units), strconv.FormatInt(st.Seconds, 10),
				st.Micro.String(), st.Paid.String(), st.Ref, st.Words,
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="statements.csv"`)
	return csv.NewWriter(w).WriteAll(rows)
}

// StatementProof is GET /statements/{month}/{host}: the statement with its proofs, for antiphon verify.
func (p *Pages) StatementProof(w http.ResponseWriter, r *http.Request) error {
	artist, s, err := p.asPaid(r)
	if err != nil {
		return err
	}
	month, err := royalty.ParseMonth(mux.Vars(r)["month"])
	if err != nil {
		return ErrNotFound
	}
	all, err := s.StatementsOf(r.Context(), month, artist)
	if err != nil {
		return err
	}
	for _, st := range all {
		if st.Node != mux.Vars(r)["host"] {
			continue
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Disposition", `attachment; filename="statement-`+string(month)+`.json"`)
		return json.NewEncoder(w).Encode(st.ArtistStatement)
	}
	return ErrNotFound
}

// SetPayout is POST /statements/address.
func (p *Pages) SetPayout(w http.ResponseWriter, r *http.Request) error {
	artist, s, err := p.asPaid(r)
	if err != nil {
		return err
	}
	asset, _, err := s.Reports.AddressOf(r.Context(), artist)
	if err != nil {
		return err
	}
	if err := s.Instruct(r.Context(), artist, asset, r.PostFormValue("address")); err != nil {
		p.Log.Info("address for payouts refused", "artist", artist, "error", err)
		return p.artistStatements(w, r, "This is not an address that money can be sent to. Copy it from your wallet, without spaces.")
	}
	return seeOther(w, r, "/statements?done=address")
}

// ShareOfMonth is GET /pool/month/{month}: where a listener's nine dollars went.
func (p *Pages) ShareOfMonth(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	month, err := royalty.ParseMonth(mux.Vars(r)["month"])
	if err != nil || p.Reporting == nil {
		return ErrNotFound
	}
	view := &templates.Shares{Layout: p.Layout(r), Month: string(month)}
	view.NoIndex = true
	share, err := p.Reporting.Reports.ShareOf(r.Context(), month, v.Account.Actor)
	if errors.Is(err, report.ErrUnknown) {
		view.Empty = true
		return p.Render(w, http.StatusOK, view)
	}
	if err != nil {
		return err
	}
	view.Final, view.Operator = share.Stage == report.Final, royalty.Operator.String()
	for _, part := range share.Portions {
		row := templates.ShareRow{Name: part.Artist, URL: artistLink(part.Artist), Dollars: part.Micro.String(), Percent: int((part.Micro*100 + royalty.Pool/2) / royalty.Pool)}
		if who, err := p.actor(r.Context(), part.Artist); err == nil {
			row.Name, row.URL = who.Display, who.page()
		}
		view.Rows = append(view.Rows, row)
	}
	if share.Held > 0 {
		view.Held = share.Held.String()
	}
	if share.Carried > 0 {
		view.Carried = share.Carried.String()
	}
	p.marksOf(r.Context(), share, view)
	return p.Render(w, http.StatusOK, view)
}
