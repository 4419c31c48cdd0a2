// Package pseudonym names listeners on the ledger and in reports without saying who they are.
//
// A pseudonym is hex(HMAC-SHA256(K, month|listener))[:32], where K is 32 random bytes of this instance and that month
// alone. Nobody without K can tell whose it is, or which two months are of one listener. K is sealed at rest and deleted 13
// months after its month has ended: from then on what stands on the ledger is anonymous, also to this instance. Begin with
// [New], [Service.Register] and [Service.Of]. Not for names that anybody has to find again later than that.
package pseudonym

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/vault"
	"antiphon/payments/royalty"
)

// ErrForgotten is returned for a month whose key is deleted, or has to be: its pseudonyms cannot be made any more.
var ErrForgotten = errors.New("the pseudonyms of this month are forgotten")

// keptMonths is for how many months after its own a key is kept.
const keptMonths = 13

// Length is how many hexadecimal digits a pseudonym has.
const Length = 32

// Parts are what the room is joined with.
type Parts struct {
	DB    *db.DB
	Jobs  *jobs.Queue
	Vault *vault.Vault
	Now   func() time.Time
	Rand  io.Reader
}

// Service makes pseudonyms.
type Service struct{ Parts }

// New makes the room.
func New(p Parts) *Service { return &Service{p} }

// forgetKey: the key of a month was made, and has to be deleted when its time has come.
type forgetKey struct {
	Month royalty.Month `json:"month"`
	// Due is what River waits for; the work looks at the clock of the instance.
	Due time.Time `json:"due"`
}

// Kind names the job.
func (forgetKey) Kind() string { return "forget_pseudonym_key" }

// Options say when it is worked.
func (f forgetKey) Options() jobs.Options { return jobs.Options{At: f.Due, Once: true} }

// Register registers the worker that deletes keys.
func (s *Service) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[forgetKey]{Work: func(ctx context.Context, job forgetKey, _ int) error {
		if wait := job.Due.Sub(s.Now()); wait > 0 {
			return jobs.Later(wait)
		}
		return s.Forget(ctx)
	}})
}

// Forget deletes every key whose time has come. Doing it again changes nothing.
func (s *Service) Forget(ctx context.Context) error {
	newest := royalty.MonthOf(royalty.MonthOf(s.Now()).Start().AddDate(0, -keptMonths, 0))
	if err := s.DB.Write.WithContext(ctx).Where("month < ?", newest).Delete(&keyRow{}).Error; err != nil {
		return fmt.Errorf("forget keys of pseudonyms: %w", err)
	}
	return nil
}

// forgottenAt is the first instant at which a month's key is not to be used any more.
func forgottenAt(month royalty.Month) time.Time { return month.Start().AddDate(0, keptMonths+1, 0) }

// Key is the key of one month.
type Key struct {
	month  royalty.Month
	secret [32]byte
}

// LogValue keeps the key out of logs.
func (Key) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Format keeps the key out of printed text.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// pseudonymous is what stands in the place of a listener whose account is gone.
var pseudonymous = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Of is the pseudonym of a listener, by the URI of the actor. Whose account is gone stands under a pseudonym already, which is
// its own.
func (k Key) Of(listener string) string {
	if pseudonymous.MatchString(listener) {
		return listener
	}
	mac := hmac.New(sha256.New, k.secret[:])
	_, _ = io.WriteString(mac, string(k.month)+"|"+listener)
	return hex.EncodeToString(mac.Sum(nil))[:Length]
}

// Of is the pseudonym of a listener, by the URI of the actor, in a month. tx is the caller's transaction: the first call
// for a month writes its key. It returns [ErrForgotten] when the month is too long ago.
func (s *Service) Of(ctx context.Context, tx *gorm.DB, month royalty.Month, listener string) (string, error) {
	key, err := s.Key(ctx, tx, month)
	if err != nil {
		return "", err
	}
	return key.Of(listener), nil
}

// Key opens the key of a month, for who needs many pseudonyms; see [Service.Of] for tx and errors.
func (s *Service) Key(ctx context.Context, tx *gorm.DB, month royalty.Month) (Key, error) {
	if _, err := royalty.ParseMonth(string(month)); err != nil {
		return Key{}, err
	}
	if !s.Now().Before(forgottenAt(month)) {
		return Key{}, fmt.Errorf("%w: %s", ErrForgotten, month)
	}
	row, err := keyOf(ctx, tx, month)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		row, err = s.draw(ctx, tx, month)
	}
	if err != nil {
		return Key{}, fmt.Errorf("key of pseudonyms of %s: %w", month, err)
	}
	secret, err := s.Vault.Open(row.place(), row.Sealed)
	if err != nil || len(secret) != 32 {
		return Key{}, fmt.Errorf("key of pseudonyms of %s: %w", month, errors.Join(vault.ErrOpen, err))
	}
	return Key{month: month, secret: [32]byte(secret)}, nil
}

// keyRow is the sealed key of a month.
type keyRow struct {
	Month     string `gorm:"primaryKey"`
	Sealed    []byte
	CreatedAt time.Time
}

func (keyRow) TableName() string { return "pseudonym_keys" }

func (k keyRow) place() vault.Place {
	return vault.Place{Table: "pseudonym_keys", ID: k.Month, Version: 1}
}

func keyOf(ctx context.Context, tx *gorm.DB, month royalty.Month) (keyRow, error) {
	var row keyRow
	err := tx.WithContext(ctx).Where("month = ?", month).Take(&row).Error
	return row, err
}

// draw makes the key of a month, with the job that deletes it. Two who do that at once get the same key.
func (s *Service) draw(ctx context.Context, tx *gorm.DB, month royalty.Month) (keyRow, error) {
	row := keyRow{Month: string(month), CreatedAt: s.Now().UTC().Truncate(time.Second)}
	secret := make([]byte, 32)
	if _, err := io.ReadFull(s.Rand, secret); err != nil {
		return row, fmt.Errorf("draw: %w", err)
	}
	var err error
	if row.Sealed, err = s.Vault.Seal(row.place(), secret); err != nil {
		return row, err
	}
	if err := tx.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		return row, fmt.Errorf("write: %w", err)
	}
	if err := s.Jobs.Insert(ctx, tx, forgetKey{Month: month, Due: forgottenAt(month)}); err != nil {
		return row, err
	}
	return keyOf(ctx, tx, month)
}
