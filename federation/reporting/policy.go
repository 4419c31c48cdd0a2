package reporting

import (
	"context"
	"fmt"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// lastMonth is later than the first month of any policy.
const lastMonth = royalty.Month("9999-12")

// NewestPolicy is the last version that the own ledger has: it may hold only from the next month on.
func (s *Service) NewestPolicy(ctx context.Context) (contract.Policy, error) {
	return contract.PolicyFor(ctx, s.Book(), lastMonth)
}

// ChangePolicy sets the next version on the own ledger: the newest one, changed, from the next month on. The version and
// the month are set here.
func (s *Service) ChangePolicy(ctx context.Context, change func(p *contract.Policy)) error {
	p, err := s.NewestPolicy(ctx)
	if err != nil {
		return fmt.Errorf("newest policy: %w", err)
	}
	change(&p)
	p.Version++
	p.From = royalty.MonthOf(s.Now()).Next()
	if err := s.Book().Submit(ctx, p); err != nil {
		return fmt.Errorf("set policy %d: %w", p.Version, err)
	}
	return nil
}
