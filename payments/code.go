package payments

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ErrUnknownCode is returned for a code or a batch that does not exist.
var ErrUnknownCode = errors.New("no such code")

const (
	// MaxCodes is how many codes one batch can have.
	MaxCodes = 5000
	// codeBits of chance make a code of codeLetters letters and digits.
	codeBits, codeLetters = 100, 20
)

var (
	codeForm = regexp.MustCompile(`^[A-Z2-7]{20}$`)
	hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// misread are the digits that no code has, for the letters that they look like.
	misread = strings.NewReplacer("0", "O", "1", "I", "8", "B", "-", "", " ", "", "\u00a0", "", "\u2010", "", "\u2013", "")
)

// NewCode draws a code: five groups of four letters and digits, 100 random bits.
func NewCode(random io.Reader) (string, error) {
	b := make([]byte, (codeBits+7)/8)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("draw code: %w", err)
	}
	return CodeOf(b), nil
}

// CodeOf is the code that the first 100 bits of at least 13 bytes make.
func CodeOf(b []byte) string { return grouped(base32.StdEncoding.EncodeToString(b[:13])[:codeLetters]) }

func grouped(letters string) string {
	var groups []string
	for ; len(letters) > 4; letters = letters[4:] {
		groups = append(groups, letters[:4])
	}
	return strings.Join(append(groups, letters), "-")
}

// ParseCode reads a code as people type it: groups, case and the digits that look like letters do not matter.
func ParseCode(typed string) (code string, ok bool) {
	if len(typed) > 100 {
		return "", false
	}
	letters := strings.ToUpper(misread.Replace(strings.TrimSpace(typed)))
	if !codeForm.MatchString(letters) {
		return "", false
	}
	return grouped(letters), true
}

// HashCode is what is kept of a code that ParseCode returned: 64 hexadecimal digits. A code has 100 random bits, so a plain
// hash keeps it.
func HashCode(code string) string {
	sum := sha256.Sum256([]byte("antiphon/code/v1\x00" + code))
	return hex.EncodeToString(sum[:])
}

// CodeBatch is a set of codes that were made together.
type CodeBatch struct {
	ID      string `gorm:"primaryKey"`
	Artist  string
	Product string
	// Ground is [GroundCode], or [GroundGift] for one that somebody has paid for.
	Ground    Ground
	Label     string
	Codes     int
	ExpiresAt *time.Time
	RevokedAt *time.Time
	CreatedAt time.Time
	// Used counts those that were redeemed.
	Used int `gorm:"-"`
}

// codeRow is a code; the code itself is not kept.
type codeRow struct {
	Hash      string `gorm:"primaryKey"`
	Batch     string
	OrderURI  string
	UsedAt    *time.Time
	RevokedAt *time.Time
}

func (codeRow) TableName() string { return "codes" }

// MakeCodes makes n codes that open a product of the artist's, and returns them: nobody can ever read them again. expires
// may be nil. What cannot be is a [*Refusal].
func (s *Service) MakeCodes(ctx context.Context, artist, product, label string, n int, expires *time.Time) (CodeBatch, []string, error) {
	now := s.now().UTC().Truncate(time.Second)
	label = strings.TrimSpace(strings.ToValidUTF8(label, ""))
	switch {
	case n < 1 || n > MaxCodes:
		return CodeBatch{}, nil, &Refusal{"malformed", fmt.Sprintf("Make 1 to %d codes at a time.", MaxCodes)}
	case utf8.RuneCountInString(label) > 100:
		return CodeBatch{}, nil, &Refusal{"malformed", "The note is longer than 100 characters."}
	case expires != nil && !expires.After(now):
		return CodeBatch{}, nil, &Refusal{"malformed", "The codes would have expired already."}
	}
	p, err := s.catalog.Product(ctx, product, "")
	if errors.Is(err, ErrUnknownProduct) || err == nil && p.Artist != artist {
		return CodeBatch{}, nil, &Refusal{"unknown-product", "There is no such product of yours."}
	}
	if err != nil {
		return CodeBatch{}, nil, fmt.Errorf("look up product %s: %w", product, err)
	}
	batch := CodeBatch{ID: newID(), Artist: artist, Product: product, Ground: GroundCode, Label: label, Codes: n, CreatedAt: now}
	if expires != nil {
		end := expires.UTC().Truncate(time.Second)
		batch.ExpiresAt = &end
	}
	codes, rows := make([]string, n), make([]codeRow, n)
	for i := range codes {
		if codes[i], err = NewCode(s.rand); err != nil {
			return CodeBatch{}, nil, err
		}
		rows[i] = codeRow{Hash: HashCode(codes[i]), Batch: batch.ID}
	}
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Create(&batch).Error; err != nil {
			return fmt.Errorf("write codes: %w", err)
		}
		if err := tx.CreateInBatches(rows, 500).Error; err != nil {
			return fmt.Errorf("write codes: %w", err)
		}
		return nil
	})
	return batch, codes, err
}

