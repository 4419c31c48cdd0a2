package reporting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/jobs"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// statementsDue: another node has stated a month in which artists of here have a part.
type statementsDue struct {
	Node  string        `json:"node"`
	Month royalty.Month `json:"month"`
	Stage report.Stage  `json:"stage"`
	// Try counts the fetches that have failed for good.
	Try int64 `json:"try"`
}

// Kind names the job.
func (statementsDue) Kind() string { return "fetch_statements" }

// fetchAttempts is how often one fetch is tried, for some hours, before it has failed for good.
const fetchAttempts = 12

// Options let statements be fetched once.
func (statementsDue) Options() jobs.Options {
	return jobs.Options{Once: true, MaxAttempts: fetchAttempts}
}

// askedRow is a row of statements_asked.
type askedRow struct {
	Node  string        `gorm:"primaryKey"`
	Month royalty.Month `gorm:"primaryKey"`
	Stage report.Stage  `gorm:"primaryKey"`
	Tries int64
	Done  bool
}

func (askedRow) TableName() string { return "statements_asked" }

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

// artists are those of here, by the hash that ledgers have of them.
func (s *Service) artists(ctx context.Context) (map[string]string, error) {
	var uris []string
	err := s.DB.Read.WithContext(ctx).Table("actors").Where("local = ? AND name <> ''", true).Order("uri").Pluck("uri", &uris).Error
	if err != nil {
		return nil, fmt.Errorf("read artists: %w", err)
	}
	byHash := map[string]string{}
	for _, uri := range uris {
		byHash[contract.Digest("payee", uri)] = uri
	}
	return byHash, nil
}

// wantStatements queues the fetching of statements that concern artists of here, once a node, month and stage, and examines
// what others have reported. What has failed for good is queued again.
func (s *Service) wantStatements(ctx context.Context) error {
	if s.Reports == nil {
		return nil
	}
	byHash, err := s.artists(ctx)
	if err != nil {
		return err
	}
	this := royalty.MonthOf(s.Now())
	for back := 1; back <= statementMonths; back++ {
		month := royalty.MonthOf(this.Start().AddDate(0, -back, 0))
		for _, host := range append([]string{s.Reports.Node()}, s.config.Nodes...) {
			stage := report.Final
			st, err := contract.Finally(ctx, s.Book(), month, host)
			if errors.Is(err, contract.ErrUnknown) {
				stage = report.Reported
				st, _, err = contract.Reported(ctx, s.Book(), month, host)
			}
			if errors.Is(err, contract.ErrUnknown) {
				continue
			}
			if err != nil {
				return err
			}
			if err := s.want(ctx, askedRow{Node: host, Month: month, Stage: stage}, st, byHash); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) want(ctx context.Context, asked askedRow, st contract.Statement, byHash map[string]string) error {
	err := s.DB.Read.WithContext(ctx).Where("node = ? AND month = ? AND stage = ?", asked.Node, asked.Month, asked.Stage).Take(&asked).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("read what was asked: %w", err)
	}
	if asked.Done && asked.Stage == report.Final {
		return nil
	}
	own := asked.Node == s.Reports.Node()
	var found []report.Finding
	if !own {
		if found, err = report.Examine(ctx, s.Book(), asked.Month, asked.Node, s.Now()); err != nil {
			return err
		}
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, f := range found {
			if err := s.find(tx, asked.Node, string(asked.Month), f); err != nil {
				return err
			}
		}
		if asked.Done {
			return nil
		}
		if own || len(concerned(st, byHash)) == 0 {
			return s.asked(ctx, tx, asked, st, byHash)
		}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&asked).Error; err != nil {
			return fmt.Errorf("note what is asked: %w", err)
		}
		return s.Jobs.Insert(ctx, tx, statementsDue{asked.Node, asked.Month, asked.Stage, asked.Tries})
	})
}

// concerned are the artists of here who have a part in a statement. With a root alone, nobody knows whose totals are under it:
// all are asked about.
func concerned(st contract.Statement, byHash map[string]string) []string {
	var out []string
	for hash, uri := range byHash {
		if _, named := st.Total(hash); named || int64(len(st.Artists)) < st.ArtistCount {
			out = append(out, uri)
		}
	}
	return out
}

// asked notes that nothing is to be fetched any more, and has those artists told who have not said where to be paid.
func (s *Service) asked(ctx context.Context, tx *gorm.DB, row askedRow, st contract.Statement, byHash map[string]string) error {
	row.Done = true
	if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
		return fmt.Errorf("note what was asked: %w", err)
	}
	if row.Stage != report.Final {
		return nil
	}
	for _, artist := range concerned(st, byHash) {
		if err := s.Jobs.Insert(ctx, tx, unclaimedDue{artist, row.Month}); err != nil {
			return err
		}
	}
	return nil
}

// errIncomplete means that a node has not sent the statement of an artist whom it has named.
var errIncomplete = errors.New("a statement is missing")

