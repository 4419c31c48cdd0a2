package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// dayRow is a row of report_days: a day whose lines are complete.
type dayRow struct {
	Day                                  string `gorm:"primaryKey"`
	Root                                 string
	Lines, Plays, Seconds, Dropped, Held int64
}

func (dayRow) TableName() string { return "report_days" }

// ReportDay reports a UTC day that is over. It may be called again: the lines of a day are collected once, and a report
// that is on the ledger stays as it is. A day without any plays is reported as such.
func (s *Service) ReportDay(ctx context.Context, day time.Time) error {
	name := day.UTC().Format(time.DateOnly)
	if _, err := contract.DayAt(ctx, s.Book, s.config.Node, name); err == nil {
		return nil
	} else if !errors.Is(err, contract.ErrUnknown) {
		return err
	}
	policy, err := contract.PolicyFor(ctx, s.Book, royalty.MonthOf(day))
	if err != nil {
		return err
	}
	d, err := s.collect(ctx, day, policy)
	if err != nil {
		return fmt.Errorf("collect %s: %w", name, err)
	}
	_, before, err := contract.LastDay(ctx, s.Book, s.config.Node)
	if err != nil {
		return err
	}
	return done(s.Book.Submit(ctx, contract.DayReport{
		Node: s.config.Node, Day: name, Root: d.Root, Lines: d.Lines, Plays: d.Plays, Seconds: d.Seconds, Dropped: d.Dropped, Held: d.Held,
		Policy: policy.Version, PrevDayRoot: before,
	}))
}

// collect writes the lines of a day, once, with what the rules say of it.
func (s *Service) collect(ctx context.Context, day time.Time, policy contract.Policy) (dayRow, error) {
	d := dayRow{Day: day.UTC().Format(time.DateOnly)}
	err := s.DB.Read.WithContext(ctx).Where("day = ?", d.Day).Take(&d).Error
	if err == nil || !errors.Is(err, gorm.ErrRecordNotFound) {
		return d, err
	}
	var all []Heard
	err = s.Listens.Lines(ctx, day, func(h Heard) error {
		d.Plays, d.Seconds, d.Dropped, d.Held = d.Plays+h.Plays, d.Seconds+h.Seconds, d.Dropped+h.Dropped, d.Held+h.HeldPlays
		all = append(all, h)
		return nil
	})
	if err != nil {
		return d, err
	}
	slices.SortFunc(all, func(a, b Heard) int {
		return cmp.Or(strings.Compare(a.Listener, b.Listener), strings.Compare(a.Track, b.Track))
	})
	for i := 1; i < len(all); i++ {
		if all[i].Listener == all[i-1].Listener && all[i].Track == all[i-1].Track {
			return d, fmt.Errorf("%w: a listener's track %s", ErrTwice, all[i].Track)
		}
	}
	month := royalty.MonthOf(day)
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		rows, decisions, err := s.rows(ctx, tx, month, d.Day, all, policy)
		if err != nil {
			return err
		}
		var tree royalty.Tree
		for _, r := range rows {
			if !r.Held {
				tree.Add(string(r.Line))
			}
		}
		d.Lines, d.Root = tree.Size(), contract.Root(tree)
		if err := tx.CreateInBatches(rows, pageLines/4).Error; err != nil {
			return fmt.Errorf("write lines: %w", err)
		}
		if len(decisions) > 0 {
			if err := writeDecisions(tx, decisions); err != nil {
				return err
			}
		}
		return tx.Create(&d).Error
	})
	return d, err
}

// rows are the lines of what was heard, in order, with decisions to make on those that are held.
func (s *Service) rows(ctx context.Context, tx *gorm.DB, month royalty.Month, day string, all []Heard, policy contract.Policy) ([]row, []Decision, error) {
	var rows []row
	var decisions []Decision
	pseudonym, last := "", ""
	for _, h := range all {
		if h.Listener != last {
			var err error
			if pseudonym, err = s.Pseudonyms.Of(ctx, tx, month, h.Listener); err != nil {
				return nil, nil, err
			}
			last = h.Listener
		}
		for _, part := range []struct {
			held           bool
			plays, seconds int64
			rule, evidence string
		}{
			{held: false, plays: h.Plays, seconds: h.Seconds, rule: h.Note, evidence: h.NoteEvidence},
			{held: true, plays: h.HeldPlays, seconds: h.HeldSeconds, rule: h.Rule, evidence: h.Evidence},
		} {
			if part.plays == 0 {
				continue
			}
			credited, err := royalty.Credit(part.plays, h.Artists)
			if err != nil {
				return nil, nil, fmt.Errorf("track %s: %w", h.Track, err)
			}
			for _, c := range credited {
				if c.Units == 0 {
					continue
				}
				line := royalty.Line{Pseudonym: pseudonym, Artist: c.Artist, Track: h.Track, Units: c.Units, Seconds: part.seconds}
				if _, err := royalty.ParseLine(line.String()); err != nil {
					return nil, nil, err
				}
				rows = append(rows, row{day, part.held, []byte(line.String()), c.Artist})
				if part.rule != "" {
					decisions = append(decisions, s.suspect(policy, month, pseudonym, c.Artist, part.rule, part.evidence))
				}
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(string(a.Line), string(b.Line)) })
	return rows, decisions, nil
}
