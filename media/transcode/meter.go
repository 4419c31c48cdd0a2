package transcode

import (
	"encoding/binary"
	"fmt"
	"time"
)

// PeakCount is how many values a waveform has.
const PeakCount = 800

// meter takes a whole track as mono s16le. From it come the waveform, the true
// length, and how far the job has come.
type meter struct {
	rate     int
	expected time.Duration
	progress func(float64)

	blocks  []uint16 // the peak of each hundredth of a second
	peak    uint16   // of the block that is being filled
	filled  int      // samples in it
	samples int64
	half    []byte // of a sample
	told    float64
}

func newMeter(rate int, expected time.Duration, progress func(float64)) *meter {
	return &meter{rate: rate, expected: expected, progress: progress}
}

// Write implements io.Writer. It fails when the track goes on long after it
// should have ended, which bounds the job's memory and time.
func (m *meter) Write(p []byte) (int, error) {
	n := len(p)
	if len(m.half) > 0 {
		p = append(m.half, p...)
	}
	block := max(m.rate/100, 1)
	for ; len(p) > 1; p = p[2:] {
		v := int(int16(binary.LittleEndian.Uint16(p)))
		m.peak = max(m.peak, uint16(max(v, -v)))
		if m.filled++; m.filled == block {
			m.blocks = append(m.blocks, m.peak)
			m.samples += int64(m.filled)
			m.peak, m.filled = 0, 0
		}
	}
	m.half = append(m.half[:0:0], p...)
	if d := m.duration(); d > m.expected+m.expected/10+10*time.Second {
		return 0, fmt.Errorf("%w: the recording is longer than the %s that were announced", ErrOutputTooLarge, m.expected)
	}
	if done := min(m.duration().Seconds()/m.expected.Seconds(), 1); m.progress != nil && done >= m.told+0.01 {
		m.told = done
		m.progress(done)
	}
	return n, nil
}

func (m *meter) duration() time.Duration {
	return time.Duration(m.samples+int64(m.filled)) * time.Second / time.Duration(m.rate)
}

// peaks gives PeakCount values: the highest sample of each part of the track,
// 255 for full scale.
func (m *meter) peaks() []byte {
	blocks := m.blocks
	if m.filled > 0 {
		blocks = append(blocks[:len(blocks):len(blocks)], m.peak)
	}
	peaks := make([]byte, PeakCount)
	if len(blocks) == 0 {
		return peaks
	}
	for i := range peaks {
		from := i * len(blocks) / PeakCount
		to := max((i+1)*len(blocks)/PeakCount, from+1)
		var peak uint16
		for _, b := range blocks[from:to] {
			peak = max(peak, b)
		}
		peaks[i] = byte(min(int(peak)*255/32767, 255))
	}
	return peaks
}