// CodeBatches returns an artist's batches, the latest first, at most limit; gifts are not among them.
func (s *Service) CodeBatches(ctx context.Context, artist string, limit int) ([]CodeBatch, error) {
	tx := s.db.Read.WithContext(ctx)
	var all []CodeBatch
	if err := tx.Where("artist = ? AND ground = ?", artist, GroundCode).Order("created_at DESC, id").Limit(limit).Find(&all).Error; err != nil {
		return nil, fmt.Errorf("read codes of %s: %w", artist, err)
	}
	ids := make([]string, len(all))
	for i, b := range all {
		ids[i] = b.ID
	}
	var used []struct {
		Batch string
		N     int
	}
	err := tx.Model(&codeRow{}).Select("batch, COUNT(*) AS n").Where("batch IN ? AND used_at IS NOT NULL", ids).Group("batch").Scan(&used).Error
	if err != nil {
		return nil, fmt.Errorf("count codes of %s: %w", artist, err)
	}
	for i := range all {
		for _, u := range used {
			if u.Batch == all[i].ID {
				all[i].Used = u.N
			}
		}
	}
	return all, nil
}

// RevokeCodes makes what is not redeemed of an artist's batch worthless; twice is once.
func (s *Service) RevokeCodes(ctx context.Context, artist, batch string) error {
	now := s.now().UTC().Truncate(time.Second)
	result := s.db.Write.WithContext(ctx).Model(&CodeBatch{}).Where("id = ? AND artist = ? AND ground = ?", batch, artist, GroundCode).
		Update("revoked_at", gorm.Expr("COALESCE(revoked_at, ?)", now))
	if result.Error != nil {
		return fmt.Errorf("revoke codes: %w", result.Error)
	}
	if result.RowsAffected == 0 {
		return fmt.Errorf("%w: batch %s of %s", ErrUnknownCode, batch, artist)
	}
	return nil
}

// RevokeCode makes one code of an artist's worthless, unless it was redeemed; the artist types it, because nobody else
// knows it.
func (s *Service) RevokeCode(ctx context.Context, artist, typed string) error {
	code, ok := ParseCode(typed)
	if !ok {
		return &Refusal{"malformed", "This is not a code: it has five groups of four letters."}
	}
	result := s.db.Write.WithContext(ctx).Model(&codeRow{}).
		Where("hash = ? AND used_at IS NULL AND batch IN (?)", HashCode(code), s.db.Write.Model(&CodeBatch{}).Select("id").Where("artist = ? AND ground = ?", artist, GroundCode)).
		Update("revoked_at", gorm.Expr("COALESCE(revoked_at, ?)", s.now().UTC().Truncate(time.Second)))
	if result.Error != nil {
		return fmt.Errorf("revoke code: %w", result.Error)
	}
	if result.RowsAffected == 0 {
		return &Refusal{"code", "This is none of your codes, or it was redeemed already."}
	}
	return nil
}

// CodeFor returns what a code opens and the artist of that, without using it up, or a [*Refusal]. who is counted for
// asking: somebody who is logged in, or an address.
func (s *Service) CodeFor(ctx context.Context, who, typed string) (CodeBatch, error) {
	_, batch, err := s.code(ctx, who, typed)
	return batch, err
}

