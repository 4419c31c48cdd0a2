package amount

import (
	"encoding/json"
	"errors"
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"pgregory.net/rapid"
)

const (
	usdc = "eip155:42161/erc20:0xaf88d065e77c8cC2239327C5EDb3A432268e5831"
	dev  = "antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
	top  = "115792089237316195423570985008687907853269984665640564039457584007913129639935"
)

func TestParseUnits(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"0", "1", "9007199254740993", "18446744073709551616", "10000000000000000000", top} {
		u, err := ParseUnits(in)
		if err != nil || u.String() != in {
			t.Errorf("ParseUnits(%q) = %s, %v", in, u, err)
		}
	}
	for _, in := range []string{
		"", "+5", "-5", "05", "00", "1e3", "5.0", "5,00", " 5", "5 ", "0x5", "NaN", "Infinity", "1_000",
		"٥", "５", "115792089237316195423570985008687907853269984665640564039457584007913129639936",
		strings.Repeat("9", 78), strings.Repeat("1", 79), "1" + strings.Repeat("0", 1<<20),
	} {
		if u, err := ParseUnits(in); !errors.Is(err, ErrInvalid) || !u.IsZero() {
			t.Errorf("ParseUnits(%.90q) = %s, %v", in, u, err)
		}
	}
}

func TestUnitsJSON(t *testing.T) {
	t.Parallel()
	for _, in := range []string{`5`, `null`, `1e3`, `"+5"`, `"05"`, `""`, `"\u0035"`, `["5"]`, `true`, `9007199254740993`} {
		var u Units
		if err := json.Unmarshal([]byte(in), &u); err == nil {
			t.Errorf("%s was read as %s", in, u)
		}
	}
	for _, in := range []string{`{}`, `{"amount":"5"}`, `{"asset":"iso4217:EUR"}`, `{"amount":null,"asset":"iso4217:EUR"}`, `{"amount":"5","asset":null}`, `null`} {
		var a Amount
		if err := json.Unmarshal([]byte(in), &a); err == nil {
			t.Errorf("%s was read as %s", in, a)
		}
	}
	a := Amount{Units: must(ParseUnits(top)), Asset: usdc}
	data := must(json.Marshal(a))
	if want := `{"amount":"` + top + `","asset":"` + usdc + `"}`; string(data) != want {
		t.Fatalf("got %s", data)
	}
	var back Amount
	if err := json.Unmarshal(data, &back); err != nil || back != a {
		t.Fatalf("came back as %s: %v", back, err)
	}
}

func TestParseAsset(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Asset{
		usdc: usdc, dev: dev, "iso4217:EUR": "iso4217:EUR",
		strings.ToLower(usdc): usdc, // an address without a checksum gets one
	} {
		if a, err := ParseAsset(in); err != nil || a != want {
			t.Errorf("ParseAsset(%q) = %s, %v", in, a, err)
		}
	}
	for _, in := range []string{
		"", "EUR", "iso4217:", "iso4217:eur", "iso4217:ZZZ", "iso4217:XXX", "iso4217:EURO", "ISO4217:EUR",
		strings.Replace(usdc, "af88", "aF88", 1), strings.Replace(usdc, "eip155", "bip122", 1),
		strings.Replace(usdc, "42161", "042161", 1), strings.Replace(usdc, "42161", "0", 1), strings.Replace(usdc, "42161", "-1", 1),
		strings.Replace(usdc, "42161", "18446744073709551616", 1), strings.Replace(usdc, "erc20", "erc721", 1), usdc + "/1", usdc[:len(usdc)-1],
	} {
		if a, err := ParseAsset(in); !errors.Is(err, ErrInvalid) || a != "" {
			t.Errorf("ParseAsset(%q) = %s, %v", in, a, err)
		}
	}
	if contract, ok := Asset(dev).Contract(); !ok || contract.String() != dev[len(dev)-42:] || !Asset(dev).Development() {
		t.Errorf("contract of the development asset: %s, %v", contract, ok)
	}
	if _, ok := Asset("iso4217:EUR").Contract(); ok {
		t.Error("a currency has no contract")
	}
}

