package amount_test

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"antiphon/payments/amount"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		units   uint64
		weights []int
		want    []uint64
	}{
		{10_000, []int{7000, 3000}, []uint64{7000, 3000}},
		{5_000_001, []int{6666, 3334}, []uint64{3_333_001, 1_667_000}}, // remainders .6666 and .3334
		{100, []int{3333, 3333, 3334}, []uint64{33, 33, 34}},
		{2, []int{1, 1, 1}, []uint64{1, 1, 0}}, // equal remainders: earlier ones first
		{0, []int{5000, 5000}, []uint64{0, 0}},
		{1, []int{0, 1}, []uint64{0, 1}},
	} {
		parts, err := amount.NewUnits(c.units).Split(c.weights)
		if err != nil || len(parts) != len(c.want) {
			t.Fatalf("%d by %v: %v, %v", c.units, c.weights, parts, err)
		}
		for i, want := range c.want {
			if parts[i] != amount.NewUnits(want) {
				t.Errorf("%d by %v: part %d is %s, want %d", c.units, c.weights, i, parts[i], want)
			}
		}
	}
	for _, bad := range [][]int{nil, {0}, {0, 0}, {-1, 2}} {
		if _, err := amount.NewUnits(7).Split(bad); !errors.Is(err, amount.ErrInvalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestSplitIsWhole holds that nothing is lost or made, that no part is off by a unit or more, and that equal weights get
// parts that differ by a unit at most.
func TestSplitIsWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "units")
		total := new(big.Int).SetBytes(raw)
		units, err := amount.UnitsFromBig(new(big.Int).Set(total))
		if err != nil {
			t.Fatal(err)
		}
		weights := rapid.SliceOfN(rapid.IntRange(0, 10_000), 1, 20).Draw(t, "weights")
		sum := int64(0)
		for _, w := range weights {
			sum += int64(w)
		}
		parts, err := units.Split(weights)
		if sum == 0 {
			if err == nil {
				t.Fatal("split by nothing")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		whole := new(big.Int)
		for i, part := range parts {
			whole.Add(whole, part.Big())
			// |part x sum - total x weight| < sum
			off := new(big.Int).Mul(part.Big(), big.NewInt(sum))
			off.Sub(off, new(big.Int).Mul(total, big.NewInt(int64(weights[i]))))
			if off.CmpAbs(big.NewInt(sum)) >= 0 {
				t.Fatalf("part %d of %s by %v is %s", i, total, weights, part)
			}
		}
		if whole.Cmp(total) != 0 {
			t.Fatalf("%s by %v makes %s", total, weights, whole)
		}
	})
}
