package media

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzCleanName holds that what a browser calls a file is kept as one name of few characters, which leads nowhere.
func FuzzCleanName(f *testing.F) {
	for _, name := range []string{
		"rain.flac", "../../etc/passwd", `C:\music\rain.flac`, "CON", "NUL.mp3", "Über den Fluß.flac", strings.Repeat("x", 300), strings.Repeat("ü", 300), "", ".", "..", "/", "a/", "a\x00b", "a\nb",
		"\u202egnp.exe", "\xff\xfe", " rain .flac ", "-rf", ".hidden", "a\\..\\b",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean := cleanName(name)
		if strings.ContainsAny(clean, "/\x00") || clean == ".." || clean == "." || !utf8.ValidString(clean) || len(clean) > 1000 || strings.ContainsFunc(clean, unicode.IsControl) {
			t.Errorf("%q becomes %q", name, clean)
		}
		if at := filepath.Join("/uploads", clean); !strings.HasPrefix(at, "/uploads") {
			t.Errorf("%q lies at %q", name, at)
		}
		if again := cleanName(clean); again != clean {
			t.Errorf("%q becomes %q, and then %q", name, clean, again)
		}
	})
}
