package report

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Foresee is where a listener's nine dollars of a month that is not reported yet would go, if what was heard of it so far
// were all. What is left of earlier months and what the rules say of plays come with the report. Whether the listener has
// paid is not looked at.
func (s *Service) Foresee(ctx context.Context, month royalty.Month, listener string, heard []Heard) (Share, error) {
	out := Share{Month: month}
	policy, err := contract.PolicyFor(ctx, s.Book, month)
	if err != nil {
		return out, err
	}
	sums := map[string]*royalty.Heard{}
	for _, h := range heard {
		credited, err := royalty.Credit(h.Plays, h.Artists)
		if err != nil {
			return out, fmt.Errorf("track %s: %w", h.Track, err)
		}
		for _, c := range credited {
			if c.Units == 0 {
				continue
			}
			sum := sums[c.Artist]
			if sum == nil {
				sum = &royalty.Heard{Artist: c.Artist}
				sums[c.Artist] = sum
			}
			sum.Units, sum.Seconds = sum.Units+c.Units, sum.Seconds+h.Seconds
		}
	}
	if len(sums) == 0 {
		out.Carried = royalty.Pool
		return out, nil
	}
	var name string
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var err error
		name, err = s.Pseudonyms.Of(ctx, tx, month, listener)
		return err
	})
	if err != nil {
		return out, err
	}
	all := make([]royalty.Heard, 0, len(sums))
	for _, sum := range sums {
		all = append(all, *sum)
	}
	slices, err := royalty.Divide(policy.Royalty(), month, name, royalty.Pool, all)
	if err != nil {
		return out, fmt.Errorf("foresee %s: %w", month, err)
	}
	for _, one := range slices {
		out.Portions = append(out.Portions, Portion(one))
	}
	return out, nil
}
