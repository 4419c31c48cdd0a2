package pool

import (
	"context"
	"fmt"

	"antiphon/payments"
	"antiphon/payments/manual"
	"antiphon/payments/royalty"
)

// Instruments is what each of some listeners has paid a month with: an address in small letters. Whoever is not known to
// have paid from an address is left out.
func (s *Service) Instruments(ctx context.Context, month royalty.Month, listeners []string) (map[string]string, error) {
	out := map[string]string{}
	for from := 0; from < len(listeners); from += memberPage {
		var rows []Payment
		err := s.DB.Read.WithContext(ctx).Where("month = ? AND state = ? AND listener IN ?", month, Counted, listeners[from:min(from+memberPage, len(listeners))]).Find(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("read payments of %s: %w", month, err)
		}
		orders := make([]string, len(rows))
		for i, r := range rows {
			orders[i] = r.OrderURI
		}
		with, err := payments.PaidWith(ctx, s.DB.Read, orders, manual.Name)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if address := with[r.OrderURI]; address != "" {
				out[r.Listener] = address
			}
		}
	}
	return out, nil
}
