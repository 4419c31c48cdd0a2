package listen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Range is a part of a track that was heard, in tenths of a second from its beginning; Until is the first that was not.
type Range struct{ From, Until int64 }

// maxRanges is how many parts of one track are kept; somebody who jumps about more has the shortest ones forgotten.
const maxRanges = 32

// Ranges are parts of a track, in order and apart from each other.
type Ranges []Range

// ParseRanges reads "0-305,450-600": at most 32 ranges of tenths of a second, each with something in it, in any order.
func ParseRanges(text string) (Ranges, error) {
	if text == "" {
		return nil, nil
	}
	if strings.Count(text, ",") >= maxRanges {
		return nil, fmt.Errorf("%w: more than %d ranges", ErrReport, maxRanges)
	}
	var out Ranges
	for part := range strings.SplitSeq(text, ",") {
		from, until, ok := strings.Cut(part, "-")
		a, errA := tenths(from)
		b, errB := tenths(until)
		if !ok || errA != nil || errB != nil || a >= b {
			return nil, fmt.Errorf("%w: range %.30q", ErrReport, part)
		}
		out = append(out, Range{a, b})
	}
	return out.joined(), nil
}

// tenths reads a number in its one form.
func tenths(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 10*maxLength || strconv.FormatInt(n, 10) != text {
		return 0, ErrReport
	}
	return n, nil
}

// String writes the ranges as ParseRanges reads them.
func (r Ranges) String() string {
	var out []byte
	for i, one := range r {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, one.From, 10)
		out = append(out, '-')
		out = strconv.AppendInt(out, one.Until, 10)
	}
	return string(out)
}

// Tenths is how much the ranges hold.
func (r Ranges) Tenths() int64 {
	var sum int64
	for _, one := range r {
		sum += one.Until - one.From
	}
	return sum
}

// joined returns r in order, with what touches made one, and no more than maxRanges.
func (r Ranges) joined() Ranges {
	slices.SortFunc(r, func(a, b Range) int { return int(a.From - b.From) })
	out := r[:0]
	for _, one := range r {
		if n := len(out); n > 0 && one.From <= out[n-1].Until {
			out[n-1].Until = max(out[n-1].Until, one.Until)
			continue
		}
		out = append(out, one)
	}
	for len(out) > maxRanges {
		shortest := 0
		for i, one := range out {
			if one.Until-one.From < out[shortest].Until-out[shortest].From {
				shortest = i
			}
		}
		out = slices.Delete(out, shortest, shortest+1)
	}
	return out
}

// add returns the union of r and more, up to length, without more than budget tenths that r did not have; what is beyond
// the budget is left out from the end.
func (r Ranges) add(more Ranges, length, budget int64) Ranges {
	out := slices.Clone(r)
	for _, one := range more {
		one.Until = min(one.Until, length)
		for _, fresh := range r.missing(one) {
			if budget <= 0 {
				break
			}
			fresh.Until = min(fresh.Until, fresh.From+budget)
			budget -= fresh.Until - fresh.From
			out = append(out, fresh)
		}
	}
	return out.joined()
}

// missing are the parts of one that r does not have.
func (r Ranges) missing(one Range) []Range {
	var out []Range
	for _, have := range r {
		if have.Until <= one.From {
			continue
		}
		if have.From >= one.Until {
			break
		}
		if have.From > one.From {
			out = append(out, Range{one.From, have.From})
		}
		one.From = have.Until
	}
	if one.From < one.Until {
		out = append(out, one)
	}
	return out
}
