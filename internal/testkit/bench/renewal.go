package main

import "context"

// renewal is the first of a month for a seller with 1,000 subscribers.
func (b *bench) renewal(ctx context.Context) error {
	m, err := measuredIn(ctx, "./federation/trade", "BenchmarkRenewal", "offer_s", "renewal_s", "renewal_cpu_s")
	if err != nil {
		return err
	}
	if err := b.report("renewal/1000-invoices", m["offer_s"], "s", noFloor); err != nil {
		return err
	}
	if err := b.report("renewal/1000-grants", m["renewal_s"], "s", atMost(30)); err != nil {
		return err
	}
	return b.report("renewal/1000-grants-cpu", m["renewal_cpu_s"], "s", noFloor)
}
