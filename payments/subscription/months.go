package subscription

import (
	"context"
	"fmt"

	"antiphon/payments"
)

// Goods are what is sold and granted, whatever it is.
type Goods interface {
	payments.Catalog
	payments.Granter
	// OpenPeriod makes sure that a month of a product can be granted.
	OpenPeriod(ctx context.Context, product string, version int64) error
}

// Months sells goods, those that are monthly by the month: it knows which month a buyer lacks, what is left of it costs,
// and when its grant ends; and it notes who has paid. It implements [payments.Catalog] and [payments.Granter].
func (s *Service) Months(g Goods) *Months { return &Months{Goods: g, service: s} }

// Months is made by [Service.Months].
type Months struct {
	Goods
	service *Service
}

// Product implements [payments.Catalog].
func (m *Months) Product(ctx context.Context, uri, buyer string) (payments.Product, error) {
	p, err := m.Goods.Product(ctx, uri, buyer)
	if err != nil || !p.Monthly {
		return p, err
	}
	next, held, goes, err := m.service.Next(ctx, uri, buyer)
	if err != nil {
		return p, err
	}
	if next == 0 {
		p.Version = int64(held)
		return p, nil
	}
	p.Version = int64(next)
	if !goes {
		if p.Price.Units, err = next.Share(p.Price.Units, m.service.Now()); err != nil {
			return p, err
		}
	}
	if !p.Open {
		return p, nil
	}
	return p, m.OpenPeriod(ctx, uri, p.Version)
}

// Granted implements [payments.Catalog]: who lacks a month was not granted it.
func (m *Months) Granted(ctx context.Context, buyer, product string) (string, error) {
	next, held, _, err := m.service.Next(ctx, product, buyer)
	if err != nil || held > 0 && next > 0 {
		return "", err
	}
	return m.Goods.Granted(ctx, buyer, product)
}

// Prepare implements [payments.Granter]. Who has paid so late that the month is over is granted the present one.
func (m *Months) Prepare(ctx context.Context, r payments.GrantRequest) (payments.PreparedGrant, error) {
	p, err := m.Goods.Product(ctx, r.Product, r.Buyer)
	if err != nil {
		return nil, err
	}
	if !p.Monthly {
		return m.Goods.Prepare(ctx, r)
	}
	period, now := Period(r.Version), m.service.utc()
	if !period.Valid() {
		return nil, fmt.Errorf("order %s is for %d, which is no month", r.Agreement, period)
	}
	if !now.Before(period.End()) {
		period = PeriodOf(now)
		if err := m.OpenPeriod(ctx, r.Product, int64(period)); err != nil {
			return nil, err
		}
	}
	if start := period.Start(); start.After(now) {
		r.Start = start
	}
	closes := period.Closes()
	r.Version, r.End = int64(period), &closes
	prepared, err := m.Goods.Prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	return &paidMonth{prepared, m.service, Payment{r.Product, r.Artist, r.Buyer, r.Agreement, period}}, nil
}

// paidMonth is the grant of a month that is noted when it is written.
type paidMonth struct {
	payments.PreparedGrant
	service *Service
	payment Payment
}

// Issue implements [payments.PreparedGrant].
func (p *paidMonth) Issue(ctx context.Context, tx payments.TX) (string, error) {
	grant, err := p.PreparedGrant.Issue(ctx, tx)
	if err != nil {
		return "", err
	}
	return grant, p.service.Paid(ctx, tx, p.payment)
}
