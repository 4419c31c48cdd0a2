package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/federation/inbox"
	"antiphon/federation/reporting"
	"antiphon/media/listen"
	"antiphon/payments/pool"
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
	if err := p.heardSoFar(r.Context(), view, v); err != nil {
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

// heardSoFar fills in what is known of the month that is not over.
func (p *Pages) heardSoFar(ctx context.Context, view *templates.Statements, artist string) error {
	if p.Listens == nil {
		return nil
	}
	view.Since = royalty.MonthOf(p.Now()).Start()
	tallies, err := p.Listens.Tallies(ctx, artist, view.Since)
	if err != nil {
		return err
	}
	for _, t := range tallies {
		view.Plays += int(t.Plays)
	}
	elsewhere, err := inbox.HeardElsewhere(ctx, p.DB.Read, artist, view.Since.Format(time.DateOnly))
	if err != nil {
		return err
	}
	for _, e := range elsewhere {
		view.Elsewhere += int(e.Plays)
	}
	return nil
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

// sharePath is where a listener's money of a month went.
func sharePath(month royalty.Month) string { return "/pool/month/" + string(month) }

// dollars are money as a listener reads it: cents, and more digits only where there are any.
func dollars(m royalty.Micro) string {
	text := m.String()
	for strings.HasSuffix(text, "0") && len(text)-strings.IndexByte(text, '.') > 3 {
		text = text[:len(text)-1]
	}
	return text
}

// ShareOfMonth is GET /pool/month/{month}: where a listener's nine dollars went, or go as far as it is known.
func (p *Pages) ShareOfMonth(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	month, err := royalty.ParseMonth(mux.Vars(r)["month"])
	if err != nil || p.Reporting == nil {
		return ErrNotFound
	}
	view := &templates.Shares{Layout: p.Layout(r), Month: string(month), Begins: month.Start()}
	view.NoIndex = true
	share, err := p.Reporting.Reports.ShareOf(r.Context(), month, v.Account.Actor)
	if errors.Is(err, report.ErrUnknown) {
		share, err = p.shareSoFar(r.Context(), month, v.Account.Actor)
		view.SoFar = err == nil
		settings, wrong := listen.SettingsOf(r.Context(), p.DB.Read, v.Account.Actor)
		if wrong != nil {
			return wrong
		}
		view.Off = !settings.Recording
	}
	if errors.Is(err, report.ErrUnknown) {
		view.Empty = true
		return p.Render(w, http.StatusOK, view)
	}
	if err != nil {
		return err
	}
	view.Final, view.Operator = share.Stage == report.Final, dollars(royalty.Operator)
	for _, part := range share.Portions {
		row := templates.ShareRow{Name: part.Artist, URL: artistLink(part.Artist), Dollars: dollars(part.Micro), Percent: int((part.Micro*100 + royalty.Pool/2) / royalty.Pool)}
		if who, err := p.actor(r.Context(), part.Artist); err == nil {
			row.Name, row.URL = who.Display, who.page()
		}
		view.Rows = append(view.Rows, row)
	}
	if share.Held > 0 {
		view.Held = dollars(share.Held)
	}
	if share.Carried > 0 {
		view.Carried = dollars(share.Carried)
	}
	p.marksOf(r.Context(), share, view)
	return p.Render(w, http.StatusOK, view)
}

// shareSoFar is where the money of a month that is paid and not reported yet goes, by what was heard so far.
func (p *Pages) shareSoFar(ctx context.Context, month royalty.Month, listener string) (report.Share, error) {
	if p.Pool == nil || p.Listens == nil {
		return report.Share{}, report.ErrUnknown
	}
	paid, err := p.Pool.Payments(ctx, listener, listRows)
	if err != nil {
		return report.Share{}, err
	}
	if !slices.ContainsFunc(paid, func(one pool.Payment) bool { return one.Month == month && one.State == pool.Counted }) {
		return report.Share{}, report.ErrUnknown
	}
	lines, err := p.Listens.Between(ctx, listener, month.Start(), month.Next().Start())
	if err != nil {
		return report.Share{}, err
	}
	var heard []report.Heard
	for _, l := range lines {
		h := report.Heard{Track: l.Track, Plays: l.Plays, Seconds: l.Seconds, Artists: []royalty.Share{{Artist: l.Artist, Points: 10_000}}}
		if len(l.Artists) > 0 {
			h.Artists = nil
			for _, c := range l.Artists {
				h.Artists = append(h.Artists, royalty.Share{Artist: c.Artist, Points: c.Share})
			}
		}
		heard = append(heard, h)
	}
	return p.Reporting.Reports.Foresee(ctx, month, listener, heard)
}
