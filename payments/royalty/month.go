package royalty

import (
	"fmt"
	"time"
)

// Month is a calendar month in UTC, as "2026-10".
type Month string

const monthLayout = "2006-01"

// MonthOf is the month that an instant lies in. A play belongs to the month in which it started.
func MonthOf(t time.Time) Month { return Month(t.UTC().Format(monthLayout)) }

// ParseMonth reads a month from outside.
func ParseMonth(text string) (Month, error) {
	t, err := time.Parse(monthLayout, text)
	if err != nil || t.Format(monthLayout) != text {
		return "", fmt.Errorf("%w: month %q is not like 2026-10", ErrInvalid, text)
	}
	return Month(text), nil
}

// Start is the first instant of the month; the zero time for a Month that ParseMonth would refuse.
func (m Month) Start() time.Time {
	t, err := time.Parse(monthLayout, string(m))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Next is the month after.
func (m Month) Next() Month { return MonthOf(m.Start().AddDate(0, 1, 0)) }

// Day is the beginning of the n-th day of the month, from 1.
func (m Month) Day(n int) time.Time { return m.Start().AddDate(0, 0, n-1) }