func TestArithmetic(t *testing.T) {
	t.Parallel()
	a, b, euro := New(7, usdc), New(5, usdc), New(5, "iso4217:EUR")
	if sum, err := a.Add(b); err != nil || sum != New(12, usdc) {
		t.Errorf("7+5 = %s, %v", sum, err)
	}
	if diff, err := a.Sub(b); err != nil || diff != New(2, usdc) {
		t.Errorf("7-5 = %s, %v", diff, err)
	}
	if _, err := b.Sub(a); !errors.Is(err, ErrInvalid) {
		t.Errorf("5-7: %v", err)
	}
	if _, err := (Amount{must(ParseUnits(top)), usdc}).Add(New(1, usdc)); !errors.Is(err, ErrInvalid) {
		t.Errorf("overflow: %v", err)
	}
	for name, op := range map[string]func() error{
		"add": func() error { _, err := a.Add(euro); return err },
		"sub": func() error { _, err := a.Sub(euro); return err },
		"cmp": func() error { _, err := a.Cmp(euro); return err },
	} {
		if err := op(); !errors.Is(err, ErrAsset) {
			t.Errorf("%s of two assets: %v", name, err)
		}
	}
	if _, err := FromBig(big.NewInt(-1), usdc); !errors.Is(err, ErrInvalid) {
		t.Errorf("-1: %v", err)
	}
	n := a.Units.Big()
	n.SetInt64(99)
	if a != New(7, usdc) {
		t.Error("the big.Int is not a copy")
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		units    string
		decimals int
		want     string
	}{
		{"5250000", 6, "5.25"}, {"5000000", 6, "5"}, {"1", 6, "0.000001"}, {"0", 6, "0"}, {"10000000000000000000", 18, "10"},
		{"7", 0, "7"}, {top, 18, top[:60] + "." + top[60:]}, {"100", 2, "1"},
	} {
		u := must(ParseUnits(c.units))
		if got := u.Decimal(c.decimals); got != c.want {
			t.Errorf("%s with %d decimals = %s, want %s", c.units, c.decimals, got, c.want)
		}
		if back, err := ParseDecimal(c.want, c.decimals); err != nil || back != u {
			t.Errorf("ParseDecimal(%s, %d) = %s, %v", c.want, c.decimals, back, err)
		}
	}
	for _, in := range []string{"", ".", ".5", "5.", "5,25", "+5", "-5", "05", "1e3", "5.0000001", "5.2.5", "5.-1", "NaN", top} {
		if u, err := ParseDecimal(in, 6); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseDecimal(%q) = %s, %v", in, u, err)
		}
	}
	if u, err := ParseDecimal("5.250000", 6); err != nil || u != NewUnits(5250000) {
		t.Errorf("trailing zeros: %s, %v", u, err)
	}
}

func TestUnitsProperties(t *testing.T) {
	t.Parallel()
	draw := func(t *rapid.T, name string) Units {
		return must(UnitsFromBig(new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, name))))
	}
	rapid.Check(t, func(t *rapid.T) {
		u, v, decimals := draw(t, "u"), draw(t, "v"), rapid.IntRange(0, 77).Draw(t, "decimals")
		if back, err := ParseUnits(u.String()); err != nil || back != u {
			t.Fatalf("%s came back as %s: %v", u, back, err)
		}
		if back, err := ParseDecimal(u.Decimal(decimals), decimals); err != nil || back != u {
			t.Fatalf("%s came back from its display as %s: %v", u, back, err)
		}
		if sum, err := u.Add(v); err == nil {
			if back, err := sum.Sub(v); err != nil || back != u || sum.Cmp(u) < 0 {
				t.Fatalf("%s + %s - %s = %s: %v", u, v, v, back, err)
			}
		}
		if u.Cmp(v) != u.Big().Cmp(v.Big()) {
			t.Fatalf("cmp of %s and %s", u, v)
		}
	})
}

func TestSQL(t *testing.T) {
	t.Parallel()
	db := must(gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "amount.db")), &gorm.Config{}))
	sqlDB := must(db.DB())
	t.Cleanup(func() { sqlDB.Close() })
	type row struct {
		ID    int
		Price Amount `gorm:"embedded;embeddedPrefix:price_"`
	}
	if err := db.Exec(`CREATE TABLE rows (id INTEGER PRIMARY KEY, price_units TEXT NOT NULL, price_asset TEXT NOT NULL)`).Error; err != nil {
		t.Fatal(err)
	}
	want := Amount{must(ParseUnits(top)), usdc}
	if err := db.Create(&row{ID: 1, Price: want}).Error; err != nil {
		t.Fatal(err)
	}
	var got row
	if err := db.First(&got, 1).Error; err != nil || got.Price != want {
		t.Fatalf("came back as %s: %v", got.Price, err)
	}
	var u Units
	if err := db.Raw(`SELECT 5`).Row().Scan(&u); err == nil {
		t.Error("a numeric column was read")
	}
	if err := db.Raw(`SELECT NULL`).Row().Scan(&u); err == nil {
		t.Error("NULL was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("5000000", usdc)
	f.Add("05", dev)
	f.Add(top, "iso4217:EUR")
	f.Fuzz(func(t *testing.T, units, asset string) {
		a, err := Parse(units, asset)
		if err != nil {
			return
		}
		if a.Units.String() != units {
			t.Errorf("%q was read as %s", units, a.Units)
		}
		if again, err := ParseAsset(string(a.Asset)); err != nil || again != a.Asset {
			t.Errorf("%q: canonical form %q is not stable", asset, a.Asset)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
