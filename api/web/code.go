package web

import (
	"fmt"
	"strings"

	"rsc.io/qr"

	"antiphon/templates"
)

// quiet is the zone around a QR code that readers ask for, in squares.
const quiet = 4

// codeOf is the QR code of a text; the zero Code when the text is too long for one.
func codeOf(text string) templates.Code {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return templates.Code{}
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			run := 1
			for code.Black(x+run, y) {
				run++
			}
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
			x += run
		}
	}
	return templates.Code{Size: code.Size + 2*quiet, Path: path.String()}
}
