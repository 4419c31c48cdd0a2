package templates

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

// icons are drawn here: 24 units square, lines of 1.75 units, no fill.
var icons = map[string]string{
	"play":     `<path d="M7 4.5v15l12.5-7.5z" fill="currentColor" stroke-linejoin="round"/>`,
	"pause":    `<path d="M8 5v14M16 5v14" stroke-width="3.5"/>`,
	"previous": `<path d="M18 5.5v13L8.5 12zM6 5.5v13" stroke-linejoin="round"/>`,
	"next":     `<path d="M6 5.5v13l9.5-6.5zM18 5.5v13" stroke-linejoin="round"/>`,
	"volume":   `<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11" stroke-linejoin="round"/>`,
	"queue":    `<path d="M4 6.5h16M4 12h10M4 17.5h10M17.5 13v6l4-3z" stroke-linejoin="round"/>`,
	"close":    `<path d="m6 6 12 12M18 6 6 18"/>`,
	"check":    `<path d="m5 12.5 4.5 4.5L19 7.5" stroke-linejoin="round"/>`,
	"cross":    `<path d="M12 7v6.5M12 16.8v.2"/><circle cx="12" cy="12" r="9"/>`,
	"arrow":    `<path d="M5 12h14M13 6l6 6-6 6" stroke-linejoin="round"/>`,
	"back":     `<path d="M19 12H5M11 6l-6 6 6 6" stroke-linejoin="round"/>`,
	"out":      `<path d="M9 5H5v14h14v-4M13 5h6v6M19 5l-9 9" stroke-linejoin="round"/>`,
	"upload":   `<path d="M12 16V5M7.5 9 12 4.5 16.5 9M4.5 15.5v4h15v-4" stroke-linejoin="round"/>`,
	"key":      `<circle cx="8" cy="15.5" r="4"/><path d="m11 12.5 8-8M16 7.5l2.5 2.5M13.5 10l2 2" stroke-linejoin="round"/>`,
	"copy":     `<path d="M9 9h11v11H9zM5.5 15H4V4h11v1.5" stroke-linejoin="round"/>`,
	"heart":    `<path d="M12 19.5S4 15 4 9.3A4.3 4.3 0 0 1 12 7a4.3 4.3 0 0 1 8 2.3c0 5.7-8 10.2-8 10.2z" stroke-linejoin="round"/>`,
	"boost":    `<path d="M7 20V7M3.5 10.5 7 7l3.5 3.5M17 4v13M13.5 13.5 17 17l3.5-3.5" stroke-linejoin="round"/>`,
	"more":     `<path d="m6 9.5 6 6 6-6" stroke-linejoin="round"/>`,
	"clock":    `<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5l3.5 2"/>`,
	"search":   `<circle cx="10.5" cy="10.5" r="6"/><path d="m15 15 5 5"/>`,
}

// icon shows one icon of the page's [sprite]; it says nothing to a screen
// reader, the words beside it do.
func icon(name string) (template.HTML, error) {
	if _, ok := icons[name]; !ok {
		return "", fmt.Errorf("no icon %q", name)
	}
	return template.HTML(`<svg class="icon" aria-hidden="true"><use href="#i-` + name + `"/></svg>`), nil
}

// sprite holds every drawing once: a list of fifty rows then carries names.
func sprite() template.HTML {
	var all strings.Builder
	all.WriteString(`<svg hidden>`)
	for _, name := range slices.Sorted(maps.Keys(icons)) {
		fmt.Fprintf(&all, `<symbol id="i-%s" viewBox="0 0 24 24">%s</symbol>`, name, icons[name])
	}
	for i := range blankKinds {
		fmt.Fprintf(&all, `<symbol id="blank-%d" viewBox="0 0 100 100">%s</symbol>`, i, rings(i))
	}
	all.WriteString(`</svg>`)
	return template.HTML(all.String())
}

// waveform draws peaks (0..255) as bars around a middle line.
func waveform(peaks []byte) template.HTML {
	if len(peaks) == 0 {
		return ""
	}
	var path strings.Builder
	for i, p := range peaks {
		half := max(1, int(p)*20/255)
		fmt.Fprintf(&path, "M%d %dv%d", i*3+1, 20-half, 2*half)
	}
	return template.HTML(fmt.Sprintf(
		`<svg class="waveform" viewBox="0 0 %d 40" preserveAspectRatio="none" aria-hidden="true" focusable="false"><path d="%s"/></svg>`,
		len(peaks)*3-1, path.String()))
}

// blankKinds is how many covers there are for what has none.
const blankKinds = 8

// blankCover shows a cover for what has none, always the same for a title.
func blankCover(title string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="blank" aria-hidden="true"><use href="#blank-%d"/></svg>`, seedOf(title)%blankKinds))
}

// rings draws two half circles that answer each other, turned and spaced by
// the kind.
func rings(kind int) string {
	var path strings.Builder
	gap := 4 + kind*5%7
	for i := range 4 {
		r := 12 + i*9
		fmt.Fprintf(&path, `M%d %da%d %d 0 0 0 0 %dM%d %da%d %d 0 0 1 0 %d`,
			50-gap, 50-r, r, r, 2*r, 50+gap, 50-r, r, r, 2*r)
	}
	return fmt.Sprintf(`<path transform="rotate(%d 50 50)" d="%s"/>`, kind*45+15, path.String())
}
