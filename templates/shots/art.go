package main

import (
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
)

const coverSize = 600

// covers are drawn from formulas: a color for each point of the unit square.
var covers = map[string]func(x, y float64) color.RGBA{
	"dusk": func(x, y float64) color.RGBA { // hills under a low sun
		hill := 0.62 + 0.08*math.Sin(x*7) + 0.03*math.Sin(x*23)
		near := 0.8 + 0.06*math.Sin(x*5+2)
		switch {
		case y > near:
			return mix(0x1a1423, 0x3d2a3f, x)
		case y > hill:
			return mix(0x5b3350, 0x7d4660, x)
		case math.Hypot(x-0.68, y-0.5) < 0.13:
			return mix(0xffe3b0, 0xffc27a, y)
		}
		return mix(0xf6b07a, 0xb4576a, 1-y)
	},
	"tide": func(x, y float64) color.RGBA { // bands of water
		band := math.Sin((y+0.05*math.Sin(x*6))*38) * (0.4 + y)
		return mix(0x0e3b43, 0x9fd8c8, 0.5+0.5*band)
	},
	"quarry": func(x, y float64) color.RGBA { // grey blocks
		block := math.Mod(math.Floor(x*5)*3+math.Floor(y*5)*7, 6) / 6
		return mix(0x2b2b2b, 0xd8d8d8, block)
	},
	"fern": func(x, y float64) color.RGBA {
		leaf := math.Abs(math.Sin(math.Atan2(y-1, x-0.5)*18)) * (1 - y*0.4)
		return mix(0x16301a, 0xa8c66c, leaf)
	},
	"violet": func(x, y float64) color.RGBA {
		ring := math.Sin(math.Hypot(x-0.3, y-0.35) * 42)
		return mix(0x2a1658, 0xc9a2ff, 0.5+0.5*ring)
	},
	"signal": func(x, y float64) color.RGBA {
		if math.Hypot(x-0.5, y-0.5) < 0.33 {
			return mix(0xf4f1ea, 0xf4f1ea, 0)
		}
		return mix(0xd7331d, 0xd7331d, 0)
	},
}

func mix(a, b uint32, part float64) color.RGBA {
	part = min(1, max(0, part))
	at := func(shift uint) uint8 {
		from, to := float64(a>>shift&255), float64(b>>shift&255)
		return uint8(from + (to-from)*part)
	}
	return color.RGBA{at(16), at(8), at(0), 255}
}

func writeCover(path string, draw func(x, y float64) color.RGBA) error {
	picture := image.NewRGBA(image.Rect(0, 0, coverSize, coverSize))
	for y := range coverSize {
		for x := range coverSize {
			picture.SetRGBA(x, y, draw(float64(x)/coverSize, float64(y)/coverSize))
		}
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(file, picture); err != nil {
		return err
	}
	return file.Close()
}

// writeTone writes 30 s of a soft tone as WAV: the preview of every sample.
func writeTone(path string) error {
	const rate, seconds = 8000, 30
	data := make([]byte, rate*seconds*2)
	for i := range rate * seconds {
		v := math.Sin(float64(i)*2*math.Pi*220/rate) * 2000
		binary.LittleEndian.PutUint16(data[2*i:], uint16(int16(v)))
	}
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	binary.LittleEndian.PutUint32(head[4:], uint32(36+len(data)))
	head = binary.LittleEndian.AppendUint32(head, rate)
	head = binary.LittleEndian.AppendUint32(head, rate*2)
	head = append(head, 2, 0, 16, 0)
	head = append(head, "data"...)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(data)))
	return os.WriteFile(path, append(head, data...), 0o644)
}

// peaks is a waveform that breathes like a song.
func peaks(seed int) []byte {
	bars := make([]byte, 120)
	for i := range bars {
		x := float64(i) / float64(len(bars))
		form := 0.35 + 0.4*math.Abs(math.Sin(x*math.Pi*float64(2+seed%3)))
		beat := 0.25 * math.Abs(math.Sin(float64(i*7+seed*13)))
		fade := min(1, min(x, 1-x)*12)
		bars[i] = byte(255 * min(1, (form+beat)*fade))
	}
	return bars
}
