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
	// Wrapped is the seed under the new passphrase, its version one more than before. It may be empty when the account
	// has no wrapped seed or its custody is delegated.
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
	needed := len(account.WrappedSeed) > 0 && account.Custody == Own
	if len(c.Wrapped) != WrappedSize && (needed || len(c.Wrapped) != 0) {
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

// CustodyChange says who is to keep the key from now on.
type CustodyChange struct {
	Custody Custody `json:"custody"`
	Auth    Secret  `json:"auth"`
	// Seed is handed over for delegated custody, and only then.
	Seed Secret `json:"seed"`
	// Wrapped is the seed under the passphrase, its version one more than before: needed for own custody when the
	// account has none.
	Wrapped Secret `json:"wrapped"`
}

// SetCustody checks the passphrase and changes who keeps the key. To Own, the instance deletes its copy of the seed;
// that no other copy was made cannot be proven.
func (s *Service) SetCustody(ctx context.Context, actor string, c CustodyChange) error {
	account, err := s.ByActor(ctx, actor)
	if err != nil {
		return err
	}
	var sealed Secret
	switch {
	case c.Custody == Delegated && len(c.Seed) != SeedSize:
		return &Refusal{"custody", "To let this server keep the key, the browser must have it. Log in again and retry."}
	case c.Custody == Own && len(c.Seed) != 0:
		return &Refusal{"custody", "With your own custody the seed stays with you, and it was sent."}
	case c.Custody == Own && len(account.WrappedSeed) == 0 && len(c.Wrapped) == 0:
		return &Refusal{"custody", "Your browser does not have the key yet. Log in again and retry."}
	case c.Custody != Own && c.Custody != Delegated:
		return &Refusal{"custody", "Please choose who keeps the key."}
	case len(c.Wrapped) != 0 && len(c.Wrapped) != WrappedSize:
		return &Refusal{"", "The request is incomplete: the wrapped seed has another length than 72 bytes."}
	}
	if err := s.prove(ctx, account, c.Auth); err != nil {
		return err
	}
	if c.Custody == Delegated {
		if sealed, err = s.vault.Seal(seedPlace(actor), c.Seed); err != nil {
			return fmt.Errorf("seal seed: %w", err)
		}
	}
	err = s.change(ctx, account, func(a *Account) {
		a.Custody, a.SealedSeed = c.Custody, sealed
		if len(c.Wrapped) > 0 {
			a.rewrap(a.AuthHash, c.Wrapped)
		}
	}, func(*gorm.DB) error { return nil })
	if err == nil {
		s.log.Info("custody changed", "name", account.Name, "custody", c.Custody)
	}
	return err
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

// rewrap puts a new passphrase's hash and wrapping in place; the version counts wrappings.
func (a *Account) rewrap(hash string, wrapped Secret) {
	a.AuthHash, a.WrappedSeed = hash, append(Secret{}, wrapped...)
	if len(wrapped) > 0 {
		a.Version++
	}
}
