package moderation

import (
	"context"

	"gorm.io/gorm"
)

// LetIn lets the actor of an account that was approved be met, inside the transaction that approves it.
func (s *Service) LetIn(ctx context.Context, tx *gorm.DB, admin, actor string) error {
	if err := s.Actors.SetUnlisted(ctx, tx, actor, false); err != nil {
		return err
	}
	return Record(ctx, tx, admin, "let in", actor, "", s.Now())
}

// TurnAway removes the actor of an account that was not approved, inside the transaction that removes it.
func (s *Service) TurnAway(ctx context.Context, tx *gorm.DB, admin, actor, why string) error {
	if err := s.Actors.DropUnlisted(ctx, tx, actor); err != nil {
		return err
	}
	return Record(ctx, tx, admin, "turn away", actor, why, s.Now())
}

// RecordStanding writes down that an account was suspended, or opened again, inside the transaction that does it.
func (s *Service) RecordStanding(ctx context.Context, tx *gorm.DB, admin, act, actor, why string) error {
	why, err := reason(why)
	if err != nil {
		return err
	}
	return Record(ctx, tx, admin, act, actor, why, s.Now())
}
