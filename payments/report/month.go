package report

import (
	"context"
	"encoding/hex"
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

// splitRow is a row of report_splits.
type splitRow struct {
	Month             royalty.Month
	Stage             Stage
	N                 int64
	Pseudonym, Artist string
	Micro             royalty.Micro
}

func (splitRow) TableName() string { return "report_splits" }

// totalRow is a row of report_totals.
type totalRow struct {
	Month  royalty.Month
	Stage  Stage
	Artist string
	Micro  royalty.Micro
}

func (totalRow) TableName() string { return "report_totals" }

// carryRow is a row of report_carries.
type carryRow struct {
	Month    royalty.Month `gorm:"primaryKey"`
	Listener string        `gorm:"primaryKey"`
	Micro    royalty.Micro
	Months   int
}

func (carryRow) TableName() string { return "report_carries" }

// PayersOf are those who paid a node for a month, as a ledger has them. They are read at once, 16 bytes each.
func PayersOf(ctx context.Context, r contract.Reader, month royalty.Month, node string) (iter.Seq2[string, error], error) {
	var all [][16]byte
	err := contract.Payers(ctx, r, month, node, func(name string) error {
		raw, err := hex.DecodeString(name)
		if err != nil || len(raw) != 16 {
			return fmt.Errorf("payer %.40q on the ledger", name)
		}
		all = append(all, [16]byte(raw))
		return nil
	})
	return func(yield func(string, error) bool) {
		for _, p := range all {
			if !yield(hex.EncodeToString(p[:]), nil) {
				return
			}
		}
	}, err
}

// Days are a node's reports of a month's days, as a ledger has them.
func Days(ctx context.Context, r contract.Reader, month royalty.Month, node string) ([]contract.Day, error) {
	var days []contract.Day
	err := contract.Days(ctx, r, month, node, func(d contract.Day) error { days = append(days, d); return nil })
	return days, err
}

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
	var row monthRow
	err := s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ?", month, Reported).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Month{}, fmt.Errorf("%w: %s is not reported", ErrUnknown, month)
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

// carried is what was left of earlier months, by this month's pseudonyms.
func (s *Service) carried(ctx context.Context, month royalty.Month) (map[string]Carry, error) {
	out := map[string]Carry{}
	var rows []carryRow
	if err := s.DB.Read.WithContext(ctx).Where("month = ?", month).Find(&rows).Error; err != nil || len(rows) == 0 {
		return out, wrap("read what was carried", err)
	}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, r := range rows {
			name, err := s.Pseudonyms.Of(ctx, tx, month, r.Listener)
			if err != nil {
				return err
			}
			out[name] = Carry{r.Micro, r.Months}
		}
		return nil
	})
	return out, err
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

// StateFinal makes the final statement of a reported month, when disputes are settled: with what was decided and ruled.
// What nobody has decided on by then is paid: the listener's doubt is the artist's benefit. It may be called again.
func (s *Service) StateFinal(ctx context.Context, month royalty.Month) error {
	if _, err := contract.Finally(ctx, s.Book, month, s.config.Node); err == nil || !errors.Is(err, contract.ErrUnknown) {
		return err
	}
	settled, err := contract.SettledAt(ctx, s.Book, month, s.config.Node)
	if err != nil {
		return err
	}
	if s.Now().Before(settled) {
		return fmt.Errorf("%w: disputes of %s are settled by %s", ErrNotYet, month, settled)
	}
	err = s.DB.Write.WithContext(ctx).Model(&Decision{}).Where("month = ? AND state = ?", month, Held).
		Updates(map[string]any{"state": Paid, "decided_by": "time", "updated_at": s.Now().UTC()}).Error
	if err != nil {
		return wrap("decide by time", err)
	}
	m, err := s.Month(ctx, month)
	if err != nil {
		return err
	}
	if err := s.applyRulings(ctx, &m); err != nil {
		return err
	}
	compiled, carries, err := s.compile(ctx, m, Final)
	if err != nil {
		return fmt.Errorf("compile %s: %w", month, err)
	}
	// Whoever is killed in between comes here again: what is carried is read when the next month is reported.
	if err := s.carryOn(ctx, compiled.Statement, carries); err != nil {
		return err
	}
	return done(s.Book.Submit(ctx, contract.FinalStatement{Statement: compiled.Statement}))
}

