package auth

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// ErrNoSeed is returned when the instance does not hold the listener's seed.
var ErrNoSeed = errors.New("the instance does not hold this seed")

// PassphraseChange is a new passphrase, as the browser sends it.
type PassphraseChange struct {
	Auth    Secret `json:"auth"`
	NewAuth Secret `json:"newAuth"`
	// Wrapped is the seed under the new passphrase, its version one more than before; empty when the account has no
	// wrapped seed.
	Wrapped Secret `json:"wrapped"`
}

// ChangePassphrase checks the old passphrase, sets the new one and logs out every session but keep.
func (s *Service) ChangePassphrase(ctx context.Context, actor string, c PassphraseChange, keep string) error {
	account, err := s.ByActor(ctx, actor)
	if err != nil {
		return err
	}
	if len(c.NewAuth) != AuthSize {
		return &Refusal{"", "The request is incomplete: the new auth has another length than 32 bytes."}
	}
	if !account.mayRewrap(c.Wrapped) || len(account.WrappedSeed) > 0 && len(c.Wrapped) == 0 {
		return &Refusal{"", "The request is incomplete: the wrapped seed has another length than 72 bytes."}
	}
	if err := s.prove(ctx, account, c.Auth); err != nil {
		return err
	}
	hash, err := s.hashes.hash(ctx, c.NewAuth)
	if err != nil {
		return fmt.Errorf("hash auth: %w", err)
	}
	return s.change(ctx, account, func(a *Account) { a.rewrap(hash, c.Wrapped) }, func(tx *gorm.DB) error {
		return endSessions(tx.Where("actor = ? AND id <> ?", actor, keep))
	})
}

// CustodyChange says who is to keep the key from now on, and hands it over.
type CustodyChange struct {
	Custody Custody `json:"custody"`
	Auth    Secret  `json:"auth"`
	// Wrapped and Recovery are as in [Application]; Wrapped has a version of one more than before.
	Wrapped  Secret `json:"wrapped"`
	Recovery Secret `json:"recovery"`
}

// SetCustody checks the passphrase and changes who keeps the key. To Own, the instance deletes its copy of the seed;
// that no other copy was made cannot be proven.
func (s *Service) SetCustody(ctx context.Context, actor string, c CustodyChange) error {
	account, err := s.ByActor(ctx, actor)
	if err != nil {
		return err
	}
	if err := checkCustody(c.Custody, c.Wrapped, c.Recovery); err != nil {
		return err
	}
	if err := s.prove(ctx, account, c.Auth); err != nil {
		return err
	}
	keep, err := s.keep(actor, c.Custody, c.Wrapped, c.Recovery)
	if err != nil {
		return err
	}
	err = s.change(ctx, account, func(a *Account) {
		keep(a)
		a.Version++
	}, func(*gorm.DB) error { return nil })
	if err == nil {
		s.log.Info("custody changed", "name", account.Name, "custody", c.Custody)
	}
	return err
}

func checkCustody(c Custody, wrapped, recovery Secret) error {
	switch {
	case c != Own && c != Delegated:
		return &Refusal{"custody", "Please choose who keeps the key."}
	case c == Own && (len(wrapped) != WrappedSize || len(recovery) != WrappedSize):
		return &Refusal{"", "The request is incomplete: the wrapped seed has another length than 72 bytes."}
	case c == Delegated && (len(wrapped) != SeedSize || len(recovery) != 0):
		return &Refusal{"", "The request is incomplete: the seed has another length than 32 bytes."}
	}
	return nil
}

// keep returns what puts the seed, handed over and checked, in its place; what was there goes.
func (s *Service) keep(actor string, c Custody, wrapped, recovery Secret) (func(*Account), error) {
	if c == Own {
		return func(a *Account) { a.Custody, a.WrappedSeed, a.Recovery, a.SealedSeed = c, wrapped, recovery, nil }, nil
	}
	sealed, err := s.vault.Seal(seedPlace(actor), wrapped)
	if err != nil {
		return nil, fmt.Errorf("seal seed: %w", err)
	}
	return func(a *Account) { a.Custody, a.WrappedSeed, a.Recovery, a.SealedSeed = c, Secret{}, Secret{}, sealed }, nil
}

// Seed opens the seed of a delegated account, or returns [ErrNoSeed].
func (s *Service) Seed(a Account) (Secret, error) {
	if a.Custody != Delegated || len(a.SealedSeed) == 0 {
		return nil, ErrNoSeed
	}
	seed, err := s.vault.Open(seedPlace(a.Actor), a.SealedSeed)
	if err != nil {
		return nil, fmt.Errorf("open seed of %s: %w", a.Name, err)
	}
	return seed, nil
}

// change writes what fn does to the account, unless somebody else has changed it since it was read.
func (s *Service) change(ctx context.Context, read Account, fn func(*Account), also func(tx *gorm.DB) error) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		now, err := accountWhere(tx, "actor = ?", read.Actor)
		if err != nil {
			return err
		}
		if now.AuthHash != read.AuthHash || now.Version != read.Version || now.Custody != read.Custody {
			return &Refusal{"", "The account was changed elsewhere at the same time. Load the page again and retry."}
		}
		fn(&now)
		if err := tx.Save(&now).Error; err != nil {
			return fmt.Errorf("write account: %w", err)
		}
		return also(tx)
	})
}

// mayRewrap reports whether wrapped can stand for the account's seed: 72 bytes where the listener keeps it, or nothing.
func (a *Account) mayRewrap(wrapped Secret) bool {
	return len(wrapped) == 0 || a.Custody == Own && len(wrapped) == WrappedSize
}

// rewrap puts a new passphrase's hash and wrapping in place; the version counts wrappings.
func (a *Account) rewrap(hash string, wrapped Secret) {
	a.AuthHash, a.WrappedSeed = hash, append(Secret{}, wrapped...)
	if len(wrapped) > 0 {
		a.Version++
	}
}
