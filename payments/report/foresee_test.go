package report_test

import (
	"errors"
	"fmt"
	"testing"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// TestForesee divides a month that is not over, by what was heard so far.
func TestForesee(t *testing.T) {
	t.Parallel()
	w := setup(t, t.TempDir()+"/here.db")
	heard := func(track string, plays int64, shares ...royalty.Share) report.Heard {
		return report.Heard{Track: track, Plays: plays, Seconds: 200 * plays, Artists: shares}
	}
	alone := func(artist string) royalty.Share { return royalty.Share{Artist: artist, Points: 10_000} }
	for name, c := range map[string]struct {
		heard []report.Heard
		want  string
	}{
		"nothing":  {nil, "[] carried 9.000000"},
		"one":      {[]report.Heard{heard("1", 3, alone("a"))}, "[{a 9.000000}] carried 0.000000"},
		"several":  {[]report.Heard{heard("1", 4, alone("a")), heard("2", 2, alone("b")), heard("3", 3, alone("a"))}, "[{a 7.000000} {b 2.000000}] carried 0.000000"},
		"a shared": {[]report.Heard{heard("1", 1, royalty.Share{Artist: "a", Points: 7500}, royalty.Share{Artist: "b", Points: 2500})}, "[{a 6.750000} {b 2.250000}] carried 0.000000"},
		"no plays": {[]report.Heard{heard("1", 0, alone("a"))}, "[] carried 9.000000"},
	} {
		share, err := w.service.Foresee(t.Context(), october, listener("l1"), c.heard)
		if got := fmt.Sprint(share.Portions, " carried ", share.Carried); err != nil || got != c.want || share.Stage != "" {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
	if _, err := w.service.Foresee(t.Context(), october, listener("l1"), []report.Heard{heard("1", 1, royalty.Share{Artist: "a", Points: 1})}); !errors.Is(err, royalty.ErrInvalid) {
		t.Errorf("shares that are no whole: %v", err)
	}
	if _, err := w.service.Foresee(t.Context(), "2020-01", listener("l1"), nil); !errors.Is(err, contract.ErrUnknown) {
		t.Errorf("a month before the pool: %v", err)
	}
}
