package report

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// addressRow is a row of payout_addresses.
type addressRow struct {
	Artist         string `gorm:"primaryKey"`
	SeenAt         time.Time
	Asset, Address string
	Raw            []byte
}

func (addressRow) TableName() string { return "payout_addresses" }

// addressBefore is the day of the month until which a new address counts for the same month's payouts.
const addressBefore = 23

// SetAddress keeps where an artist wants to be paid, as the artist has signed it: raw was checked by who calls. Doing it
// again changes nothing.
func (s *Service) SetAddress(ctx context.Context, tx *gorm.DB, artist, asset, address string, raw []byte) error {
	if len(asset) > 200 || address == "" || len(address) > 200 || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%w: address for payouts", ErrUnknown)
	}
	var last addressRow
	err := tx.WithContext(ctx).Where("artist = ?", artist).Order("seen_at DESC").Take(&last).Error
	if err == nil && string(last.Raw) == string(raw) || err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return err
	}
	row := addressRow{artist, s.Now().UTC().Truncate(time.Millisecond), asset, address, raw}
	return wrap("write address", tx.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error)
}

// address is the newest that was seen before the 23rd of the month of paying.
func (s *Service) address(ctx context.Context, payee string, before time.Time) (string, error) {
	var row addressRow
	err := s.DB.Read.WithContext(ctx).Where("artist = ? AND asset = ? AND seen_at < ?", payee, string(s.config.Asset), before).
		Order("seen_at DESC").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	return row.Address, wrap("read address", err)
}

// AddressOf is what artists are paid in here, and where an artist wants it, as last said; both may be empty.
func (s *Service) AddressOf(ctx context.Context, artist string) (asset, address string, err error) {
	address, err = s.address(ctx, artist, s.Now().Add(time.Second))
	return string(s.config.Asset), address, err
}
