package auth

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// Standing says whether an account may be used.
type Standing string

// Active accounts are used. Pending ones wait for an admin's yes; Suspended ones were closed by an admin.
const (
	Active    Standing = "active"
	Pending   Standing = "pending"
	Suspended Standing = "suspended"
)

var (
	// ErrPending is returned for the log-in of an account that waits for an admin's yes.
	ErrPending = errors.New("the account waits for approval")
	// ErrSuspended is returned for the log-in of an account that an admin closed.
	ErrSuspended = errors.New("the account is suspended")
	// ErrLastAdmin is returned for what would leave the instance without an admin.
	ErrLastAdmin = errors.New("this is the last admin")
)

// standing is the error for an account that may not be used, or nil.
func (a Account) standing() error {
	switch a.State {
	case Pending:
		return ErrPending
	case Suspended:
		return ErrSuspended
	}
	return nil
}

// Waiting returns the accounts that wait for an admin's yes, those who came first before the others, and how many.
func (s *Service) Waiting(ctx context.Context, offset, limit int) ([]Account, int64, error) {
	q := s.db.Read.WithContext(ctx).Where("state = ?", Pending)
	var total int64
	if err := q.Session(&gorm.Session{}).Model(&Account{}).Count(&total).Error; err != nil {
		return nil, 0, fmt.Errorf("count accounts: %w", err)
	}
	var rows []Account
	if err := q.Session(&gorm.Session{}).Order("created_at, name").Offset(offset).Limit(limit).Find(&rows).Error; err != nil {
		return nil, 0, fmt.Errorf("read accounts: %w", err)
	}
	return rows, total, nil
}

// SetStanding makes an account of one standing one of another, for why, with also in the same transaction; an account
// that is not in the standing from is [ErrNotFound]. A suspended account is logged out everywhere.
func (s *Service) SetStanding(ctx context.Context, name string, from, to Standing, why string, also func(ctx context.Context, tx *gorm.DB, a Account) error) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		a, err := accountWhere(tx.Where("state = ?", from), "name = ?", name)
		if err != nil {
			return err
		}
		if to == Suspended {
			if err := s.notLast(tx, a); err != nil {
				return err
			}
			if err := endSessions(tx.Where("actor = ?", a.Actor)); err != nil {
				return err
			}
		}
		if err := tx.Model(&a).Updates(map[string]any{"state": to, "reason": why}).Error; err != nil {
			return fmt.Errorf("write account %s: %w", name, err)
		}
		a.State, a.Reason = to, why
		return also(ctx, tx, a)
	})
}

// TurnAway removes an account that waits for approval, with also in the same transaction.
func (s *Service) TurnAway(ctx context.Context, name string, also func(ctx context.Context, tx *gorm.DB, a Account) error) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		a, err := accountWhere(tx.Where("state = ?", Pending), "name = ?", name)
		if err != nil {
			return err
		}
		if err := s.remove(tx, a); err != nil {
			return err
		}
		return also(ctx, tx, a)
	})
}

// Delete removes an account whose owner proves the passphrase, with also in the same transaction. Its seeds go with it.
func (s *Service) Delete(ctx context.Context, actor string, auth Secret, also func(ctx context.Context, tx *gorm.DB) error) error {
	account, err := s.ByActor(ctx, actor)
	if err != nil {
		return err
	}
	if err := s.prove(ctx, account, auth); err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.notLast(tx, account); err != nil {
			return err
		}
		if err := s.remove(tx, account); err != nil {
			return err
		}
		return also(ctx, tx)
	})
	if err == nil {
		s.log.Info("account deleted", "name", account.Name)
	}
	return err
}

func (s *Service) remove(tx *gorm.DB, a Account) error {
	err := errors.Join(
		endSessions(tx.Where("actor = ?", a.Actor)),
		tx.Where("actor = ?", a.Actor).Delete(&Link{}).Error,
		tx.Where("actor = ?", a.Actor).Delete(&Account{}).Error,
	)
	if err != nil {
		return fmt.Errorf("remove account %s: %w", a.Name, err)
	}
	return nil
}

// notLast refuses to take the last admin away.
func (s *Service) notLast(tx *gorm.DB, a Account) error {
	if a.Role != Admin {
		return nil
	}
	var others int64
	err := tx.Model(&Account{}).Where("role = ? AND state = ? AND actor <> ?", Admin, Active, a.Actor).Count(&others).Error
	if err != nil {
		return fmt.Errorf("count admins: %w", err)
	}
	if others == 0 {
		return ErrLastAdmin
	}
	return nil
}
