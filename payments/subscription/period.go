package subscription

import (
	"fmt"
	"math/big"
	"time"

	"antiphon/payments/amount"
)

// Grace is how long a month that was paid plays on after its end, so that a late renewal interrupts nothing.
const Grace = 72 * time.Hour

// Ahead is how long before its beginning the next month is sold.
const Ahead = 7 * 24 * time.Hour

// Period is a calendar month in UTC as a number, such as 202611; it is the version of a tier's product. The zero value
// is no month.
type Period int64

// PeriodOf is the month that an instant lies in.
func PeriodOf(t time.Time) Period {
	t = t.UTC()
	return Period(t.Year()*100 + int(t.Month()))
}

// Valid reports whether p is a month of the years 1970 to 9999.
func (p Period) Valid() bool { return p >= 197001 && p <= 999912 && p%100 >= 1 && p%100 <= 12 }

// Start is the month's first instant.
func (p Period) Start() time.Time {
	return time.Date(int(p/100), time.Month(p%100), 1, 0, 0, 0, 0, time.UTC)
}

// End is the first instant after the month.
func (p Period) End() time.Time { return p.Start().AddDate(0, 1, 0) }

// Closes is when what was granted for the month stops to play: its end and the grace.
func (p Period) Closes() time.Time { return p.End().Add(Grace) }

// Next is the month after.
func (p Period) Next() Period { return PeriodOf(p.End()) }

// Share is what the rest of a month costs of its price: whole days, today included, rounded up to the smallest unit. A
// month that has not begun costs its price.
func (p Period) Share(price amount.Units, now time.Time) (amount.Units, error) {
	if !p.Valid() {
		return amount.Units{}, fmt.Errorf("%d is no month", p)
	}
	days := int64(p.End().Sub(p.Start()) / (24 * time.Hour))
	left := days
	if now = now.UTC(); now.After(p.Start()) {
		left = max(0, days-int64(now.Sub(p.Start())/(24*time.Hour)))
	}
	n := new(big.Int).Mul(price.Big(), big.NewInt(left))
	n.Add(n, big.NewInt(days-1))
	return amount.UnitsFromBig(n.Div(n, big.NewInt(days)))
}