// code finds a code that can be redeemed. Who tries too many that are none has to wait.
func (s *Service) code(ctx context.Context, who, typed string) (codeRow, CodeBatch, error) {
	var row codeRow
	var batch CodeBatch
	if !s.tries.may(who, s.now()) {
		return row, batch, &Refusal{"busy", "Too many codes were tried that are none. Wait an hour."}
	}
	code, ok := ParseCode(typed)
	if !ok {
		s.tries.count(who, s.now())
		return row, batch, &Refusal{"code", "This is not a code: it has five groups of four letters and digits."}
	}
	tx := s.db.Read.WithContext(ctx)
	err := tx.Where("hash = ?", HashCode(code)).Take(&row).Error
	if err == nil {
		err = tx.Where("id = ?", row.Batch).Take(&batch).Error
	}
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		s.tries.count(who, s.now())
		return row, batch, &Refusal{"code", "This code is not known here. Check the letters, and where the code is from."}
	case err != nil:
		return row, batch, fmt.Errorf("look up code: %w", err)
	case row.UsedAt != nil:
		return row, batch, &Refusal{"code-used", "This code was redeemed already."}
	case row.RevokedAt != nil || batch.RevokedAt != nil:
		return row, batch, &Refusal{"code-revoked", "The artist has taken this code back."}
	case batch.ExpiresAt != nil && !batch.ExpiresAt.After(s.now()):
		return row, batch, &Refusal{"code-expired", "This code has expired."}
	}
	return row, batch, nil
}

// redeem grants what a code opens. Of two who redeem one code at the same time, one gets it.
func (s *Service) redeem(ctx context.Context, r Request, p Product) (Order, error) {
	row, batch, err := s.code(ctx, r.Buyer, r.Code)
	if err != nil {
		return Order{}, err
	}
	if batch.Product != p.URI {
		return Order{}, &Refusal{"code", "This code is for something else."}
	}
	o, err := s.blank(r, p)
	if err != nil {
		return Order{}, err
	}
	o.Ground, o.Code = batch.Ground, row.Hash
	return s.placeFree(ctx, o, func(tx *gorm.DB) error {
		now := s.now().UTC().Truncate(time.Second)
		result := tx.Model(&codeRow{}).Where("hash = ? AND used_at IS NULL AND revoked_at IS NULL", row.Hash).
			Where("batch IN (?)", tx.Model(&CodeBatch{}).Select("id").Where("id = ? AND revoked_at IS NULL", batch.ID)).
			Updates(map[string]any{"used_at": now, "order_uri": o.URI})
		if result.Error != nil {
			return fmt.Errorf("use code: %w", result.Error)
		}
		if result.RowsAffected != 1 {
			return &Refusal{"code-used", "This code was redeemed already."}
		}
		return nil
	})
}

// checkGift refuses a gift whose code is none, or is there already.
func (s *Service) checkGift(ctx context.Context, r Request) error {
	if !hashForm.MatchString(r.Gift) {
		return &Refusal{"malformed", "The offer of a gift is malformed."}
	}
	var n int64
	if err := s.db.Read.WithContext(ctx).Model(&codeRow{}).Where("hash = ?", r.Gift).Count(&n).Error; err != nil {
		return fmt.Errorf("look up code: %w", err)
	}
	if n > 0 {
		return &Refusal{"code-used", "This gift was bought already."}
	}
	return nil
}

// wrapped is a gift that was paid for.
type wrapped struct {
	service *Service
	order   Order
}

// Issue implements [PreparedGrant]: it makes the code good whose hash the buyer named, and grants nothing.
func (g wrapped) Issue(_ context.Context, tx TX) (string, error) {
	now := g.service.now().UTC().Truncate(time.Second)
	batch := CodeBatch{ID: newID(), Artist: g.order.Artist, Product: g.order.Product, Ground: GroundGift, Codes: 1, CreatedAt: now}
	if err := tx.Create(&batch).Error; err != nil {
		return "", fmt.Errorf("write gift: %w", err)
	}
	// Who pays twice for one code has bought one.
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&codeRow{Hash: g.order.Code, Batch: batch.ID}).Error; err != nil {
		return "", fmt.Errorf("write gift: %w", err)
	}
	return "", nil
}
