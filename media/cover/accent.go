package cover

import (
	"fmt"
	"image"
	"math"
)

// minContrast is what WCAG 2.2, success criterion 1.4.3, asks of text.
const minContrast = 4.5

// accents takes the color that most of the colorful part of a picture has, and
// makes it dark enough for a white page and light enough for a black one.
func accents(img *image.RGBA) (light, dark string) {
	hue, saturation := mainHue(img)
	// From the middle outward until the contrast is there.
	for l := 50; l >= 0; l-- {
		if c := hsl(hue, saturation, float64(l)/100); contrast(c, white) >= minContrast {
			light = c.String()
			break
		}
	}
	for l := 50; l <= 100; l++ {
		if c := hsl(hue, saturation, float64(l)/100); contrast(c, black) >= minContrast {
			dark = c.String()
			break
		}
	}
	return light, dark
}

// mainHue gives the hue, 0 to 1, with the most color in it, and a saturation
// that is neither shrill nor, unless the picture is gray, pale.
func mainHue(img *image.RGBA) (hue, saturation float64) {
	const bins = 36
	var weight, sum, sat [bins]float64
	var total float64
	for i := 0; i+3 < len(img.Pix); i += 4 {
		h, s, l := toHSL(rgb{img.Pix[i], img.Pix[i+1], img.Pix[i+2]})
		w := s * (1 - math.Abs(2*l-1))
		b := min(int(h*bins), bins-1)
		weight[b] += w
		sum[b] += w * h
		sat[b] += w * s
		total += w
	}
	best := 0
	for b := range weight {
		if weight[b] > weight[best] {
			best = b
		}
	}
	if pixels := float64(len(img.Pix) / 4); total < 0.02*pixels {
		return 0, 0
	}
	return sum[best] / weight[best], min(max(sat[best]/weight[best], 0.35), 0.8)
}

type rgb struct{ r, g, b uint8 }

var (
	white = rgb{255, 255, 255}
	black = rgb{}
)

// String is "#rrggbb".
func (c rgb) String() string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

// luminance is WCAG 2.2's relative luminance.
func (c rgb) luminance() float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast is WCAG 2.2's contrast ratio, 1 to 21.
func contrast(a, b rgb) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// toHSL and hsl convert as in CSS Color 4, section 7, with all values 0 to 1.
func toHSL(c rgb) (h, s, l float64) {
	r, g, b := float64(c.r)/255, float64(c.g)/255, float64(c.b)/255
	high, low := max(r, g, b), min(r, g, b)
	l = (high + low) / 2
	d := high - low
	if d == 0 {
		return 0, 0, l
	}
	s = d / (1 - math.Abs(2*l-1))
	switch high {
	case r:
		h = math.Mod((g-b)/d+6, 6)
	case g:
		h = (b-r)/d + 2
	default:
		h = (r-g)/d + 4
	}
	return h / 6, min(s, 1), l
}

func hsl(h, s, l float64) rgb {
	channel := func(n float64) uint8 {
		k := math.Mod(n+h*12, 12)
		v := l - s*min(l, 1-l)*max(-1, min(k-3, 9-k, 1))
		return uint8(math.Round(v * 255))
	}
	return rgb{channel(0), channel(8), channel(4)}
}
