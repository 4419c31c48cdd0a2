package eip55

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The eight addresses are the examples of EIP-55's text.
func TestChecksum(t *testing.T) {
	t.Parallel()
	for _, want := range []string{
		"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
		"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	} {
		for _, in := range []string{want, strings.ToLower(want), "0x" + strings.ToUpper(want[2:])} {
			a, err := Parse(in)
			if err != nil || a.String() != want {
				t.Errorf("Parse(%q) = %s, %v", in, a, err)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"empty":          "",
		"no prefix":      "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"capital X":      "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
		"one case wrong": "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"short":          "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
		"long":           "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed0",
		"not hex":        "0xzaaeb6053f3e94c9b9a09f33669435e7ef1beaed",
		"space":          "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae ",
	} {
		if a, err := Parse(in); !errors.Is(err, ErrInvalid) || !a.IsZero() {
			t.Errorf("%s: Parse(%q) = %s, %v", name, in, a, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var a, b Address
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "address"))
		text, err := a.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.UnmarshalText(text); err != nil || a != b {
			t.Fatalf("%s came back as %s: %v", a, b, err)
		}
	})
}
