package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		value  float64
		floor  floor
		line   string
		missed bool
	}{
		{0.8, atLeast(0.8), "x 0.800 u >=0.8 ok\n", false},
		{0.7999, atLeast(0.8), "x 0.800 u >=0.8 MISSED\n", true},
		{100, atMost(100), "x 100.000 u <=100 ok\n", false},
		{100.1, atMost(100), "x 100.100 u <=100 MISSED\n", true},
		{-1, noFloor, "x -1.000 u - ok\n", false},
	} {
		var out bytes.Buffer
		b := &bench{out: &out}
		if err := b.report("x", tc.value, "u", tc.floor); err != nil || out.String() != tc.line || b.missed != tc.missed {
			t.Errorf("%v %s: %q, missed %t, %v", tc.value, tc.floor, out.String(), b.missed, err)
		}
	}
	var out bytes.Buffer
	b := &bench{out: &out, json: true}
	want := `{"name":"x","value":2,"unit":"ms","floor":"<=1","ok":false}` + "\n"
	if err := b.report("x", 2, "ms", atMost(1)); err != nil || out.String() != want || !b.missed {
		t.Errorf("%s, %v", out.String(), err)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 100}, 3}} {
		if got := median(tc.values); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.values, got, tc.want)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"--only nothing", "--only seal,seal", "--only seal,", "--rounds 0", "seal", "--fast"} {
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || errors.Is(err, errMissed) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
