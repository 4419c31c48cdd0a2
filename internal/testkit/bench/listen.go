package main

import "context"

// listen measures what a play costs the instance that records it.
func (b *bench) listen(ctx context.Context) error {
	m, err := measuredIn(ctx, "./media/listen", "BenchmarkListen", "listen_cpu_us", "line_cpu_us")
	if err != nil {
		return err
	}
	if err := b.report("listen/cpu", m["listen_cpu_us"], "us", atMost(100)); err != nil {
		return err
	}
	return b.report("listen/line-cpu", m["line_cpu_us"], "us", noFloor)
}
