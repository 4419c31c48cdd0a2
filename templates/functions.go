package templates

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"html/template"
	"math"
	"net/url"
	"strings"
	"time"
)

// functions are what the pages may call.
func functions(words texts, files bundle) template.FuncMap {
	return template.FuncMap{
		"t":           words.say,
		"n":           words.count,
		"dollars":     words.dollars,
		"hasText":     words.has,
		"asset":       files.url,
		"preloads":    files.preloads,
		"icon":        icon,
		"sprite":      sprite,
		"hue":         hueClass,
		"waveform":    waveform,
		"blank":       blankCover,
		"clock":       clock,
		"when":        when,
		"monthYear":   func(t time.Time) string { return t.UTC().Format("January 2006") },
		"stamp":       stamp,
		"until":       until,
		"span":        span,
		"bytes":       byteCount,
		"percent":     percent,
		"share":       share,
		"num":         thousands,
		"host":        host,
		"b64":         func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) },
		"fingerprint": Fingerprint,
		"seconds":     func(d time.Duration) int { return int(d.Round(time.Second).Seconds()) },
		"join":        strings.Join,
		"initial":     initial,
		"args":        func(pairs ...any) (map[string]any, error) { return pairUp(pairs) },
	}
}

func pairUp(pairs []any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("args: a name without a value")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// clock writes a length as 3:07 or 1:02:09.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// when writes a day; the browser puts it into the reader's own form.
func when(t time.Time) template.HTML {
	return timeElement(t, "day", t.UTC().Format("2 January 2006"))
}

// stamp writes a moment; the browser puts it into the reader's own zone.
func stamp(t time.Time) template.HTML {
	return timeElement(t, "moment", t.UTC().Format("2 January 2006, 15:04 UTC"))
}

// until writes a moment that the browser counts down to.
func until(t time.Time) template.HTML {
	return timeElement(t, "until", t.UTC().Format("15:04 UTC"))
}

func timeElement(t time.Time, form, text string) template.HTML {
	if t.IsZero() {
		return ""
	}
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `" data-form="` + form + `">` + text + `</time>`)
}

// span writes a length in words that need no translation: 12 s, 3 min, 2 h.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(math.Ceil(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(math.Ceil(d.Minutes())))
	}
	return fmt.Sprintf("%d h", int(math.Ceil(d.Hours())))
}

func byteCount(n int64) string {
	size, unit := float64(n), 0
	for size >= 1000 && unit < 4 {
		size, unit = size/1000, unit+1
	}
	if size < 10 && unit > 0 {
		return fmt.Sprintf("%.1f %s", size, [...]string{"B", "kB", "MB", "GB", "TB"}[unit])
	}
	return fmt.Sprintf("%.0f %s", size, [...]string{"B", "kB", "MB", "GB", "TB"}[unit])
}

// percent is a part 0..1 as a whole number 0..100.
func percent(done float64) int {
	return int(math.Round(min(1, max(0, done)) * 100))
}

// share writes basis points as a percentage: 9,250 is 92.5%.
func share(basisPoints int) string {
	text := fmt.Sprintf("%.2f", float64(basisPoints)/100)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".") + "%"
}

func host(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Host
	}
	return ""
}

// initial is the first letter of a name, for a person without a picture.
func initial(name string) string {
	for _, r := range strings.TrimLeft(name, "@ ") {
		return strings.ToUpper(string(r))
	}
	return "?"
}

// seedOf gives a steady number for a text.
func seedOf(text string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(text))
	return h.Sum32()
}
