package account

import (
	"strings"
	"testing"
)

// Whatever the file is, what is read of it are bounded lists of name@host, each once.
func FuzzReadFollows(f *testing.F) {
	f.Add([]byte("Account address,Show boosts\nada@music.example,true\n"))
	f.Add([]byte("@ada@music.example\r\nADA@music.example\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		addresses, err := readFollows(raw)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, a := range addresses {
			name, host, ok := strings.Cut(a, "@")
			if !ok || name == "" || host == "" || seen[a] || len(a) > 320 {
				t.Errorf("read %q", a)
			}
			seen[a] = true
		}
		if len(addresses) == 0 || len(addresses) > maxLines {
			t.Errorf("%d addresses", len(addresses))
		}
	})
}
