package report

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// The jobs. Try counts the days on which a job was due: one that has failed for a whole day is there again on the next.
type (
	// DayDue: a day is over and has to be reported.
	DayDue struct {
		Day string `json:"day"`
		Try int    `json:"try"`
	}
	// MonthDue: a month is over and has to be reported.
	MonthDue struct {
		Month royalty.Month `json:"month"`
		Try   int           `json:"try"`
	}
	// FinalDue: the disputes of a month are settled and its final statement has to be made.
	FinalDue struct {
		Month royalty.Month `json:"month"`
		Try   int           `json:"try"`
	}
	// PayoutsDue: it is time to list who is paid.
	PayoutsDue struct {
		Month royalty.Month `json:"month"`
		Try   int           `json:"try"`
	}
	// LapsesDue: payouts are listed, and it is time to look for what nobody has claimed.
	LapsesDue struct {
		Month royalty.Month `json:"month"`
		Try   int           `json:"try"`
	}
	// CorrectionDue: a payment for a month that is final was charged back.
	CorrectionDue struct {
		Month     royalty.Month `json:"month"`
		Pseudonym string        `json:"pseudonym"`
		Try       int           `json:"try"`
	}
	// RulingDue: a dispute is decided that a final statement has withheld a slice for.
	RulingDue struct {
		Dispute string `json:"dispute"`
		Try     int    `json:"try"`
	}
)

// Kind names the job.
func (DayDue) Kind() string { return "report_day" }

// Options let a day be due once.
func (DayDue) Options() jobs.Options { return jobs.Options{Once: true} }

// Kind names the job.
func (MonthDue) Kind() string { return "report_month" }

// Options let a month be due once.
func (MonthDue) Options() jobs.Options { return jobs.Options{Once: true} }

// Kind names the job.
func (FinalDue) Kind() string { return "state_final" }

// Options let a month be due once.
func (FinalDue) Options() jobs.Options { return jobs.Options{Once: true} }

// Kind names the job.
func (PayoutsDue) Kind() string { return "list_payouts" }

// Options let a month be due once.
func (PayoutsDue) Options() jobs.Options { return jobs.Options{Once: true} }

// Kind names the job.
func (LapsesDue) Kind() string { return "lapse_unclaimed" }

// Options let a month be due once.
func (LapsesDue) Options() jobs.Options { return jobs.Options{Once: true} }

// Kind names the job.
func (CorrectionDue) Kind() string { return "correct_chargeback" }

// Options let a correction be due once.
func (CorrectionDue) Options() jobs.Options { return jobs.Options{Once: true} }

// Kind names the job.
func (RulingDue) Kind() string { return "correct_dispute" }

// Options let a ruling be due once.
func (RulingDue) Options() jobs.Options { return jobs.Options{Once: true} }

const (
	// monthFrom and payoutsFrom are the days of the next month from which a month is reported and paid.
	monthFrom, payoutsFrom = 4, 25
	// monthsBack is how many months are looked at for something that is still to be done.
	monthsBack = 4
	// reportTime bounds a job: a month of a million listeners takes a minute.
	reportTime = 30 * time.Minute
)

