package report

import (
	"fmt"
	"time"

	"antiphon/payments/anomaly"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Doubtful looks at the lines of one artist, by hash, as those do who judge a dispute, and returns which of them do not
// count. Two rules are applied, both of which need nobody's opinion: lines of a day whose root is not the one that was
// reported are not proved; and the day of a listener with an artist that stands out from the days before (R6 of the
// policy) is not paid. Everybody who has the same lines and the same ledger gets the same answer.
func (m Month) Doubtful(artist string) (exclude func(day string, l royalty.Line) bool, err error) {
	policy := Rules(m.Policy)
	altered := map[string]bool{}
	// plays are those of each listener with the artist, by day of the month.
	plays := map[string]*[maxDays + 1]int64{}
	digests := map[string]bool{}
	of := func(uri string) bool {
		is, known := digests[uri]
		if !known {
			is = contract.Digest("payee", uri) == artist
			digests[uri] = is
		}
		return is
	}
	for _, d := range m.Days {
		at, err := time.Parse(time.DateOnly, d.Day)
		if err != nil {
			return nil, fmt.Errorf("%w: day %.20q", ErrFile, d.Day)
		}
		var tree royalty.Tree
		for line, err := range d.Lines {
			if err != nil {
				return nil, err
			}
			tree.Add(line.String())
			if !of(line.Artist) {
				continue
			}
			if plays[line.Pseudonym] == nil {
				plays[line.Pseudonym] = &[maxDays + 1]int64{}
			}
			plays[line.Pseudonym][at.Day()] += line.Units / royalty.Unit
		}
		altered[d.Day] = contract.Root(tree) != d.Root
	}
	type listenerDay struct{ pseudonym, day string }
	loud := map[listenerDay]bool{}
	for pseudonym, counts := range plays {
		first := 0
		for day := 1; day <= maxDays; day++ {
			if first == 0 && counts[day] > 0 {
				first = day
			}
			if counts[day] < policy.OutlierPlays || !policy.Applies(anomaly.R6Outlier) {
				continue
			}
			if _, out := anomaly.Outlier(policy, counts[first:day+1]); out {
				loud[listenerDay{pseudonym, fmt.Sprintf("%s-%02d", m.Month, day)}] = true
			}
		}
	}
	return func(day string, l royalty.Line) bool {
		return of(l.Artist) && (altered[day] || loud[listenerDay{l.Pseudonym, day}])
	}, nil
}
