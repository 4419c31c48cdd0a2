package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"antiphon/media/pre/umbral"
)

// umbral runs media/pre/bench, which takes turns with the peer, and measures the making of a 2-of-3 grant's fragments.
func (b *bench) umbral(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "run", "./media/pre/bench", "-rounds", strconv.Itoa(b.rounds))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("media/pre/bench (was `npm ci --prefix media/pre/bench` run?): %w", err)
	}
	compared := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) != 3 {
			return fmt.Errorf("media/pre/bench says %q", lines.Text())
		}
		operation, ok := strings.CutPrefix(words[0], "ratio/")
		if !ok {
			continue
		}
		ratio, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			return err
		}
		compared++
		least := atLeast(1.7)
		if operation == "sum" {
			least = atLeast(2.5)
		}
		if err := b.report("umbral/"+operation, ratio, "x", least); err != nil {
			return err
		}
	}
	if compared != 6 {
		return fmt.Errorf("media/pre/bench compared %d figures, not five operations and their sum", compared)
	}
	return b.keyFrags(ctx)
}

func (b *bench) keyFrags(ctx context.Context) error {
	var secrets [3]*umbral.SecretKey
	for i := range secrets {
		var err error
		if secrets[i], err = umbral.GenerateSecretKey(rand.Reader); err != nil {
			return err
		}
	}
	params := umbral.KeyFragParams{
		Delegating: secrets[0], Receiving: secrets[1].PublicKey(), Signing: secrets[2], Threshold: 2, Shares: 3,
	}
	var times []float64
	for range b.rounds {
		each, err := cost(300*time.Millisecond, func() error {
			_, err := umbral.GenerateKeyFrags(rand.Reader, params)
			if err == nil {
				err = ctx.Err()
			}
			return err
		})
		if err != nil {
			return err
		}
		times = append(times, each.Seconds()*1000)
	}
	return b.report("umbral/kfrags-2-of-3", median(times), "ms", atMost(2))
}
