package royalty_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"antiphon/payments/royalty"
)

func FuzzParseLine(f *testing.F) {
	f.Add("00112233445566778899aabbccddeeff|https://a.example/users/ada|https://a.example/tracks/1|10000|200")
	f.Add("00112233445566778899aabbccddeeff|a|b|010000|200")
	f.Add("||||")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := royalty.ParseLine(text)
		if err != nil {
			if !errors.Is(err, royalty.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if l.String() != text {
			t.Fatalf("%q writes itself as %q", text, l.String())
		}
	})
}

func FuzzParseSplitLine(f *testing.F) {
	f.Add("00112233445566778899aabbccddeeff|https://a.example/users/ada|4500000")
	f.Add("00112233445566778899aabbccddeeff|a|-1")
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := royalty.ParseSplitLine(text); err == nil && l.String() != text {
			t.Fatalf("%q writes itself as %q", text, l.String())
		}
	})
}

func TestPseudonym(t *testing.T) {
	t.Parallel()
	key := [32]byte{1}
	a := royalty.Pseudonym(key, "2026-10", "https://b.example/users/lin")
	if len(a) != 32 {
		t.Error(a)
	}
	for name, other := range map[string]string{
		"month":    royalty.Pseudonym(key, "2026-11", "https://b.example/users/lin"),
		"key":      royalty.Pseudonym([32]byte{2}, "2026-10", "https://b.example/users/lin"),
		"listener": royalty.Pseudonym(key, "2026-10", "https://b.example/users/lim"),
	} {
		if other == a {
			t.Errorf("another %s has the same pseudonym", name)
		}
	}
}

func TestEmptyTree(t *testing.T) {
	t.Parallel()
	var tree royalty.Tree
	root := tree.Root()
	if got := hex.EncodeToString(root[:]); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Error(got)
	}
}

func TestMonth(t *testing.T) {
	t.Parallel()
	last := time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	if m := royalty.MonthOf(last); m != "2026-12" || m.Next() != "2027-01" || !m.Next().Start().Equal(last.Add(1)) {
		t.Errorf("%s, then %s", m, m.Next())
	}
	if m := royalty.MonthOf(last.In(time.FixedZone("east", 3600))); m != "2026-12" {
		t.Errorf("in another zone it is %s", m)
	}
	for _, text := range []string{"", "2026-13", "2026-1", "2026-10-01", "26-10", "2026-10 "} {
		if m, err := royalty.ParseMonth(text); !errors.Is(err, royalty.ErrInvalid) {
			t.Errorf("%q is month %q", text, m)
		}
	}
}
