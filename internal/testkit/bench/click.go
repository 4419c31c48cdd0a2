package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

var clickLine = regexp.MustCompile(`([0-9.]+) click_to_sound_ms`)

// click tells how long a listener waits from a click to sound, in a real browser at real instances. The figure knows the
// whole machine: other load on it counts.
func (b *bench) click(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkClickToSound$", "-benchtime", "1x", "./cmd/antiphon")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	line := clickLine.FindSubmatch(out)
	if line == nil {
		return fmt.Errorf("no figure in what the browser tells:\n%s", out)
	}
	ms, err := strconv.ParseFloat(string(line[1]), 64)
	if err != nil {
		return err
	}
	return b.report("click_to_sound", ms, "ms", noFloor)
}
