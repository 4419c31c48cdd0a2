package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Stage is which of a month's two statements is meant.
type Stage string

// The stages.
const (
	Reported Stage = "report"
	Final    Stage = "final"
)

// monthRow is a row of report_months.
type monthRow struct {
	Month     royalty.Month `gorm:"primaryKey"`
	Stage     Stage         `gorm:"primaryKey"`
	Statement string
	// Chosen is what was decided when it was made: a Choice as JSON.
	Chosen    string
	CreatedAt time.Time
}

func (monthRow) TableName() string { return "report_months" }

// choice is what was decided of pairs.
type choice struct{ Held, Removed, Paid []Pair }

// chosen is what is decided now.
func (s *Service) chosen(ctx context.Context, month royalty.Month) (choice, error) {
	var c choice
	decisions, err := s.Decisions(ctx, month)
	for _, d := range decisions {
		pair := Pair{d.Pseudonym, d.Artist}
		switch d.State {
		case Held:
			c.Held = append(c.Held, pair)
		case Removed:
			c.Removed = append(c.Removed, pair)
		case Paid, Noted:
			c.Paid = append(c.Paid, pair)
		}
	}
	return c, err
}

// AsReported is the own node's month as it was when it was reported: what was decided since then is not in it.
func (s *Service) AsReported(ctx context.Context, month royalty.Month) (Month, error) {
	return s.as(ctx, month, Reported)
}

func (s *Service) as(ctx context.Context, month royalty.Month, stage Stage) (Month, error) {
	var row monthRow
	err := s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ?", month, stage).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Month{}, fmt.Errorf("%w: of %s there is no %s", ErrUnknown, month, stage)
	}
	if err != nil {
		return Month{}, wrap("read month", err)
	}
	var c choice
	if err := json.Unmarshal([]byte(row.Chosen), &c); err != nil {
		return Month{}, fmt.Errorf("what was decided of %s: %w", month, err)
	}
	return s.month(ctx, month, c)
}

// Month is the own node's month, ready to be compiled: its lines, what was carried into it and what is decided now.
func (s *Service) Month(ctx context.Context, month royalty.Month) (Month, error) {
	c, err := s.chosen(ctx, month)
	if err != nil {
		return Month{}, err
	}
	return s.month(ctx, month, c)
}

func (s *Service) month(ctx context.Context, month royalty.Month, c choice) (Month, error) {
	m := Month{Node: s.config.Node, Month: month, Held: map[Pair]bool{}, Removed: map[Pair]bool{}}
	paid := map[Pair]bool{}
	for _, part := range []struct {
		from []Pair
		to   map[Pair]bool
	}{{c.Held, m.Held}, {c.Removed, m.Removed}, {c.Paid, paid}} {
		for _, pair := range part.from {
			part.to[pair] = true
		}
	}
	var err error
	if m.Policy, err = contract.PolicyFor(ctx, s.Book, month); err != nil {
		return m, err
	}
	if m.Payers, err = PayersOf(ctx, s.Book, month, s.config.Node); err != nil {
		return m, err
	}
	days, err := Days(ctx, s.Book, month, s.config.Node)
	if err != nil {
		return m, err
	}
	for _, d := range days {
		one := Day{Day: d.Day, Root: d.Root, Lines: s.lines(ctx, d.Day, false)}
		if len(paid) > 0 {
			one.Restored = only(paid, s.lines(ctx, d.Day, true))
		}
		m.Days = append(m.Days, one)
	}
	m.Carried, err = s.carried(ctx, month)
	return m, err
}

// only are the lines of pairs.
func only(pairs map[Pair]bool, lines iter.Seq2[royalty.Line, error]) iter.Seq2[royalty.Line, error] {
	return func(yield func(royalty.Line, error) bool) {
		for l, err := range lines {
			if (err != nil || pairs[Pair{l.Pseudonym, l.Artist}]) && !yield(l, err) {
				return
			}
		}
	}
}

// ReportMonth reports a month that is over, from the fourth of the next one on. It may be called again.
func (s *Service) ReportMonth(ctx context.Context, month royalty.Month) error {
	if _, _, err := contract.Reported(ctx, s.Book, month, s.config.Node); err == nil || !errors.Is(err, contract.ErrUnknown) {
		return err
	}
	policy, err := contract.PolicyFor(ctx, s.Book, month)
	if err != nil {
		return err
	}
	if err := s.settleFund(ctx, month); err != nil {
		return fmt.Errorf("what is carried into %s: %w", month, err)
	}
	if err := s.suspectAll(ctx, month, policy); err != nil {
		return fmt.Errorf("judge %s: %w", month, err)
	}
	m, err := s.Month(ctx, month)
	if err != nil {
		return err
	}
	compiled, _, err := s.compile(ctx, m, Reported)
	if err != nil {
		return fmt.Errorf("compile %s: %w", month, err)
	}
	return done(s.Book.Submit(ctx, contract.MonthReport{Statement: compiled.Statement}))
}
