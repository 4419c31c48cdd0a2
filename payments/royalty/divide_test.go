package royalty_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"antiphon/payments/royalty"
)

// plays makes what was heard, in whole plays, of artists a, b, c, ...
func plays(counts ...int64) []royalty.Heard {
	var heard []royalty.Heard
	for i, n := range counts {
		heard = append(heard, royalty.Heard{Artist: string(rune('a' + i)), Units: n * royalty.Unit, Seconds: n * 60})
	}
	return heard
}

const month = royalty.Month("2026-10")

// divide is the parts as text, in the order of rank.
func divide(t *testing.T, policy royalty.Policy, pool royalty.Micro, heard []royalty.Heard) (texts []string) {
	t.Helper()
	parts, err := royalty.Divide(policy, month, "00112233445566778899aabbccddeeff", pool, heard)
	if err != nil {
		t.Fatal(err)
	}
	var sum royalty.Micro
	for _, p := range parts {
		texts = append(texts, p.Artist+" "+p.Micro.String())
		sum += p.Micro
	}
	if len(parts) > 0 && sum != pool {
		t.Errorf("parts sum to %s of %s", sum, pool)
	}
	return texts
}

func TestDivide(t *testing.T) {
	t.Parallel()
	equal := royalty.DefaultPolicy()
	equal.Split = royalty.Equal
	tests := []struct {
		name   string
		policy royalty.Policy
		pool   royalty.Micro
		heard  []royalty.Heard
		want   []string
	}{
		{"four, two places of rest", royalty.DefaultPolicy(), royalty.Pool, plays(7, 7, 7, 2), nil},
		{"pool of an odd micro", royalty.DefaultPolicy(), 9_000_001, plays(5, 5, 5), nil},
		{"with an anomaly", royalty.DefaultPolicy(), royalty.Pool, plays(41, 17, 9, 400), []string{"d 7.708779", "a 0.790150", "b 0.327623", "c 0.173448"}},
		{"without it", royalty.DefaultPolicy(), royalty.Pool, plays(41, 17, 9), []string{"a 5.507463", "b 2.283582", "c 1.208955"}},
		{"first of the worked month", royalty.DefaultPolicy(), royalty.Pool, plays(50, 30, 20), []string{"a 4.500000", "b 2.700000", "c 1.800000"}},
		{"one play", royalty.DefaultPolicy(), royalty.Pool, plays(1), []string{"a 9.000000"}},
		{"nothing", royalty.DefaultPolicy(), royalty.Pool, nil, nil},
		{"no plays", royalty.DefaultPolicy(), royalty.Pool, plays(0, 0), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := divide(t, tt.policy, tt.pool, tt.heard)
			if tt.want != nil && !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.want == nil && (tt.heard == nil || tt.heard[0].Units == 0) && got != nil {
				t.Errorf("got %q of nothing", got)
			}
		})
	}
	t.Run("amounts of ties", func(t *testing.T) {
		t.Parallel()
		for _, tt := range []struct {
			policy royalty.Policy
			pool   royalty.Micro
			heard  []royalty.Heard
			want   []string
		}{
			{royalty.DefaultPolicy(), royalty.Pool, plays(7, 7, 7, 2), []string{"2.739131", "2.739130", "2.739130", "0.782609"}},
			{equal, royalty.Pool, plays(9, 8, 7, 6, 5, 4, 3), []string{"1.285715", "1.285715", "1.285714", "1.285714", "1.285714", "1.285714", "1.285714"}},
			{equal, royalty.Pool, plays(9, 8, 7, 6, 5, 4, 3, 2, 1), slices.Repeat([]string{"1.000000"}, 9)},
			{royalty.DefaultPolicy(), 9_000_001, plays(5, 5, 5), []string{"3.000001", "3.000000", "3.000000"}},
			{
				royalty.DefaultPolicy(), royalty.Pool, plays(120, 80, 60, 40, 30, 20, 15, 10, 5, 5, 3, 1),
				[]string{"2.842105", "1.894737", "1.421053", "0.947369", "0.710526", "0.473684", "0.355263", "0.236842", "0.118421"},
			},
		} {
			var got []string
			for _, text := range divide(t, tt.policy, tt.pool, tt.heard) {
				got = append(got, text[2:])
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		}
	})
}

// The ninth place of two artists with equal plays and seconds falls differently from listener to listener.
func TestTieFavorsNobody(t *testing.T) {
	t.Parallel()
	heard := plays(20, 19, 18, 17, 16, 15, 14, 13, 5, 5)
	ninth := map[string]int{}
	for i := range 400 {
		parts, err := royalty.Divide(royalty.DefaultPolicy(), month, fmt.Sprintf("%032x", i), royalty.Pool, heard)
		if err != nil || len(parts) != 9 {
			t.Fatal(parts, err)
		}
		ninth[parts[8].Artist]++
	}
	if ninth["i"] < 120 || ninth["j"] < 120 {
		t.Errorf("ninth place fell %v of 400 times", ninth)
	}
	// More seconds decide before the draw.
	heard[9].Seconds++
	parts, err := royalty.Divide(royalty.DefaultPolicy(), month, fmt.Sprintf("%032x", 0), royalty.Pool, heard)
	if err != nil || parts[8].Artist != "j" {
		t.Errorf("ninth is %v, %v; want j, who was heard for longer", parts, err)
	}
}

