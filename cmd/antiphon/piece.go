package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
)

// The piece that the demo plays when it is given none: synthesized here, dedicated to the public domain (CC0). Two voices
// answer each other over a drone, one left and one right, as two choirs do.
const (
	pieceRate = 44100
	beat      = pieceRate * 3 / 8
)

// call and response are semitones above the pitch; rest is a pause.
const rest = -100

var (
	call     = []int{0, 3, 7, 12, 10, 7, 5, rest, 3, 5, 7, 3, 2, 0, rest, rest}
	response = []int{rest, rest, 7, 10, 12, 15, 14, 12, rest, 10, 8, 7, 5, 3, 2, 0}
)

// writePiece writes so many seconds of the piece as a WAV file, stereo, 16 bits, with the first voice on a pitch in Hz.
func writePiece(w io.Writer, seconds int, pitch float64) error {
	const frameBytes = 4
	frames := pieceRate * seconds
	b := bufio.NewWriter(w)
	header := []any{
		[]byte("RIFF"), uint32(36 + frames*frameBytes), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(2), uint32(pieceRate),
		uint32(pieceRate * frameBytes), uint16(frameBytes), uint16(16), []byte("data"), uint32(frames * frameBytes),
	}
	for _, v := range header {
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			return err
		}
	}
	for i := range frames {
		drone := 0.12 * math.Sin(math.Pi*pitch*float64(i)/pieceRate)
		left := drone + voice(call, pitch, i)
		right := drone + voice(response, pitch, i)
		// Each choir is heard faintly from the other side.
		for _, sample := range []float64{left + 0.3*right, right + 0.3*left} {
			sample *= fade(i, frames)
			if err := binary.Write(b, binary.LittleEndian, int16(math.Tanh(sample)*math.MaxInt16*0.9)); err != nil {
				return err
			}
		}
	}
	return b.Flush()
}

// voice is a plucked tone with three overtones at frame i of a melody that repeats.
func voice(melody []int, base float64, i int) float64 {
	note := melody[i/beat%len(melody)]
	if note == rest {
		return 0
	}
	t := float64(i%beat) / pieceRate
	pitch := base * math.Pow(2, float64(note)/12)
	tone := 0.0
	for n := 1.0; n <= 4; n++ {
		tone += math.Sin(2*math.Pi*pitch*n*t) / (n * n) * math.Exp(-3*n*t)
	}
	return 0.5 * tone * min(1, t*200)
}

func fade(i, frames int) float64 {
	const length = pieceRate * 2
	return min(1, float64(frames-i)/length)
}