// applyRulings leaves out of a month what was ruled on, by the same code that those have used who ruled.
func (s *Service) applyRulings(ctx context.Context, m *Month) error {
	var excludes []func(day string, l royalty.Line) bool
	m.Withheld = map[string]royalty.Micro{}
	err := contract.Disputes(ctx, s.Book, m.Month, s.config.Node, func(d contract.Dispute) error {
		switch {
		case d.State == contract.Withheld:
			m.Withheld[d.Artist] = d.Slice
		case d.State != contract.Final:
			return fmt.Errorf("%w: dispute %s is %s", ErrNotYet, d.ID, d.State)
		case d.Ruling.Verdict == contract.Keep:
		case d.Ruling.Root == "":
			// Nothing was proved of the slice.
			artist := d.Artist
			excludes = append(excludes, func(_ string, l royalty.Line) bool { return contract.Digest("payee", l.Artist) == artist })
		default:
			exclude, err := m.Doubtful(d.Artist)
			if err != nil {
				return err
			}
			excludes = append(excludes, exclude)
			m.Tolerant = true
		}
		return nil
	})
	if err == nil && len(excludes) > 0 {
		m.Exclude = func(day string, l royalty.Line) bool {
			for _, exclude := range excludes {
				if exclude(day, l) {
					return true
				}
			}
			return false
		}
	}
	return err
}

// compile compiles a month and keeps what came out, in the place of what an interrupted call has left.
func (s *Service) compile(ctx context.Context, m Month, stage Stage) (Compiled, []royalty.Listener, error) {
	for _, table := range []any{&splitRow{}, &totalRow{}, &monthRow{}} {
		if err := s.DB.Write.WithContext(ctx).Where("month = ? AND stage = ?", m.Month, stage).Delete(table).Error; err != nil {
			return Compiled{}, nil, wrap("clear month", err)
		}
	}
	var carries []royalty.Listener
	page := make([]splitRow, 0, pageLines)
	var n int64
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.CreateInBatches(page, pageLines/4).Error })
		page = page[:0]
		return wrap("write splits", err)
	}
	compiled, err := m.Compile(func(l royalty.SplitLine) error {
		page = append(page, splitRow{m.Month, stage, n, l.Pseudonym, l.Artist, l.Micro})
		n++
		if len(page) < cap(page) {
			return nil
		}
		return flush()
	}, func(l royalty.Listener) error { carries = append(carries, l); return nil })
	if err == nil {
		err = flush()
	}
	if err != nil {
		return Compiled{}, nil, err
	}
	text, err := json.Marshal(compiled.Statement)
	if err != nil {
		return Compiled{}, nil, err
	}
	now, err := s.chosen(ctx, m.Month)
	if err != nil {
		return Compiled{}, nil, err
	}
	chosen, err := json.Marshal(now)
	if err != nil {
		return Compiled{}, nil, err
	}
	totals := make([]totalRow, 0, len(compiled.Artists))
	for artist, micro := range compiled.Artists {
		totals = append(totals, totalRow{m.Month, stage, artist, micro})
	}
	err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.CreateInBatches(totals, pageLines/4).Error; err != nil {
			return err
		}
		return tx.Create(&monthRow{m.Month, stage, string(text), string(chosen), s.Now().UTC()}).Error
	})
	return compiled, carries, wrap("write month", err)
}

// fund is who has what could not be divided among artists because there were none.
const fund = "fund"

// carryOn writes what is left of listeners for the next month, under their own names: the next month's pseudonyms are
// others.
func (s *Service) carryOn(ctx context.Context, st contract.Statement, left []royalty.Listener) error {
	month := st.Month
	byName := map[string]royalty.Listener{}
	rest := st.CarryOut
	for _, l := range left {
		byName[l.Pseudonym] = l
		rest -= l.Carried
	}
	var listeners []string
	if len(left) > 0 {
		err := s.Members.Members(ctx, month, func(listener string) error { listeners = append(listeners, listener); return nil })
		if err != nil {
			return err
		}
	}
	var before []carryRow
	if err := s.DB.Read.WithContext(ctx).Where("month = ?", month).Find(&before).Error; err != nil {
		return wrap("read what was carried", err)
	}
	for _, r := range before {
		listeners = append(listeners, r.Listener)
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Where("month = ?", month.Next()).Delete(&carryRow{}).Error; err != nil {
			return wrap("clear what is carried", err)
		}
		var rows []carryRow
		if rest > 0 {
			rows = append(rows, carryRow{month.Next(), fund, rest, maxCarry})
		}
		for _, listener := range listeners {
			name, err := s.Pseudonyms.Of(ctx, tx, month, listener)
			if err != nil {
				return err
			}
			if l, ok := byName[name]; ok {
				rows = append(rows, carryRow{month.Next(), listener, l.Carried, l.Months})
				delete(byName, name)
			}
		}
		if len(byName) > 0 {
			return fmt.Errorf("%w: %d listeners with something left are no members", ErrUnknown, len(byName))
		}
		return wrap("write what is carried", tx.CreateInBatches(rows, pageLines/4).Error)
	})
}

// maxCarry is for how many months nothing is ever carried.
const maxCarry = 1200

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
