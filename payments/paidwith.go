package payments

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// pageOrders is how many orders are looked up at a time.
const pageOrders = 500

// PaidWith is what orders were paid with, by URI: the address that the last payment came from, in small letters. Payments
// of one provider are left out, and orders of which it is not known: where people note what has come, the initiator is
// who has noted it.
func PaidWith(ctx context.Context, tx *gorm.DB, orders []string, without string) (map[string]string, error) {
	out := map[string]string{}
	for from := 0; from < len(orders); from += pageOrders {
		var rows []paymentRow
		err := tx.WithContext(ctx).Where("order_uri IN ? AND provider <> ? AND initiator <> '' AND outcome <> ?", orders[from:min(from+pageOrders, len(orders))], without, misplaced).
			Order("seen_at, hash").Find(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("read payments of orders: %w", err)
		}
		for _, r := range rows {
			out[r.OrderURI] = strings.ToLower(r.Initiator)
		}
	}
	return out, nil
}
