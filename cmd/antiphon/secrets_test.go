package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// forms are the ways in which a secret could stand somewhere: raw, hex, base64 and base64url. In the last two it may
// begin at any of three places of a group, so what is looked for is what the neighbours cannot change.
func forms(secret []byte) map[string][]byte {
	all := map[string][]byte{
		"raw": secret, "hex": []byte(hex.EncodeToString(secret)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(secret))),
	}
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 {
			text := encoding.EncodeToString(append(make([]byte, shift), secret...))
			begin := (shift*8 + 5) / 6
			end := (shift + len(secret)) * 8 / 6
			all[fmt.Sprintf("%s+%d", name, shift)] = []byte(text[begin:end])
		}
	}
	return all
}

// found names the form in which a secret stands in b, or is "".
func found(secret, b []byte) string {
	all := forms(secret)
	for _, form := range slices.Sorted(maps.Keys(all)) {
		if bytes.Contains(b, all[form]) {
			return form
		}
	}
	return ""
}

// foundIn returns the files below root in which a secret stands.
func foundIn(tb testing.TB, secret []byte, root string) []string {
	tb.Helper()
	var where []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if form := found(secret, b); form != "" {
			where = append(where, path+" ("+form+")")
		}
		return nil
	})
	if err != nil {
		tb.Fatalf("search %s: %v", root, err)
	}
	return where
}

func TestFound(t *testing.T) {
	t.Parallel()
	secret := []byte("\x00\xfb\xffsecret of thirty-two bytes\xfe\xfb\xef")
	other := bytes.Repeat([]byte{0xa5}, 64)
	texts := map[string][]byte{
		"raw": append(slices.Clone(other), secret...), "hex": []byte("x" + hex.EncodeToString(secret) + "y"),
		"HEX": []byte(strings.ToUpper(hex.EncodeToString(secret))),
	}
	for shift := range 5 {
		inside := slices.Concat(other[:shift], secret, other)
		texts[fmt.Sprintf("base64 after %d", shift)] = []byte(base64.StdEncoding.EncodeToString(inside))
		texts[fmt.Sprintf("base64url after %d", shift)] = []byte(base64.RawURLEncoding.EncodeToString(inside))
	}
	for name, text := range texts {
		if found(secret, text) == "" {
			t.Errorf("%s: not found", name)
		}
		wrong := slices.Clone(secret)
		wrong[16] ^= 1
		if form := found(wrong, text); form != "" {
			t.Errorf("%s: another secret was found as %s", name, form)
		}
	}
}
