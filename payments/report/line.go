package report

import (
	"context"
	"fmt"
	"iter"

	"gorm.io/gorm"

	"antiphon/payments/royalty"
)

// pageLines is how many lines are read or written at a time.
const pageLines = 2000

// row is a row of report_lines.
type row struct {
	Day    string
	Held   bool
	Line   []byte
	Artist string
}

func (row) TableName() string { return "report_lines" }

// scan gives the rows of q in the order of their lines.
func scan(q func() *gorm.DB, yield func(row) bool) error {
	var after []byte
	for {
		var rows []row
		page := q()
		if after != nil {
			page = page.Where("line > ?", after)
		}
		if err := page.Order("line").Limit(pageLines).Find(&rows).Error; err != nil {
			return fmt.Errorf("read lines: %w", err)
		}
		for _, r := range rows {
			if !yield(r) {
				return nil
			}
			after = r.Line
		}
		if len(rows) < pageLines {
			return nil
		}
	}
}

// lines are those of a day in the order of their bytes: the ones in the report's tree, or the ones that are held.
func (s *Service) lines(ctx context.Context, day string, held bool) iter.Seq2[royalty.Line, error] {
	return func(yield func(royalty.Line, error) bool) {
		q := func() *gorm.DB { return s.DB.Read.WithContext(ctx).Where("day = ? AND held = ?", day, held) }
		err := scan(q, func(r row) bool {
			line, err := royalty.ParseLine(string(r.Line))
			return yield(line, err) && err == nil
		})
		if err != nil {
			yield(royalty.Line{}, err)
		}
	}
}
