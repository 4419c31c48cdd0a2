package templates

import (
	"fmt"
	"math"
	"strconv"
)

// The accents of a page are made in the style sheet from a hue alone:
// lightness and chroma are fixed there, so contrast is decided once for all
// covers. A hue travels as a class because the policy forbids inline styles.
const (
	hueStep   = 10
	minChroma = 0.025
)

// hueClass is the class of a cover's color ("#rrggbb"): "hue-0" to "hue-350"
// in OKLCH degrees, "hue-none" for a color without one, and "" when the color
// is missing or malformed.
func hueClass(hex string) string {
	if len(hex) != 7 || hex[0] != '#' {
		return ""
	}
	rgb, err := strconv.ParseUint(hex[1:], 16, 32)
	if err != nil {
		return ""
	}
	a, b := oklab(float64(rgb>>16&255)/255, float64(rgb>>8&255)/255, float64(rgb&255)/255)
	if math.Hypot(a, b) < minChroma {
		return "hue-none"
	}
	degrees := math.Mod(math.Atan2(b, a)*180/math.Pi+360, 360)
	return fmt.Sprintf("hue-%d", int(math.Round(degrees/hueStep))*hueStep%360)
}

// oklab gives the two color axes of OKLab for an sRGB color in 0..1
// (Björn Ottosson's matrices).
func oklab(r, g, b float64) (float64, float64) {
	r, g, b = linear(r), linear(g), linear(b)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return 1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s
}

func linear(c float64) float64 {
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}
