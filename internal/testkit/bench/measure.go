package main

import (
	"fmt"
	"slices"
	"syscall"
	"time"
)

// cpu is the processor time, user and system, that this program has used, and the programs that it has waited for. Other
// load on the machine hardly changes it.
func cpu() (self, children time.Duration, err error) {
	var own, others syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, 0, fmt.Errorf("read own processor time: %w", err)
	}
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &others); err != nil {
		return 0, 0, fmt.Errorf("read children's processor time: %w", err)
	}
	total := func(u syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }
	return total(own), total(others), nil
}

// cost is the processor time of one call of run, as the mean of as many calls as fit into the given time.
func cost(during time.Duration, run func() error) (time.Duration, error) {
	before, _, err := cpu()
	if err != nil {
		return 0, err
	}
	begin, calls := time.Now(), 0
	for time.Since(begin) < during {
		if err := run(); err != nil {
			return 0, err
		}
		calls++
	}
	after, _, err := cpu()
	return (after - before) / time.Duration(calls), err
}

// wall is how long run takes.
func wall(run func() error) (time.Duration, error) {
	begin := time.Now()
	err := run()
	return time.Since(begin), err
}

// median of one value or more; of an even number the mean of the middle two.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
