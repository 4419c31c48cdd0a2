package payments_test

import (
	"strings"
	"testing"

	"antiphon/payments"
)

func TestParseCode(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"ABCD-EFGH-IJKL-MNOP-QRST":      "ABCD-EFGH-IJKL-MNOP-QRST",
		" abcd efgh ijkl mnop qrst\n":   "ABCD-EFGH-IJKL-MNOP-QRST",
		"ABCDEFGHIJKLMNOPQRST":          "ABCD-EFGH-IJKL-MNOP-QRST",
		"a8cd–0fgh-1jkl-mnop-qrs7":      "ABCD-OFGH-IJKL-MNOP-QRS7",
		"ABCD-EFGH-IJKL-MNOP-QRS":       "",
		"ABCD-EFGH-IJKL-MNOP-QRSTU":     "",
		"ABCD-EFGH-IJKL-MNOP-QRS9":      "",
		"ABCD-EFGH-IJKL-MNOP-QRSÄ":      "",
		"":                              "",
		strings.Repeat("ABCD-", 200):    "",
		"ABCD-EFGH-IJKL-MNOP-QRST\x00":  "",
		"ABCD_EFGH_IJKL_MNOP_QRST":      "",
		"ABCD-EFGH-IJKL-MNOP-QRST?x=y ": "",
	} {
		if got, ok := payments.ParseCode(typed); got != want || ok != (want != "") {
			t.Errorf("%q is read as %q, %t", typed, got, ok)
		}
	}
	if payments.HashCode("ABCD-EFGH-IJKL-MNOP-QRST") == payments.HashCode("ABCD-EFGH-IJKL-MNOP-QRSU") {
		t.Error("two codes have one hash")
	}
}

// FuzzParseCode holds that what is read is a code, that it is read again as itself, and that nothing else is.
func FuzzParseCode(f *testing.F) {
	for _, seed := range []string{"ABCD-EFGH-IJKL-MNOP-QRST", "abcd efgh ijkl mnop qrst", "0OB8-1I22-3344-5566-7777", "", "-", "ABCD-EFGH-IJKL-MNOP-QRS\u2010T"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := payments.ParseCode(typed)
		if !ok {
			if code != "" {
				t.Fatalf("%q is refused and read as %q", typed, code)
			}
			return
		}
		if len(code) != 24 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567-") != "" {
			t.Fatalf("%q is read as %q", typed, code)
		}
		if again, ok := payments.ParseCode(code); !ok || again != code {
			t.Fatalf("%q is read as %q", code, again)
		}
		if of := payments.CodeOf([]byte(typed + "0123456789012")); len(of) != 24 {
			t.Fatalf("a code is %q", of)
		}
	})
}
