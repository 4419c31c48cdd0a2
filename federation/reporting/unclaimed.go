package reporting

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
	"antiphon/payments/royalty"
)

// unclaimedDue: a month is final, in which an artist of here has a part who may not have said where to be paid.
type unclaimedDue struct {
	Artist string        `json:"artist"`
	Month  royalty.Month `json:"month"`
}

// Kind names the job.
func (unclaimedDue) Kind() string { return "tell_unclaimed" }

// Options let an artist be told once a month, however many instances owe something.
func (unclaimedDue) Options() jobs.Options { return jobs.Options{Once: true} }

// tellUnclaimed tells an artist of here who has not said where to be paid that there is something to be claimed.
func (s *Service) tellUnclaimed(ctx context.Context, j unclaimedDue) error {
	if s.Tell == nil {
		return nil
	}
	owing, err := s.OwedTo(ctx, j.Artist)
	if err != nil {
		return err
	}
	var until time.Time
	for _, o := range owing {
		if !o.Until.IsZero() && (until.IsZero() || o.Until.Before(until)) {
			until = o.Until
		}
	}
	if until.IsZero() {
		return nil
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.Tell(ctx, tx, j.Artist, fmt.Sprintf("The listening pool owes you money for %s, and you have not said where to send it. Say so on the page of your statements; "+
			"what nobody has claimed by %s goes to all artists.", j.Month.Start().Format("January 2006"), until.Format("2 January 2006")))
	})
}
