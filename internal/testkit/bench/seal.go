package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"time"

	"antiphon/media/seal"
)

// seal compares sealing a segment of almost 1 MiB with the block cipher alone, by processor time.
func (b *bench) seal(ctx context.Context) error {
	plain := make([]byte, 1<<20-aes.BlockSize)
	dst := make([]byte, 0, 1<<20)
	var key seal.SegmentKey
	var iv seal.IV
	var rates, shares []float64
	for range b.rounds {
		ours, err := cost(500*time.Millisecond, func() error {
			dst = seal.Encrypt(dst[:0], key, iv, plain)
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		alone, err := cost(500*time.Millisecond, func() error {
			block, err := aes.NewCipher(key[:])
			if err != nil {
				return err
			}
			cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(dst[:len(plain)], plain)
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		rates = append(rates, float64(len(plain))/1e6/ours.Seconds())
		shares = append(shares, alone.Seconds()/ours.Seconds())
	}
	if err := b.report("seal/speed", median(rates), "MB/s", noFloor); err != nil {
		return err
	}
	return b.report("seal/of-cbc", median(shares), "x", atLeast(0.8))
}
