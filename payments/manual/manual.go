// Package manual is a [payments.Provider] for what no machine sees: cash, a bank transfer, a favor. The artist says which
// order was paid, and from then on it goes as with every other way of paying.
//
// It believes the artist, whose own ware is given away on it, and nobody else; the ledger says that the payment was of
// this kind. It has nothing to do with a bank. Begin with [New]; [Mark] is the artist's word.
package manual

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/currency"
	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/payments"
	"antiphon/payments/amount"
)

// Name is the provider's word on the wire.
const Name = "manual"

// target stands where other providers have an address.
const target = "the artist"

// page is how many marks are looked at in one call.
const page = 200

// Provider takes one currency. It is safe for concurrent use.
type Provider struct {
	db       *db.DB
	asset    amount.Asset
	decimals int
}

var _ payments.Provider = (*Provider)(nil)

// New makes a provider for an ISO 4217 currency such as EUR.
func New(d *db.DB, code string) (*Provider, error) {
	asset, err := amount.ParseAsset("iso4217:" + code)
	if err != nil {
		return nil, fmt.Errorf("currency %q: %w", code, err)
	}
	unit, err := currency.ParseISO(code)
	if err != nil {
		return nil, fmt.Errorf("currency %q: %w", code, err)
	}
	decimals, _ := currency.Standard.Rounding(unit)
	return &Provider{d, asset, decimals}, nil
}

// Name implements [payments.Provider].
func (p *Provider) Name() string { return Name }

// Asset implements [payments.Provider].
func (p *Provider) Asset() (amount.Asset, int) { return p.asset, p.decimals }

// Target implements [payments.Provider]: how to pay stands in the artist's instructions.
func (p *Provider) Target(context.Context, string) (string, error) { return target, nil }

// InvoiceLife implements [payments.Patient]: a bank takes days.
func (p *Provider) InvoiceLife() time.Duration { return 14 * 24 * time.Hour }

// mark is a row of marked_payments.
type mark struct {
	N          int64  `gorm:"primaryKey;autoIncrement:false"`
	OrderURI   string // unique
	Identifier string
	Target     string
	Units      amount.Units
	Asset      amount.Asset
	MarkedBy   string
	MarkedAt   time.Time
}

func (mark) TableName() string { return "marked_payments" }

// Received implements [payments.Provider].
func (p *Provider) Received(ctx context.Context, cursor string) (payments.Look, error) {
	after := int64(0)
	if cursor != "" {
		var err error
		if after, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return payments.Look{}, fmt.Errorf("cursor %.40q is not one of ours", cursor)
		}
	}
	var marks []mark
	err := p.db.Read.WithContext(ctx).Where("asset = ? AND n > ?", p.asset, after).Order("n").Limit(page).Find(&marks).Error
	if err != nil {
		return payments.Look{}, fmt.Errorf("read marked payments: %w", err)
	}
	look := payments.Look{Next: cursor, More: len(marks) == page}
	for _, m := range marks {
		look.Final = append(look.Final, payments.Payment{
			Ref: m.OrderURI, Initiator: m.MarkedBy, Target: m.Target, Identifier: m.Identifier,
			Amount: amount.Amount{Units: m.Units, Asset: m.Asset}, At: m.MarkedAt.UTC(),
		})
		look.Next = strconv.FormatInt(m.N, 10)
	}
	return look, nil
}

// Mark is the artist's word that an order was paid in full; twice is once. The watcher does the rest. An order of
// somebody else is [payments.ErrNotFound], one that waits for no such payment [payments.ErrSettled].
func Mark(ctx context.Context, d *db.DB, artist, order string, now time.Time) error {
	const tries = 5
	for n := 1; ; n++ {
		err := markOnce(ctx, d, artist, order, now)
		if !errors.Is(err, gorm.ErrDuplicatedKey) || n == tries {
			return err
		}
		// Either this order was marked before, or another one took the number at the same moment.
		var marked int64
		if err := d.Read.WithContext(ctx).Model(&mark{}).Where("order_uri = ?", order).Count(&marked).Error; err != nil || marked > 0 {
			return err
		}
	}
}

func markOnce(ctx context.Context, d *db.DB, artist, order string, now time.Time) error {
	return d.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		o, err := payments.OrderByURI(ctx, tx, order)
		if err != nil {
			return err
		}
		if o.Artist != artist {
			return fmt.Errorf("%w: %s", payments.ErrNotFound, order)
		}
		if o.Provider != Name || !o.State.Open() {
			return fmt.Errorf("%w: %s is %s and paid through %q", payments.ErrSettled, order, o.State, o.Provider)
		}
		var last int64
		if err := tx.WithContext(ctx).Model(&mark{}).Select("COALESCE(MAX(n), 0)").Scan(&last).Error; err != nil {
			return fmt.Errorf("count marked payments: %w", err)
		}
		return tx.WithContext(ctx).Create(&mark{
			N: last + 1, OrderURI: o.URI, Identifier: o.Identifier, Target: o.Target, Units: o.Units, Asset: o.Asset,
			MarkedBy: artist, MarkedAt: now.UTC(),
		}).Error
	})
}

// maxInstructions bounds an artist's text, in bytes.
const maxInstructions = 2000

// ErrTooLong is returned for instructions that are too long.
var ErrTooLong = fmt.Errorf("more than %d bytes", maxInstructions)

// instructions is a row of payment_instructions.
type instructions struct {
	Artist    string `gorm:"primaryKey"`
	Text      string
	UpdatedAt time.Time
}

func (instructions) TableName() string { return "payment_instructions" }

// Instructions are an artist's words on how to pay, in plain text; empty when there are none.
func Instructions(ctx context.Context, tx *gorm.DB, artist string) (string, error) {
	var row instructions
	err := tx.WithContext(ctx).Where("artist = ?", artist).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read instructions of %s: %w", artist, err)
	}
	return row.Text, nil
}

// SetInstructions changes an artist's words on how to pay.
func SetInstructions(ctx context.Context, tx *gorm.DB, artist, text string, now time.Time) error {
	text = strings.TrimSpace(text)
	if len(text) > maxInstructions {
		return ErrTooLong
	}
	return tx.WithContext(ctx).Save(&instructions{artist, text, now.UTC()}).Error
}
