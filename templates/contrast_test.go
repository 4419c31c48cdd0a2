package templates

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// shade is a color of the style sheet: lightness, and chroma for a full hue.
type shade struct{ l, c float64 }

var shadePattern = regexp.MustCompile(`--([a-z-]+):oklch\(([0-9.]+)% (?:calc\(([0-9.]+)\*var\(--chroma\)\) var\(--hue\)|0 0)\)`)

// TestContrast holds every accent that a cover can bring to WCAG 2.2 AA.
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("assets/css/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "@media (prefers-color-scheme:dark)")
	if !ok {
		t.Fatal("tokens.css has no dark scheme")
	}
	for name, part := range map[string]string{"light": light, "dark": dark} {
		shades := map[string]shade{}
		for _, m := range shadePattern.FindAllStringSubmatch(part, -1) {
			l, _ := strconv.ParseFloat(m[2], 64)
			c, _ := strconv.ParseFloat("0"+m[3], 64)
			shades[m[1]] = shade{l / 100, c}
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "bg", 7}, {"ink", "wash", 7}, {"ink", "surface", 7}, {"ink", "tint", 7},
			{"quiet", "bg", 4.5}, {"quiet", "wash", 4.5}, {"quiet", "surface", 4.5}, {"quiet", "tint", 4.5},
			{"accent", "bg", 4.5}, {"accent", "wash", 4.5}, {"accent", "surface", 4.5}, {"accent", "tint", 4.5},
			{"on-accent", "accent", 4.5}, {"on-accent", "accent-strong", 4.5},
			{"edge", "bg", 3}, {"edge", "wash", 3}, {"edge", "surface", 3},
		} {
			front, okFront := shades[pair.front]
			back, okBack := shades[pair.back]
			if !okFront || !okBack {
				t.Fatalf("%s: no shade %s or %s", name, pair.front, pair.back)
			}
			worst, at := math.Inf(1), ""
			for hue := 0; hue < 360; hue += hueStep / 2 {
				for _, chroma := range []float64{0, 1} {
					if r := contrast(front, back, float64(hue), chroma); r < worst {
						worst, at = r, fmt.Sprintf("hue %d, chroma %g", hue, chroma)
					}
				}
			}
			if worst < pair.least {
				t.Errorf("%s: %s on %s is %.2f to 1 at %s, want %g", name, pair.front, pair.back, worst, at, pair.least)
			}
		}
	}
}

func contrast(a, b shade, hue, chroma float64) float64 {
	la, lb := luminance(a, hue, chroma), luminance(b, hue, chroma)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// luminance is WCAG's relative luminance of an OKLCH color, clipped to sRGB.
func luminance(s shade, hue, chroma float64) float64 {
	rad := hue * math.Pi / 180
	a, b := s.c*chroma*math.Cos(rad), s.c*chroma*math.Sin(rad)
	l := math.Pow(s.l+0.3963377774*a+0.2158037573*b, 3)
	m := math.Pow(s.l-0.1055613458*a-0.0638541728*b, 3)
	n := math.Pow(s.l-0.0894841775*a-1.2914855480*b, 3)
	clip := func(x float64) float64 { return min(1, max(0, x)) }
	return 0.2126*clip(4.0767416621*l-3.3077115913*m+0.2309699292*n) +
		0.7152*clip(-1.2684380046*l+2.6097574011*m-0.3413193965*n) +
		0.0722*clip(-0.0041960863*l-0.7034186147*m+1.7076147010*n)
}
