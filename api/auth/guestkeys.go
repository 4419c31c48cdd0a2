package auth

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// GuestKeys are the public halves of a guest's keys, which are published nowhere, and the seed under the recovery key.
type GuestKeys struct {
	ReceivingKey  string `json:"receivingKey"`
	RequestingKey string `json:"requestingKey"`
	Recovery      Secret `json:"recovery"`
}

// KeysOfGuest returns a guest's keys; those of one who has made none yet are empty. [ErrNotFound] is no guest.
func (s *Service) KeysOfGuest(ctx context.Context, actor string) (GuestKeys, error) {
	g, err := guestWhere(s.db.Read.WithContext(ctx), actor)
	return GuestKeys{g.ReceivingKey, g.RequestingKey, g.Recovery}, err
}

// SetGuestKeys keeps the keys that a guest's browser made, once: who can read the guest's messages could otherwise put
// own keys in their place. Keys that are there already are a [*Refusal], unless they are the same.
func (s *Service) SetGuestKeys(ctx context.Context, actor string, k GuestKeys) error {
	if len(k.Recovery) != WrappedSize {
		return &Refusal{"", "The request is incomplete: the wrapped seed has another length than 72 bytes."}
	}
	a := Application{ReceivingKey: k.ReceivingKey, RequestingKey: k.RequestingKey}
	if err := a.checkKeys(); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		result := tx.Model(&guestRow{}).Where("actor = ? AND receiving_key = '' AND account = ''", actor).Updates(map[string]any{
			"receiving_key": k.ReceivingKey, "requesting_key": k.RequestingKey, "recovery": k.Recovery,
		})
		if result.Error != nil {
			return fmt.Errorf("write guest's keys: %w", result.Error)
		}
		if result.RowsAffected == 1 {
			return nil
		}
		g, err := guestWhere(tx, actor)
		if err != nil {
			return err
		}
		if g.ReceivingKey != k.ReceivingKey || g.RequestingKey != k.RequestingKey {
			return &Refusal{"", "This guest has keys already. Open them with the recovery key."}
		}
		return nil
	})
}

// account is a guest as the pages know their visitors.
func (g guestRow) account() Account {
	return Account{Actor: g.Actor, Name: g.Handle, Role: Guest, Custody: Own, Recovery: g.Recovery, Version: 1, State: Active, CreatedAt: g.CreatedAt}
}

// accountOf is the account of a session, or the guest.
func accountOf(tx *gorm.DB, actor string) (Account, error) {
	a, err := accountWhere(tx, "actor = ?", actor)
	if !errors.Is(err, ErrNotFound) {
		return a, err
	}
	g, err := guestWhere(tx, actor)
	if err != nil {
		return Account{}, err
	}
	if g.Account != "" {
		return Account{}, fmt.Errorf("%w: the guest has become %s", ErrNotFound, g.Account)
	}
	return g.account(), nil
}

// Heirs hands what a guest owns to the account that the guest becomes, inside tx; the rooms that keep it do so.
type Heirs func(ctx context.Context, tx *gorm.DB, guest, account string) error

// inherit makes a guest the account that is being made: with the same keys, and all that was bought.
func (s *Service) inherit(ctx context.Context, tx *gorm.DB, guest string, a Application, account string) error {
	result := tx.Model(&guestRow{}).
		Where("actor = ? AND account = '' AND receiving_key = ? AND requesting_key = ?", guest, a.ReceivingKey, a.RequestingKey).
		Update("account", account)
	if result.Error != nil {
		return fmt.Errorf("turn guest into %s: %w", account, result.Error)
	}
	if result.RowsAffected != 1 {
		return &Refusal{"", "These are not the keys that you bought with as a guest."}
	}
	if err := endSessions(tx.Where("actor = ?", guest)); err != nil {
		return err
	}
	if s.heirs == nil {
		return nil
	}
	return s.heirs(ctx, tx, guest, account)
}
