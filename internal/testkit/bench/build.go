package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// build tells the program's size and, with --cold, how long it takes to build with no cache at all.
func (b *bench) build(ctx context.Context) error {
	program, err := b.program(ctx)
	if err != nil {
		return err
	}
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	if err := b.report("build/size", float64(info.Size())/1e6, "MB", noFloor); err != nil || !b.cold {
		return err
	}
	cache := filepath.Join(b.dir, "gocache")
	_, before, err := cpu()
	if err != nil {
		return err
	}
	took, err := wall(func() error { return compile(ctx, filepath.Join(b.dir, "cold"), "GOCACHE="+cache) })
	if err != nil {
		return err
	}
	_, after, err := cpu()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(cache); err != nil {
		return err
	}
	if err := b.report("build/cold", took.Seconds(), "s", noFloor); err != nil {
		return err
	}
	return b.report("build/cold-cpu", (after - before).Seconds(), "s", noFloor)
}

// program builds antiphon once a run and returns its path.
func (b *bench) program(ctx context.Context) (string, error) {
	path := filepath.Join(b.dir, "antiphon")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, compile(ctx, path)
}

func compile(ctx context.Context, to string, env ...string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, "./cmd/antiphon")
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/antiphon: %w\n%s", err, out)
	}
	return nil
}
