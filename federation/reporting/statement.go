package reporting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// The paths where every instance answers the others.
const (
	// StatementsPath takes ?month=2026-10 and &after=URI of the artists' own instance, or &artist=URI for one alone.
	StatementsPath = "/antiphon/v1/statements"
	// EvidencePath takes ?dispute=ID&from=0, of an instance that was drawn to look at it.
	EvidencePath = "/antiphon/v1/evidence"
)

// asker is the host of the instance that has signed a request.
func (s *Service) asker(w http.ResponseWriter, r *http.Request) (string, bool) {
	w.Header().Set("Cache-Control", "no-store")
	verifier := &httpsig.Verifier{Origin: s.config.BaseURL, Keys: s.Actors.Keys(), Now: s.Now}
	key, err := verifier.Verify(r.Context(), r, nil)
	if err != nil {
		http.Error(w, "the signature was not accepted: "+err.Error(), http.StatusUnauthorized)
		return "", false
	}
	host := actor.HostOf(key.Owner)
	if key.Owner != s.instance(host) {
		http.Error(w, "only an instance's own actor may ask", http.StatusForbidden)
		return "", false
	}
	return host, true
}

func (s *Service) answer(w http.ResponseWriter, v any, err error) {
	switch {
	case errors.Is(err, report.ErrUnknown), errors.Is(err, contract.ErrUnknown):
		http.Error(w, "there is no such statement here", http.StatusNotFound)
		return
	case err != nil:
		s.Log.Error("statement not served", "error", err)
		http.Error(w, "this server has a problem; try again later", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.Log.Debug("answer not taken", "error", err)
	}
}

const (
	// pageStatements and pageBytes bound one answer.
	pageStatements = 40
	pageBytes      = 600_000
)

// statementPage is a part of the statements for the artists of one instance.
type statementPage struct {
	Node       string            `json:"node"`
	Month      royalty.Month     `json:"month"`
	Statements []json.RawMessage `json:"statements"`
	// Next is the artist after whom to go on; empty at the end.
	Next string `json:"next,omitempty"`
}

// Statements answers an instance with its artists' statements of a month, proofs included: with one artist's, or with a page
// of all.
func (s *Service) Statements() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, ok := s.asker(w, r)
		if !ok {
			return
		}
		query := r.URL.Query()
		month, err := royalty.ParseMonth(query.Get("month"))
		if err != nil {
			http.Error(w, "month is not like 2026-10", http.StatusBadRequest)
			return
		}
		if !query.Has("artist") {
			page, err := s.page(r.Context(), month, host, query.Get("after"))
			s.answer(w, page, err)
			return
		}
		artist := query.Get("artist")
		if actor.HostOf(artist) != host {
			http.Error(w, "only the artist's own instance is told", http.StatusForbidden)
			return
		}
		st, err := s.Reports.StatementFor(r.Context(), month, artist)
		s.answer(w, st, err)
	})
}

// page is what one answer has: the artists of a host after one of them.
func (s *Service) page(ctx context.Context, month royalty.Month, host, after string) (statementPage, error) {
	out := statementPage{Node: s.Reports.Node(), Month: month, Statements: []json.RawMessage{}}
	artists, err := s.Reports.ArtistsAt(ctx, month, host, after, pageStatements)
	if err != nil || len(artists) == 0 {
		return out, err
	}
	all, err := s.Reports.StatementsFor(ctx, month, artists)
	if err != nil {
		return out, err
	}
	bytes := 0
	for _, st := range all {
		raw, err := json.Marshal(st)
		if err != nil {
			return out, err
		}
		if bytes += len(raw); len(out.Statements) > 0 && bytes > pageBytes {
			return out, nil
		}
		out.Statements, out.Next = append(out.Statements, raw), st.Artist
	}
	if len(artists) < pageStatements {
		out.Next = ""
	} else {
		out.Next = artists[len(artists)-1]
	}
	return out, nil
}

// Statement is what an artist of here was told by one node.
type Statement struct {
	report.ArtistStatement
	// Own is whether the node is this instance; Words say what does not hold.
	Own   bool
	Words string
	// Paid is what was sent on it, with the provider's name of the transfer.
	Paid royalty.Micro
	Ref  string
}

// StatementsOf are an artist's statements of a month, this instance's own first.
func (s *Service) StatementsOf(ctx context.Context, month royalty.Month, artist string) ([]Statement, error) {
	var out []Statement
	own, err := s.Reports.StatementFor(ctx, month, artist)
	if err == nil {
		out = append(out, Statement{ArtistStatement: own, Own: true})
	} else if !errors.Is(err, report.ErrUnknown) {
		return nil, err
	}
	var rows []heardStatement
	if err := s.DB.Read.WithContext(ctx).Where("month = ? AND artist = ?", month, artist).Order("node").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read statements: %w", err)
	}
	for _, r := range rows {
		st := Statement{Words: r.Words}
		if err := json.Unmarshal(r.Raw, &st.ArtistStatement); err != nil {
			st.Node, st.Month, st.Artist = r.Node, r.Month, r.Artist
		}
		out = append(out, st)
	}
	for i := range out {
		out[i].Paid, out[i].Ref, err = contract.PayoutAt(ctx, s.Book(), month, out[i].Node, contract.Digest("payee", artist))
		if err != nil && !errors.Is(err, contract.ErrUnknown) {
			return nil, err
		}
	}
	return out, nil
}

// MonthsOf are the months in which an artist has a statement, the newest first.
func (s *Service) MonthsOf(ctx context.Context, artist string) ([]royalty.Month, error) {
	var out []royalty.Month
	err := s.DB.Read.WithContext(ctx).Raw(`SELECT month FROM report_totals WHERE artist = ? UNION SELECT month FROM statements_heard WHERE artist = ?
		ORDER BY month DESC LIMIT 36`, artist, artist).Scan(&out).Error
	if err != nil {
		return nil, fmt.Errorf("read months: %w", err)
	}
	return out, nil
}

// Leave removes inside tx the statements that other nodes have sent for an artist who is going.
func Leave(ctx context.Context, tx *gorm.DB, artist string) error {
	if err := tx.WithContext(ctx).Where("artist = ?", artist).Delete(&heardStatement{}).Error; err != nil {
		return fmt.Errorf("forget statements of %s: %w", artist, err)
	}
	return nil
}
