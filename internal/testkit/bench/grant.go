package main

import "context"

// grant is what a sale costs the seller, and what a play costs a proxy: with signatures, database and all.
func (b *bench) grant(ctx context.Context) error {
	m, err := measuredIn(ctx, "./api/play", "BenchmarkGrant", "issue_cpu_ms", "reencrypt_cpu_ms", "reencrypt_per_s", "umbral_cpu_ms")
	if err != nil {
		return err
	}
	if err := b.report("grant/issue-2-of-3", m["issue_cpu_ms"], "ms", atMost(5)); err != nil {
		return err
	}
	if err := b.report("grant/reencrypt", m["reencrypt_per_s"], "/s", atLeast(1000)); err != nil {
		return err
	}
	if err := b.report("grant/reencrypt-cpu", m["reencrypt_cpu_ms"], "ms", atMost(2)); err != nil {
		return err
	}
	return b.report("grant/reencrypt-over-umbral", m["reencrypt_cpu_ms"]/m["umbral_cpu_ms"], "x", noFloor)
}
