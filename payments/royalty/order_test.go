package royalty

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The order of lines is that of their bytes, also where one name begins with the other.
func TestCompareLines(t *testing.T) {
	t.Parallel()
	name := rapid.StringMatching(`[a-b{}~]{1,3}`)
	line := rapid.Custom(func(t *rapid.T) Line {
		return Line{Pseudonym: "p", Artist: name.Draw(t, "artist"), Track: name.Draw(t, "track"), Units: 1, Seconds: 1}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := line.Draw(t, "a"), line.Draw(t, "b")
		if got, want := compareLines(a, b), strings.Compare(a.String(), b.String()); got != want {
			t.Fatalf("%q and %q compare as %d, want %d", a, b, got, want)
		}
	})
}
