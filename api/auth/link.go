package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ErrLink is returned for a link that is unknown, used up or expired.
var ErrLink = errors.New("link is used up, expired or unknown")

// The purposes of a link.
const (
	invitation = "invite"
	recovery   = "recover"
)

// Link is a one-time link; its secret is known only to whom it was given.
type Link struct {
	Hash    string `gorm:"primaryKey"`
	Purpose string
	// Actor is whose account a way back in opens.
	Actor string
	// Role is what an invitation makes; empty leaves the choice.
	Role      Role
	ExpiresAt time.Time
	UsedAt    *time.Time
	CreatedAt time.Time
}

// FirstLink returns a new link that makes the first administrator, or "" when there is one. Earlier such links end.
func (s *Service) FirstLink(ctx context.Context) (string, error) {
	token, hash, err := s.newToken()
	if err != nil {
		return "", err
	}
	made := false
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var admins int64
		if err := tx.Model(&Account{}).Where("role = ?", Admin).Count(&admins).Error; err != nil || admins > 0 {
			return err
		}
		if err := tx.Where("purpose = ? AND role = ? AND used_at IS NULL", invitation, Admin).Delete(&Link{}).Error; err != nil {
			return err
		}
		made = true
		return tx.Create(s.link(hash, Link{Purpose: invitation, Role: Admin})).Error
	})
	if err != nil {
		return "", fmt.Errorf("make first link: %w", err)
	}
	if !made {
		return "", nil
	}
	return s.inviteURL(token), nil
}

// Invite returns a new invitation link and when it ends.
func (s *Service) Invite(ctx context.Context) (url string, until time.Time, err error) {
	token, l, err := s.give(ctx, Link{Purpose: invitation})
	return s.inviteURL(token), l.ExpiresAt, err
}

// Invites returns the invitations that can still be used, the newest first.
func (s *Service) Invites(ctx context.Context) ([]Link, error) {
	var links []Link
	err := s.db.Read.WithContext(ctx).Where("purpose = ? AND used_at IS NULL AND expires_at > ?", invitation, s.utc()).
		Order("created_at DESC, hash").Limit(100).Find(&links).Error
	if err != nil {
		return nil, fmt.Errorf("read invitations: %w", err)
	}
	return links, nil
}

// EndInvite ends an unused invitation; ending it twice is no error.
func (s *Service) EndInvite(ctx context.Context, hash string) error {
	err := s.db.Write.WithContext(ctx).Where("hash = ? AND purpose = ? AND used_at IS NULL", hash, invitation).Delete(&Link{}).Error
	if err != nil {
		return fmt.Errorf("end invitation: %w", err)
	}
	return nil
}

// RecoveryLink returns a link that lets the owner of the account called name set a new passphrase, and when it ends.
// It opens the account, never the seed. An earlier one for the same account ends.
func (s *Service) RecoveryLink(ctx context.Context, name string) (url string, until time.Time, err error) {
	account, err := s.ByName(ctx, name)
	if err != nil {
		return "", time.Time{}, err
	}
	token, l, err := s.give(ctx, Link{Purpose: recovery, Actor: account.Actor})
	if err != nil {
		return "", time.Time{}, err
	}
	s.log.Info("recovery link made", "name", name)
	return s.config.BaseURL + "/recover/" + token, l.ExpiresAt, nil
}

// Recoverable returns whose account the token opens, or [ErrLink]. It uses nothing up.
func (s *Service) Recoverable(ctx context.Context, token string) (Account, error) {
	link, err := s.find(s.db.Read.WithContext(ctx), recovery, token)
	if err != nil {
		return Account{}, err
	}
	return s.ByActor(ctx, link.Actor)
}

// Recover gives the account a new passphrase and logs it out everywhere. wrapped is the seed under the new passphrase;
// without it, the seed stays only under the recovery key and, when delegated, with the instance.
func (s *Service) Recover(ctx context.Context, token string, auth, wrapped Secret) (Account, error) {
	// Looked at first, so that a stranger's guess costs no hash.
	account, err := s.Recoverable(ctx, token)
	if err != nil {
		return Account{}, err
	}
	if len(auth) != AuthSize || !account.mayRewrap(wrapped) {
		return Account{}, &Refusal{"", "The request is incomplete: auth or the wrapped seed has another length."}
	}
	hash, err := s.hashes.hash(ctx, auth)
	if err != nil {
		return Account{}, fmt.Errorf("hash auth: %w", err)
	}
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		link, err := s.use(tx, recovery, token)
		if err != nil {
			return err
		}
		if account, err = accountWhere(tx, "actor = ?", link.Actor); err != nil {
			return err
		}
		account.rewrap(hash, wrapped)
		if err := tx.Save(&account).Error; err != nil {
			return fmt.Errorf("write account: %w", err)
		}
		return endSessions(tx.Where("actor = ?", account.Actor))
	})
	if err != nil {
		return Account{}, err
	}
	s.log.Info("account recovered", "name", account.Name, "seed", len(wrapped) > 0)
	return account, nil
}

func (s *Service) give(ctx context.Context, l Link) (token string, _ Link, err error) {
	token, hash, err := s.newToken()
	if err != nil {
		return "", l, err
	}
	row := s.link(hash, l)
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if l.Actor != "" {
			if err := tx.Where("purpose = ? AND actor = ? AND used_at IS NULL", l.Purpose, l.Actor).Delete(&Link{}).Error; err != nil {
				return err
			}
		}
		return tx.Create(row).Error
	})
	if err != nil {
		return "", l, fmt.Errorf("write link: %w", err)
	}
	return token, *row, nil
}

func (s *Service) link(hash string, l Link) *Link {
	now := s.utc()
	l.Hash, l.CreatedAt, l.ExpiresAt = hash, now, now.Add(s.config.LinkLife)
	return &l
}

func (s *Service) find(tx *gorm.DB, purpose, token string) (Link, error) {
	var l Link
	err := tx.Where("hash = ? AND purpose = ?", hashToken(token), purpose).Take(&l).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Link{}, ErrLink
	}
	if err != nil {
		return Link{}, fmt.Errorf("read link: %w", err)
	}
	if l.UsedAt != nil || !s.utc().Before(l.ExpiresAt) {
		return Link{}, ErrLink
	}
	return l, nil
}

// use uses a link up inside tx.
func (s *Service) use(tx *gorm.DB, purpose, token string) (Link, error) {
	l, err := s.find(tx, purpose, token)
	if err != nil {
		return Link{}, err
	}
	result := tx.Model(&Link{}).Where("hash = ? AND used_at IS NULL", l.Hash).Update("used_at", s.utc())
	if result.Error != nil {
		return Link{}, fmt.Errorf("use link: %w", result.Error)
	}
	if result.RowsAffected != 1 {
		return Link{}, ErrLink
	}
	return l, nil
}

func (s *Service) inviteURL(token string) string { return s.config.BaseURL + "/signup?invite=" + token }
