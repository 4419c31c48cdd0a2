package account

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/federation/reporting"
	"antiphon/internal/jobs"
	"antiphon/media/access"
	"antiphon/media/listen"
	"antiphon/payments/pool"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
	"antiphon/payments/subscription"
	"antiphon/vocab"
)

// farewellBatch is how many inboxes are told in one transaction.
const farewellBatch = 50

// farewell is the job that tells every server that is known that a local actor is gone, and then tidies up. Inboxes after
// After are still to be told.
type farewell struct {
	Actor string `json:"actor"`
	After string `json:"after,omitempty"`
}

// Kind names the job.
func (farewell) Kind() string { return "farewell" }

// Options make the job one of its kind, until a day after it has ended.
func (farewell) Options() jobs.Options { return jobs.Options{Once: true} }

// Leave deletes a local actor inside tx, with what it knows about others; the rest, and telling everybody, is done by
// jobs. Records of sales stay, without the profile, and those of the pool under the pseudonyms of its months. What the actor bought is gone for good, and nothing is sold or paid
// for in its name any more.
func (s *Service) Leave(ctx context.Context, tx *gorm.DB, uri string) error {
	if err := s.Actors.Delete(ctx, tx, uri); err != nil {
		return err
	}
	err := errors.Join(
		actor.DropFollows(ctx, tx, []string{uri}),
		outbox.RemovePostsOf(ctx, tx, uri),
		access.ForgetLibrary(ctx, tx, uri),
		moderation.Forget(ctx, tx, uri),
		access.CloseAll(ctx, tx, uri, s.utc()),
		subscription.Leave(ctx, tx, uri),
		reporting.Leave(ctx, tx, uri),
		s.keepBooks(ctx, tx, uri),
		tx.Where("import IN (?)", tx.Model(&Import{}).Select("id").Where("owner = ?", uri)).Delete(&Line{}).Error,
		tx.Where("owner = ?", uri).Delete(&Import{}).Error,
	)
	if err != nil {
		return fmt.Errorf("delete account of %s: %w", uri, err)
	}
	return s.Jobs.Insert(ctx, tx, farewell{Actor: uri})
}

// keepBooks leaves in the books of the pool what others are owed a part of, without the name.
func (s *Service) keepBooks(ctx context.Context, tx *gorm.DB, uri string) error {
	paid, err := pool.Leave(ctx, tx, s.Names, uri, s.Now())
	if err != nil {
		return err
	}
	open := map[string]string{}
	last := royalty.MonthOf(royalty.MonthOf(s.Now()).Start().AddDate(0, -1, 0))
	for month, name := range paid {
		if month >= last {
			open[string(month)] = name
		}
	}
	return errors.Join(listen.Leave(ctx, tx, uri, open), report.Leave(ctx, tx, s.Names, uri))
}

// farewell tells some inboxes, and leaves the others to the next job.
func (s *Service) farewell(ctx context.Context, job farewell, _ int) error {
	uris, last, err := actor.Inboxes(ctx, s.DB.Read, job.After, farewellBatch)
	if err != nil {
		return err
	}
	raw, err := outbox.Compose(vocab.Activity{
		ID: job.Actor + "#delete", Type: vocab.VerbDelete, Actor: job.Actor, Object: vocab.Ref{ID: job.Actor}, To: []string{vocab.Public},
	})
	if err != nil {
		return err
	}
	if len(uris) < farewellBatch {
		if err := s.tidy(ctx, job.Actor); err != nil {
			return err
		}
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.Outbox.Send(ctx, tx, outbox.Activity{From: job.Actor, To: uris, Raw: raw, Public: true}); err != nil {
			return err
		}
		if len(uris) < farewellBatch {
			return outbox.WithdrawAllOf(ctx, tx, job.Actor, s.utc())
		}
		return s.Jobs.Insert(ctx, tx, farewell{Actor: job.Actor, After: last})
	})
}

// tidy removes files.
func (s *Service) tidy(ctx context.Context, uri string) error {
	if s.Tracks != nil {
		if err := s.Tracks.Leave(ctx, uri); err != nil {
			return err
		}
	}
	var archives []Archive
	if err := s.DB.Read.WithContext(ctx).Where("owner = ?", uri).Find(&archives).Error; err != nil {
		return fmt.Errorf("read archives of %s: %w", uri, err)
	}
	for _, a := range archives {
		if err := os.Remove(s.path(a.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete archive: %w", err)
		}
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.Where("owner = ?", uri).Delete(&Archive{}).Error })
}
