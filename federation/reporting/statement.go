package reporting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
	"antiphon/internal/jobs"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// The paths where every instance answers the others.
const (
	// StatementsPath takes ?month=2026-10&artist=URI, of the artist's own instance.
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

// Statements answers an artist's instance with the artist's statement of a month, proofs included.
func (s *Service) Statements() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, ok := s.asker(w, r)
		if !ok {
			return
		}
		artist := r.URL.Query().Get("artist")
		month, err := royalty.ParseMonth(r.URL.Query().Get("month"))
		if err != nil {
			http.Error(w, "month is not like 2026-10", http.StatusBadRequest)
			return
		}
		if actor.HostOf(artist) != host {
			http.Error(w, "only the artist's own instance is told", http.StatusForbidden)
			return
		}
		st, err := s.Reports.StatementFor(r.Context(), month, artist)
		s.answer(w, st, err)
	})
}

// statementDue: another node has stated a month in which an artist of here has a part.
type statementDue struct {
	Node   string        `json:"node"`
	Month  royalty.Month `json:"month"`
	Artist string        `json:"artist"`
	Stage  report.Stage  `json:"stage"`
}

// Kind names the job.
func (statementDue) Kind() string { return "fetch_statement" }

// Options let a statement be fetched once.
func (statementDue) Options() jobs.Options { return jobs.Options{Once: true} }

// heardStatement is a row of statements_heard.
type heardStatement struct {
	Node    string        `gorm:"primaryKey"`
	Month   royalty.Month `gorm:"primaryKey"`
	Artist  string        `gorm:"primaryKey"`
	Micro   royalty.Micro
	Raw     []byte
	Words   string
	HeardAt time.Time
}

func (heardStatement) TableName() string { return "statements_heard" }

// statementMonths is how many months are looked at for statements.
const statementMonths = 3

// wantStatements queues the fetching of statements that concern artists of here, and examines what others have reported.
func (s *Service) wantStatements(ctx context.Context) error {
	if s.Reports == nil {
		return nil
	}
	var artists []string
	err := s.DB.Read.WithContext(ctx).Table("actors").Where("local = ? AND name <> ''", true).Order("uri").Pluck("uri", &artists).Error
	if err != nil {
		return fmt.Errorf("read artists: %w", err)
	}
	byHash := map[string]string{}
	for _, uri := range artists {
		byHash[contract.Digest("payee", uri)] = uri
	}
	book := s.Book()
	this := royalty.MonthOf(s.Now())
	for back := 1; back <= statementMonths; back++ {
		month := royalty.MonthOf(this.Start().AddDate(0, -back, 0))
		for _, host := range s.config.Nodes {
			stage := report.Final
			st, err := contract.Finally(ctx, book, month, host)
			if errors.Is(err, contract.ErrUnknown) {
				stage = report.Reported
				st, _, err = contract.Reported(ctx, book, month, host)
			}
			if errors.Is(err, contract.ErrUnknown) {
				continue
			}
			if err != nil {
				return err
			}
			if err := s.want(ctx, host, month, stage, st, byHash); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) want(ctx context.Context, host string, month royalty.Month, stage report.Stage, st contract.Statement, byHash map[string]string) error {
	found, err := report.Examine(ctx, s.Book(), month, host, s.Now())
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, f := range found {
			if err := s.find(tx, host, string(month), f); err != nil {
				return err
			}
		}
		for hash, uri := range byHash {
			// With a root alone, nobody knows whose totals are under it: every artist of here asks.
			if _, named := st.Total(hash); !named && int64(len(st.Artists)) == st.ArtistCount {
				continue
			}
			if err := s.Jobs.Insert(ctx, tx, statementDue{host, month, uri, stage}); err != nil {
				return err
			}
		}
		return nil
	})
}

// fetchStatement gets an artist's statement from the node that has made it, and holds it against the own ledger. What does
// not come out is a finding; the statement is kept with it.
func (s *Service) fetchStatement(ctx context.Context, j statementDue) error {
	query := url.Values{"month": {string(j.Month)}, "artist": {j.Artist}}
	raw, err := s.Fetch.JSON(ctx, s.config.Scheme+"://"+j.Node+StatementsPath+"?"+query.Encode())
	if err != nil {
		return err
	}
	var st report.ArtistStatement
	err = json.Unmarshal(raw, &st)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: %w", report.ErrAltered, err)
	case st.Node != j.Node || st.Month != j.Month || st.Artist != j.Artist:
		err = fmt.Errorf("%w: it is another statement", report.ErrAltered)
	default:
		err = st.Check(ctx, s.Book())
	}
	row := heardStatement{Node: j.Node, Month: j.Month, Artist: j.Artist, Micro: st.Micro, Raw: raw, HeardAt: s.Now().UTC()}
	if err != nil {
		if !errors.Is(err, report.ErrAltered) && !errors.Is(err, contract.ErrUnknown) && !errors.Is(err, royalty.ErrInvalid) {
			return err
		}
		row.Words = err.Error()
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if row.Words != "" {
			f := report.Finding{Kind: "altered", Subject: j.Artist, Words: "Its statement for " + j.Artist + " does not hold: " + row.Words + "."}
			if err := s.find(tx, j.Node, string(j.Month), f); err != nil {
				return err
			}
		}
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
	})
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
