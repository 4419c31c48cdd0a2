package report

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Portion is a part of a listener's money.
type Portion struct {
	Artist string
	Micro  royalty.Micro
}

// Share is where one listener's money of a month went.
type Share struct {
	Month royalty.Month
	Stage Stage
	// Portions are the artists' parts, in the order of their rank.
	Portions []Portion
	// Held is what waits because a rule has marked some plays; Carried what is left for the next month.
	Held, Carried royalty.Micro
	// Decisions are what the rules say of this listener's plays.
	Decisions []Decision
}

// ShareOf is where a listener's money of a month went. ErrUnknown when the month is not reported, or the listener has not
// paid.
func (s *Service) ShareOf(ctx context.Context, month royalty.Month, listener string) (Share, error) {
	stage, _, err := s.stageOf(ctx, month)
	if err != nil {
		return Share{}, err
	}
	out := Share{Month: month, Stage: stage}
	var name string
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var err error
		name, err = s.Pseudonyms.Of(ctx, tx, month, listener)
		return err
	})
	if err != nil {
		return out, err
	}
	paid, err := contract.HasPaid(ctx, s.Book, month, s.config.Node, name)
	if err != nil {
		return out, err
	}
	if !paid {
		return out, fmt.Errorf("%w: nothing was paid for %s", ErrUnknown, month)
	}
	var rows []splitRow
	err = s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ? AND pseudonym = ?", month, stage, name).Order("n").Find(&rows).Error
	if err != nil {
		return out, wrap("read splits", err)
	}
	for _, r := range rows {
		out.Portions = append(out.Portions, Portion{r.Artist, r.Micro})
	}
	if err := s.DB.Read.WithContext(ctx).Where("month = ? AND pseudonym = ?", month, name).Order("artist").Find(&out.Decisions).Error; err != nil {
		return out, wrap("read decisions", err)
	}
	if len(rows) > 0 {
		return out, nil
	}
	for _, d := range out.Decisions {
		if d.State == Held {
			out.Held = royalty.Pool
			return out, nil
		}
	}
	out.Carried = royalty.Pool
	return out, nil
}