func TestDivideRefuses(t *testing.T) {
	t.Parallel()
	good := plays(3, 2)
	for name, tt := range map[string]struct {
		policy royalty.Policy
		pool   royalty.Micro
		heard  []royalty.Heard
	}{
		"negative pool":  {royalty.DefaultPolicy(), -1, good},
		"no policy":      {royalty.Policy{}, royalty.Pool, good},
		"negative units": {royalty.DefaultPolicy(), royalty.Pool, []royalty.Heard{{Artist: "a", Units: -1}}},
		"nobody":         {royalty.DefaultPolicy(), royalty.Pool, []royalty.Heard{{Units: 1}}},
		"twice":          {royalty.DefaultPolicy(), royalty.Pool, append(plays(1), plays(2)...)},
		"beyond 2^63":    {royalty.DefaultPolicy(), royalty.Pool, []royalty.Heard{{Artist: "a", Units: math.MaxInt64}, {Artist: "b", Units: 1}}},
	} {
		if parts, err := royalty.Divide(tt.policy, month, "p", tt.pool, tt.heard); !errors.Is(err, royalty.ErrInvalid) {
			t.Errorf("%s: got %v, %v", name, parts, err)
		}
	}
	// A million million plays is much, and no overflow.
	if parts, err := royalty.Divide(royalty.DefaultPolicy(), month, "p", royalty.Pool, plays(1e12, 2e12)); err != nil || parts[0].Micro != 6_000_000 {
		t.Errorf("10^12 plays: %v, %v", parts, err)
	}
}

func TestDivideProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		policy := royalty.DefaultPolicy()
		policy.Top = rapid.IntRange(1, 12).Draw(t, "top")
		if rapid.Bool().Draw(t, "equal") {
			policy.Split = royalty.Equal
		}
		n := rapid.IntRange(0, 30).Draw(t, "artists")
		var heard []royalty.Heard
		for i := range n {
			heard = append(heard, royalty.Heard{
				Artist: fmt.Sprint("https://a.example/", i), Units: rapid.Int64Range(0, 1e16).Draw(t, "units"), Seconds: rapid.Int64Range(0, 1e6).Draw(t, "seconds"),
			})
		}
		pool := royalty.Micro(rapid.Int64Range(0, 1e12).Draw(t, "pool"))
		parts, err := royalty.Divide(policy, month, "p", pool, heard)
		if err != nil {
			t.Fatal(err)
		}
		units := map[string]int64{}
		for _, h := range heard {
			units[h.Artist] = h.Units
		}
		var sum royalty.Micro
		for i, p := range parts {
			sum += p.Micro
			if p.Micro < 0 || units[p.Artist] == 0 {
				t.Fatalf("%v for %d units", p, units[p.Artist])
			}
			if i > 0 && (units[p.Artist] > units[parts[i-1].Artist] || p.Micro > parts[i-1].Micro) {
				t.Fatalf("%v after %v is out of order", p, parts[i-1])
			}
		}
		if len(parts) > policy.Top || len(parts) > 0 && sum != pool {
			t.Fatalf("%d parts sum to %s of %s", len(parts), sum, pool)
		}
		// The order in which they are given changes nothing.
		again, err := royalty.Divide(policy, month, "p", pool, rapid.Permutation(heard).Draw(t, "shuffled"))
		if err != nil || !slices.Equal(parts, again) {
			t.Fatalf("%v, then %v, %v", parts, again, err)
		}
	})
}

func TestCredit(t *testing.T) {
	t.Parallel()
	got, err := royalty.Credit(7, []royalty.Share{{"a", 3333}, {"b", 3333}, {"c", 3334}})
	if err != nil || got[0].Units != 23331 || got[1].Units != 23331 || got[2].Units != 23338 {
		t.Errorf("got %v, %v", got, err)
	}
	for name, shares := range map[string][]royalty.Share{
		"short": {{"a", 9999}}, "long": {{"a", 9999}, {"b", 2}}, "nothing": nil, "negative": {{"a", 10001}, {"b", -1}},
	} {
		if got, err := royalty.Credit(1, shares); !errors.Is(err, royalty.ErrInvalid) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := royalty.Credit(math.MaxInt64, []royalty.Share{{"a", 10000}}); !errors.Is(err, royalty.ErrInvalid) {
		t.Errorf("too many plays: %v, %v", got, err)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for decimals, want := range map[int]string{18: "8700000000000000000", 6: "8700000", 7: "87000000"} {
		got, err := royalty.Micro(8_700_000).Tokens(decimals)
		if err != nil || got.String() != want {
			t.Errorf("%d decimals: %s, %v; want %s", decimals, got, err, want)
		}
	}
	for _, decimals := range []int{5, 0, -1, 78} {
		if got, err := royalty.Micro(1).Tokens(decimals); !errors.Is(err, royalty.ErrInvalid) {
			t.Errorf("%d decimals: %s, %v", decimals, got, err)
		}
	}
	if got := royalty.Micro(-1_500_000).String(); got != "-1.500000" {
		t.Error(got)
	}
}
