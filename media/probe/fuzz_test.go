package probe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzTidy(f *testing.F) {
	f.Add("  Tide\u202e\tTable \x00\xff")
	f.Add("one\r\ntwo\rthree")
	f.Add(strings.Repeat("é ", 600))
	f.Fuzz(func(t *testing.T, s string) {
		for _, limit := range []int{maxTag, maxLyrics} {
			got := tidy(s, limit)
			if !utf8.ValidString(got) || utf8.RuneCountInString(got) > limit || strings.TrimSpace(got) != got {
				t.Errorf("tidy(%q) = %q", s, got)
			}
			for _, r := range got {
				if unicode.IsControl(r) && (r != '\n' || limit == maxTag) || isBidiControl(r) {
					t.Errorf("tidy(%q) left %U", s, r)
				}
			}
		}
	})
}

func FuzzSniff(f *testing.F) {
	for _, s := range []string{"", "fLaC", "RIFF\x00\x00\x00\x00WAVE", "FORM", "#EXTM3U", "\xef\xbb\xbf<?xml <playlist", "\xff", "\xff\xfb"} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		audio, err := sniff(path)
		if (len(b) == 0) != (err != nil && strings.Contains(err.Error(), "empty")) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
		if audio && err != nil {
			t.Errorf("audio and refused: %q", b)
		}
	})
}
