package main

import (
	"encoding/binary"
	"math"
)

// maxLag is how far two decoders may be apart: an AAC encoder's priming, 2,112 samples at 44.1 kHz, and a little more.
const maxLag = 1536

// correlate is the largest normalized cross-correlation of two sounds (16-bit mono, little endian) within maxLag
// samples: 1 for the same sound, about 0 for two that have nothing in common.
func correlate(a, b []byte) float64 {
	x, y := samples(a), samples(b)
	best := 0.0
	for lag := -maxLag; lag <= maxLag; lag++ {
		best = max(best, at(x, y, lag))
	}
	return best
}

// at is the correlation with y shifted by lag, over two seconds from the middle.
func at(x, y []float64, lag int) float64 {
	const excerpt = 22050 * 2
	from := max(0, (len(x)-excerpt)/2)
	to := min(len(x), from+excerpt)
	var xy, xx, yy float64
	for i := from; i < to; i++ {
		j := i + lag
		if j < 0 || j >= len(y) {
			continue
		}
		xy += x[i] * y[j]
		xx += x[i] * x[i]
		yy += y[j] * y[j]
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

func samples(pcm []byte) []float64 {
	out := make([]float64, len(pcm)/2)
	for i := range out {
		out[i] = float64(int16(binary.LittleEndian.Uint16(pcm[2*i:])))
	}
	return out
}
