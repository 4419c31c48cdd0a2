package payments

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"gorm.io/gorm"
)

// ErrSplits is wrapped when the parts of a price are not right; the words behind it are for the artist.
var ErrSplits = errors.New("parts of a price")

// Whole is what the parts of a price add up to; MaxSplits is how many there can be.
const (
	Whole     = 10_000
	MaxSplits = 20
)

// Split is somebody's part of a price.
type Split struct {
	// Payee is an actor's URI.
	Payee string `json:"payee"`
	// Name is how the payee is called, Role what the part is for; Role may be empty.
	Name string `json:"name"`
	Role string `json:"role,omitempty"`
	// BasisPoints are ten-thousandths of the price.
	BasisPoints int `json:"basisPoints"`
}

// Splits are all parts of a price, or none where the artist has all of it. In SQL they are JSON.
type Splits []Split

// Value implements driver.Valuer.
func (s Splits) Value() (driver.Value, error) {
	if len(s) == 0 {
		return "", nil
	}
	text, err := json.Marshal([]Split(s))
	return string(text), err
}

// Scan implements sql.Scanner.
func (s *Splits) Scan(src any) error {
	*s = nil
	var text []byte
	switch v := src.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("column of splits is %T, want text", src)
	}
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, (*[]Split)(s))
}

// Check refuses parts that are not a whole.
func (s Splits) Check() error {
	if len(s) > MaxSplits {
		return fmt.Errorf("%w: at most %d", ErrSplits, MaxSplits)
	}
	sum, seen := 0, map[string]bool{}
	for _, part := range s {
		switch {
		case part.BasisPoints < 1 || part.BasisPoints > Whole:
			return fmt.Errorf("%w: each is more than nothing and at most the whole", ErrSplits)
		case part.Payee == "" || len(part.Payee) > 2000 || seen[part.Payee]:
			return fmt.Errorf("%w: each is somebody else's", ErrSplits)
		case part.Name == "" || utf8.RuneCountInString(part.Name) > 200 || utf8.RuneCountInString(part.Role) > 100:
			return fmt.Errorf("%w: a name has 1 to 200 characters, and a role at most 100", ErrSplits)
		}
		seen[part.Payee] = true
		sum += part.BasisPoints
	}
	if len(s) > 0 && sum != Whole {
		return fmt.Errorf("%w: they add up to %d.%02d %%, not to 100 %%", ErrSplits, sum/100, sum%100)
	}
	return nil
}

// splitRow is a part of what a product costs now.
type splitRow struct {
	Product     string `gorm:"primaryKey"`
	Payee       string `gorm:"primaryKey"`
	Name        string
	Role        string
	BasisPoints int
	Position    int
}

func (splitRow) TableName() string { return "product_splits" }

// SplitsOf returns who is owed what a product is paid from now on; none means the artist alone.
func SplitsOf(ctx context.Context, tx *gorm.DB, product string) (Splits, error) {
	var rows []splitRow
	if err := tx.WithContext(ctx).Where("product = ?", product).Order("position").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read splits of %s: %w", product, err)
	}
	var all Splits
	for _, row := range rows {
		all = append(all, Split{Payee: row.Payee, Name: row.Name, Role: row.Role, BasisPoints: row.BasisPoints})
	}
	return all, nil
}

// SetSplits says who is owed what a product is paid from now on; none makes it the artist alone. Orders that were placed
// keep theirs. Errors of what is not right wrap [ErrSplits].
func SetSplits(ctx context.Context, tx *gorm.DB, product string, all Splits) error {
	if err := all.Check(); err != nil {
		return err
	}
	tx = tx.WithContext(ctx)
	if err := tx.Where("product = ?", product).Delete(&splitRow{}).Error; err != nil {
		return fmt.Errorf("change splits of %s: %w", product, err)
	}
	rows := make([]splitRow, len(all))
	for i, part := range all {
		rows[i] = splitRow{Product: product, Payee: part.Payee, Name: part.Name, Role: part.Role, BasisPoints: part.BasisPoints, Position: i + 1}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := tx.Create(&rows).Error; err != nil {
		return fmt.Errorf("change splits of %s: %w", product, err)
	}
	return nil
}

func (s *Service) splitsOf(ctx context.Context, product string) (Splits, error) {
	return SplitsOf(ctx, s.db.Read, product)
}