// Register registers the workers, and the loop that sees what is due.
func (s *Service) Register(q *jobs.Queue) {
	handle(q, func(ctx context.Context, j DayDue) error {
		day, err := time.Parse(time.DateOnly, j.Day)
		if err != nil {
			return jobs.Cancel(err)
		}
		if err := s.ReportDay(ctx, day); err != nil {
			return err
		}
		return s.Tick(ctx) // the next one may be due as well
	})
	handle(q, func(ctx context.Context, j MonthDue) error { return s.ReportMonth(ctx, j.Month) })
	handle(q, func(ctx context.Context, j FinalDue) error { return s.StateFinal(ctx, j.Month) })
	handle(q, func(ctx context.Context, j PayoutsDue) error { return s.ListPayouts(ctx, j.Month) })
	handle(q, func(ctx context.Context, j LapsesDue) error { return s.LapseUnclaimed(ctx, j.Month) })
	handle(q, func(ctx context.Context, j CorrectionDue) error {
		return later(s.CorrectChargeback(ctx, j.Month, j.Pseudonym))
	})
	handle(q, func(ctx context.Context, j RulingDue) error { return later(s.CorrectDispute(ctx, j.Dispute)) })
	q.Loop(func(ctx context.Context) {
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			if err := s.Tick(ctx); err != nil && ctx.Err() == nil {
				s.Log.Error("reports not looked at", "error", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// later puts off what cannot be done before something else is.
func later(err error) error {
	if errors.Is(err, ErrNotYet) {
		return jobs.Later(time.Hour)
	}
	return err
}

func handle[T jobs.Args](q *jobs.Queue, work func(ctx context.Context, j T) error) {
	jobs.Handle(q, jobs.Handler[T]{
		Work:    func(ctx context.Context, j T, _ int) error { return work(ctx, j) },
		Timeout: reportTime,
		Retry:   func(attempt int) time.Duration { return min(time.Second<<min(attempt, 12), time.Hour) },
	})
}

// Tick queues what is due by the clock and not on the ledger yet. It may be called as often as one likes. Days are
// reported in their order, so only the first one that is missing is queued until it is there.
func (s *Service) Tick(ctx context.Context) error {
	due, err := s.Due(ctx)
	if err != nil || len(due) == 0 {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, j := range due {
			if err := s.Jobs.Insert(ctx, tx, j); err != nil {
				return err
			}
		}
		return nil
	})
}

// Due is what is to be done now.
func (s *Service) Due(ctx context.Context) ([]jobs.Args, error) {
	now := s.Now().UTC()
	var due []jobs.Args
	this := royalty.MonthOf(now)
	for back := monthsBack; back >= 0; back-- {
		month := royalty.MonthOf(this.Start().AddDate(0, -back, 0))
		if _, err := contract.PolicyFor(ctx, s.Book, month); errors.Is(err, contract.ErrUnknown) {
			continue
		} else if err != nil {
			return nil, err
		}
		day, err := s.missing(ctx, month, now)
		if err != nil {
			return nil, err
		}
		if !day.IsZero() {
			due = append(due, DayDue{day.Format(time.DateOnly), tries(now, day.AddDate(0, 0, 1))})
			break
		}
		next := month.Next()
		if now.Before(next.Day(monthFrom)) {
			continue
		}
		more, err := s.dueOf(ctx, month, now)
		if err != nil {
			return nil, err
		}
		due = append(due, more...)
	}
	more, err := s.mending(ctx)
	return append(due, more...), err
}

// dueOf is what is due of a month whose days are reported.
func (s *Service) dueOf(ctx context.Context, month royalty.Month, now time.Time) ([]jobs.Args, error) {
	next := month.Next()
	settled, err := contract.SettledAt(ctx, s.Book, month, s.config.Node)
	if errors.Is(err, contract.ErrUnknown) {
		return []jobs.Args{MonthDue{month, tries(now, next.Day(monthFrom))}}, nil
	}
	if err != nil || now.Before(settled) {
		return nil, err
	}
	_, err = contract.Finally(ctx, s.Book, month, s.config.Node)
	if errors.Is(err, contract.ErrUnknown) {
		return []jobs.Args{FinalDue{month, tries(now, settled)}}, nil
	}
	if err != nil || now.Before(next.Day(payoutsFrom)) {
		return nil, err
	}
	try := tries(now, next.Day(payoutsFrom))
	listed, err := s.noted(ctx, listName(month))
	if err != nil || !listed {
		return []jobs.Args{PayoutsDue{month, try}}, err
	}
	lapsed, err := s.noted(ctx, lapseName(month))
	if err != nil || lapsed {
		return nil, err
	}
	if last, open, err := contract.CanLapse(ctx, s.Book, s.config.Node); err != nil || !open || last != month {
		return nil, err
	}
	return []jobs.Args{LapsesDue{month, try}}, nil
}

// missing is the first day of a month that is over, can still be reported, and was not; the zero time when there is none.
func (s *Service) missing(ctx context.Context, month royalty.Month, now time.Time) (time.Time, error) {
	next := month.Next()
	if !now.Before(next.Day(monthFrom)) {
		return time.Time{}, nil
	}
	last, _, err := contract.LastDay(ctx, s.Book, s.config.Node)
	if err != nil {
		return time.Time{}, err
	}
	for at := month.Start(); at.Before(next.Start()); at = at.AddDate(0, 0, 1) {
		if now.Before(at.AddDate(0, 0, 1).Add(s.config.Pause)) {
			break
		}
		if at.Format(time.DateOnly) > last {
			return at, nil
		}
	}
	return time.Time{}, nil
}

func tries(now, from time.Time) int { return max(0, int(now.Sub(from)/(24*time.Hour))) }
