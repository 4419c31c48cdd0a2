package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// sale is a purchase on running instances, from the payment node's answer to the grant in the player's hands.
func (b *bench) sale(ctx context.Context) error {
	m, err := measured(ctx, "BenchmarkPurchase", "grant_p50_ms", "grant_max_ms")
	if err != nil {
		return err
	}
	if err := b.report("sale/grant-p50", m["grant_p50_ms"], "ms", noFloor); err != nil {
		return err
	}
	return b.report("sale/grant-max", m["grant_max_ms"], "ms", noFloor)
}

// idle is what an instance takes when there is nothing to do, a minute after its embedded FFmpeg has worked.
func (b *bench) idle(ctx context.Context) error {
	m, err := measured(ctx, "BenchmarkIdle", "idle_rss_MB", "idle_cpu_percent")
	if err != nil {
		return err
	}
	if err := b.report("idle/memory", m["idle_rss_MB"], "MB", atMost(100)); err != nil {
		return err
	}
	return b.report("idle/cpu", m["idle_cpu_percent"], "%", noFloor)
}

// click is from a click on play to the first sound in Chromium, the median of ten.
func (b *bench) click(ctx context.Context) error {
	m, err := measured(ctx, "BenchmarkClickToSound", "click_to_sound_ms")
	if err != nil {
		return err
	}
	return b.report("click/sound", m["click_to_sound_ms"], "ms", atMost(600))
}

// coldClick is the same in ten browsers that hold nothing but the seed, through 2 of 3 proxies on loopback.
func (b *bench) coldClick(ctx context.Context) error {
	m, err := measured(ctx, "BenchmarkColdClick", "cold_click_to_sound_ms")
	if err != nil {
		return err
	}
	return b.report("cold/sound", m["cold_click_to_sound_ms"], "ms", atMost(700))
}

// measured runs one of cmd/antiphon's benchmarks, which start real instances, and returns the metrics that it reports.
func measured(ctx context.Context, name string, metrics ...string) (map[string]float64, error) {
	return measuredIn(ctx, "./cmd/antiphon", name, metrics...)
}

// measuredIn runs a benchmark of a package and returns the metrics that it reports.
func measuredIn(ctx context.Context, pkg, name string, metrics ...string) (map[string]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+name+"$", "-benchtime", "1x", pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	found := map[string]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), name) {
			continue
		}
		// The name and the number of runs, then pairs of value and unit.
		words := strings.Fields(lines.Text())
		for i := 2; i+1 < len(words); i += 2 {
			if found[words[i+1]], err = strconv.ParseFloat(words[i], 64); err != nil {
				return nil, fmt.Errorf("%s says %q: %w", name, lines.Text(), err)
			}
		}
	}
	for _, metric := range metrics {
		if _, ok := found[metric]; !ok {
			return nil, fmt.Errorf("%s reports no %s:\n%s", name, metric, out)
		}
	}
	return found, nil
}