// fetchStatements gets the statements of the artists of here from the node that has made them, page by page, and holds each
// against the own ledger. What does not come out is a finding; the statement is kept with it.
func (s *Service) fetchStatements(ctx context.Context, j statementsDue, attempt int) error {
	err := s.fetchPages(ctx, j)
	last := attempt >= fetchAttempts
	if err == nil || !last && !errors.Is(err, report.ErrAltered) {
		return err
	}
	return errors.Join(err, s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		kind := "silent"
		if errors.Is(err, report.ErrAltered) {
			kind = "altered"
		}
		if kind == "altered" || errors.Is(err, errIncomplete) {
			f := report.Finding{Kind: kind, Words: "It does not send what it has stated for artists of here: " + err.Error() + "."}
			if err := s.find(tx, j.Node, string(j.Month), f); err != nil {
				return err
			}
		}
		if !last {
			return nil
		}
		// The next round begins anew.
		return tx.Model(&askedRow{}).Where("node = ? AND month = ? AND stage = ? AND tries = ?", j.Node, j.Month, j.Stage, j.Try).Update("tries", j.Try+1).Error
	}))
}

func (s *Service) fetchPages(ctx context.Context, j statementsDue) error {
	byHash, err := s.artists(ctx)
	if err != nil {
		return err
	}
	var st contract.Statement
	if j.Stage == report.Final {
		st, err = contract.Finally(ctx, s.Book(), j.Month, j.Node)
	} else {
		st, _, err = contract.Reported(ctx, s.Book(), j.Month, j.Node)
	}
	if err != nil {
		return err
	}
	told := map[string]bool{}
	for after, first := "", true; first || after != ""; first = false {
		page, err := s.fetchPage(ctx, j, after)
		if err != nil {
			return err
		}
		for _, raw := range page.Statements {
			artist, err := s.keepStatement(ctx, j, raw, st, byHash, told)
			if err != nil {
				return err
			}
			told[artist] = true
		}
		// Each page tells of somebody of here who was not told of before, so that there is an end.
		if len(page.Statements) == 0 && page.Next != "" {
			return fmt.Errorf("%w: an empty page that is not the last", report.ErrAltered)
		}
		after = page.Next
	}
	for hash, uri := range byHash {
		if _, named := st.Total(hash); named && !told[uri] {
			return fmt.Errorf("%w: of %s", errIncomplete, uri)
		}
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.asked(ctx, tx, askedRow{Node: j.Node, Month: j.Month, Stage: j.Stage, Tries: j.Try}, st, byHash)
	})
}

// maxCursor bounds where a page says to go on, in bytes.
const maxCursor = 2000

func (s *Service) fetchPage(ctx context.Context, j statementsDue, after string) (statementPage, error) {
	var page statementPage
	query := url.Values{"month": {string(j.Month)}}
	if after != "" {
		query.Set("after", after)
	}
	raw, err := s.Fetch.JSON(ctx, s.config.Scheme+"://"+j.Node+StatementsPath+"?"+query.Encode())
	if err != nil {
		return page, err
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return page, fmt.Errorf("%w: %w", report.ErrAltered, err)
	}
	if page.Node != j.Node || page.Month != j.Month || len(page.Statements) > pageStatements || len(page.Next) > maxCursor {
		return page, fmt.Errorf("%w: it is another page", report.ErrAltered)
	}
	return page, nil
}

// keepStatement keeps a statement for an artist of here who was not told of before, and says for whom it is.
func (s *Service) keepStatement(ctx context.Context, j statementsDue, raw json.RawMessage, whole contract.Statement, byHash map[string]string, told map[string]bool) (string, error) {
	var st report.ArtistStatement
	err := json.Unmarshal(raw, &st)
	hash := contract.Digest("payee", st.Artist)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", report.ErrAltered, err)
	case st.Node != j.Node || st.Month != j.Month:
		return "", fmt.Errorf("%w: it is another statement", report.ErrAltered)
	case byHash[hash] == "" || told[st.Artist]:
		return "", fmt.Errorf("%w: it is for nobody of here, or twice", report.ErrAltered)
	}
	err = st.Check(ctx, s.Book())
	if _, named := whole.Total(hash); err == nil && named && st.Stage != j.Stage && j.Stage == report.Final {
		err = fmt.Errorf("%w: it is not the final one", report.ErrAltered)
	}
	row := heardStatement{Node: j.Node, Month: j.Month, Artist: st.Artist, Micro: st.Micro, Raw: raw, HeardAt: s.Now().UTC()}
	if err != nil {
		if !errors.Is(err, report.ErrAltered) && !errors.Is(err, contract.ErrUnknown) && !errors.Is(err, royalty.ErrInvalid) {
			return "", err
		}
		row.Words = err.Error()
	}
	return st.Artist, s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if row.Words != "" {
			f := report.Finding{Kind: "altered", Subject: st.Artist, Words: "Its statement for " + st.Artist + " does not hold: " + row.Words + "."}
			if err := s.find(tx, j.Node, string(j.Month), f); err != nil {
				return err
			}
		}
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
	})
}
