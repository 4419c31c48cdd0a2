package royalty_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"antiphon/payments/royalty"
)

// report is one day's lines, in order, as Days wants them.
func report(lines ...royalty.Line) iter.Seq2[royalty.Line, error] {
	lines = slices.Clone(lines)
	slices.SortFunc(lines, func(a, b royalty.Line) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	return func(yield func(royalty.Line, error) bool) {
		for _, l := range lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func line(who int, artist string, plays int64) royalty.Line {
	return royalty.Line{
		Pseudonym: pseudonym(who), Artist: "https://a.example/" + artist, Track: "https://a.example/tracks/" + artist,
		Units: plays * royalty.Unit, Seconds: plays * 100,
	}
}

func pseudonym(n int) string { return fmt.Sprintf("%032x", n) }

// paid are listeners with those numbers.
func paid(who ...int) iter.Seq2[royalty.Listener, error] {
	return func(yield func(royalty.Listener, error) bool) {
		for _, n := range who {
			if !yield(royalty.Listener{Pseudonym: pseudonym(n)}, nil) {
				return
			}
		}
	}
}

type result struct {
	statement royalty.Statement
	splits    []string
	carried   []royalty.Listener
}

func compile(listeners iter.Seq2[royalty.Listener, error], days ...iter.Seq2[royalty.Line, error]) (r result, err error) {
	r.statement, err = royalty.Compile(royalty.DefaultPolicy(), month, listeners, days,
		func(l royalty.SplitLine) error { r.splits = append(r.splits, l.String()); return nil },
		func(l royalty.Listener) error { r.carried = append(r.carried, l); return nil })
	return r, err
}

func TestWorkedMonth(t *testing.T) {
	t.Parallel()
	got, err := compile(paid(1, 2, 3),
		report(line(1, "a", 20), line(1, "b", 30), line(2, "b", 4), line(2, "d", 5)),
		report(),
		report(line(1, "a", 30), line(1, "c", 20), line(2, "b", 6), line(3, "c", 1)))
	if err != nil {
		t.Fatal(err)
	}
	s := got.statement
	if s.Payments != 3 || s.Operator != 3_000_000 || s.Pool != 27_000_000 || s.CarryOut != 0 || s.Splits != 6 {
		t.Errorf("statement %+v", s)
	}
	for artist, want := range map[string]royalty.Micro{"a": 4_500_000, "b": 8_700_000, "c": 10_800_000, "d": 3_000_000} {
		if got := s.Artists["https://a.example/"+artist]; got != want {
			t.Errorf("%s gets %s, want %s", artist, got, want)
		}
	}
	var tree royalty.Tree
	for i, text := range got.splits {
		tree.Add(text)
		proof, err := royalty.Prove(got.splits, int64(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := royalty.CheckLine(proof, s.Splits, s.Root, int64(i), text); err != nil {
			t.Errorf("line %d: %v", i, err)
		}
		if err := royalty.CheckLine(proof, s.Splits, s.Root, int64(i), text+"0"); !errors.Is(err, royalty.ErrInvalid) {
			t.Errorf("altered line %d: %v", i, err)
		}
		if back, err := royalty.ParseSplitLine(text); err != nil || back.String() != text {
			t.Errorf("%q reads as %v, %v", text, back, err)
		}
	}
	if tree.Root() != s.Root {
		t.Error("the root is not that of the lines")
	}
}

func TestCarry(t *testing.T) {
	t.Parallel()
	// The third month without a play is carried, the fourth goes to all: 36 dollars by what each earned.
	silent := func(months int) iter.Seq2[royalty.Listener, error] {
		return func(yield func(royalty.Listener, error) bool) {
			_ = yield(royalty.Listener{Pseudonym: pseudonym(1), Carried: royalty.Micro(months) * royalty.Pool, Months: months}, nil) &&
				yield(royalty.Listener{Pseudonym: pseudonym(2)}, nil)
		}
	}
	got, err := compile(silent(2), report(line(2, "a", 2), line(2, "b", 1)))
	if err != nil || len(got.carried) != 1 || got.carried[0].Carried != 3*royalty.Pool || got.statement.CarryOut != 3*royalty.Pool || got.statement.Fund != 0 {
		t.Errorf("third month: %+v, %v", got, err)
	}
	got, err = compile(silent(3), report(line(2, "a", 2), line(2, "b", 1)))
	if err != nil || len(got.carried) != 0 || got.statement.Fund != 36_000_000 || got.statement.CarryOut != 0 {
		t.Errorf("fourth month: %+v, %v", got, err)
	}
	if a, b := got.statement.Artists["https://a.example/a"], got.statement.Artists["https://a.example/b"]; a != 30_000_000 || b != 15_000_000 {
		t.Errorf("a gets %s and b %s", a, b)
	}
	got, err = compile(silent(3))
	if err != nil || got.statement.CarryOut != 36_000_000+royalty.Pool {
		t.Errorf("nobody heard anything: %+v, %v", got, err)
	}
	// Heard again: all that was carried is divided.
	got, err = compile(silent(2), report(line(1, "a", 1)))
	if err != nil || got.statement.Artists["https://a.example/a"] != 3*royalty.Pool {
		t.Errorf("heard again: %+v, %v", got, err)
	}
}

// What comes to the common fund at once may be more than any listener leaves, and no more than one ledger counts.
func TestLargeFund(t *testing.T) {
	t.Parallel()
	fund := func(left royalty.Micro) iter.Seq2[royalty.Listener, error] {
		return func(yield func(royalty.Listener, error) bool) {
			_ = yield(royalty.Listener{Pseudonym: pseudonym(1), Carried: left, Months: 1200, Lapsed: true}, nil) &&
				yield(royalty.Listener{Pseudonym: pseudonym(2)}, nil)
		}
	}
	const most = 1_000_000_000_000_000
	got, err := compile(fund(most), report(line(2, "a", 2), line(2, "b", 1)))
	if a, b := got.statement.Artists["https://a.example/a"], got.statement.Artists["https://a.example/b"]; err != nil || a+b != most+royalty.Pool || a != 666_666_672_666_667 {
		t.Errorf("a gets %s and b %s, %v", a, b, err)
	}
	if _, err := compile(fund(most + 1)); !errors.Is(err, royalty.ErrInvalid) {
		t.Errorf("more than can be: %v", err)
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	backwards := func(yield func(royalty.Line, error) bool) {
		_ = yield(line(2, "a", 1), nil) && yield(line(1, "a", 1), nil)
	}
	broken := errors.New("broken disk")
	for name, tt := range map[string]struct {
		listeners iter.Seq2[royalty.Listener, error]
		day       iter.Seq2[royalty.Line, error]
		want      error
	}{
		"did not pay, first":  {paid(2), report(line(1, "a", 1)), royalty.ErrInvalid},
		"did not pay, last":   {paid(1), report(line(2, "a", 1)), royalty.ErrInvalid},
		"paid twice":          {paid(1, 1), report(), royalty.ErrInvalid},
		"listeners unordered": {paid(2, 1), report(), royalty.ErrInvalid},
		"lines unordered":     {paid(1, 2), backwards, royalty.ErrInvalid},
		"line twice":          {paid(1), report(line(1, "a", 1), line(1, "a", 1)), royalty.ErrInvalid},
		"negative":            {paid(1), report(line(1, "a", -1)), royalty.ErrInvalid},
		"a border in a name":  {paid(1), report(line(1, "a|b", 1)), royalty.ErrInvalid},
		"disk":                {paid(1), func(yield func(royalty.Line, error) bool) { yield(royalty.Line{}, broken) }, broken},
	} {
		if got, err := compile(tt.listeners, tt.day); !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v, %v", name, got.statement, err)
		}
	}
}

// However the plays lie on days, the sums hold and the lines are those of each listener alone.
func TestCompileProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		listeners := rapid.IntRange(1, 6).Draw(t, "listeners")
		days := make([]map[[2]int]int64, rapid.IntRange(1, 5).Draw(t, "days"))
		sums := make([]map[string]*royalty.Heard, listeners)
		for i := range sums {
			sums[i] = map[string]*royalty.Heard{}
		}
		var reports []iter.Seq2[royalty.Line, error]
		for d := range days {
			days[d] = map[[2]int]int64{}
			for range rapid.IntRange(0, 12).Draw(t, "lines") {
				key := [2]int{rapid.IntRange(0, listeners-1).Draw(t, "who"), rapid.IntRange(0, 11).Draw(t, "artist")}
				days[d][key] = rapid.Int64Range(1, 50).Draw(t, "plays")
			}
			var lines []royalty.Line
			for key, n := range days[d] {
				l := line(key[0], fmt.Sprint(key[1]), n)
				lines = append(lines, l)
				if sums[key[0]][l.Artist] == nil {
					sums[key[0]][l.Artist] = &royalty.Heard{Artist: l.Artist}
				}
				sums[key[0]][l.Artist].Units += l.Units
				sums[key[0]][l.Artist].Seconds += l.Seconds
			}
			reports = append(reports, report(lines...))
		}
		who := make([]int, listeners)
		for i := range who {
			who[i] = i
		}
		got, err := compile(paid(who...), reports...)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i, sum := range sums {
			var heard []royalty.Heard
			for _, h := range sum {
				heard = append(heard, *h)
			}
			parts, err := royalty.Divide(royalty.DefaultPolicy(), month, pseudonym(i), royalty.Pool, heard)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range parts {
				want = append(want, royalty.SplitLine{Pseudonym: pseudonym(i), Artist: p.Artist, Micro: p.Micro}.String())
			}
		}
		if !slices.Equal(got.splits, want) {
			t.Fatalf("splits %q, want %q", got.splits, want)
		}
		s := got.statement
		var total royalty.Micro
		for _, micro := range s.Artists {
			total += micro
		}
		if royalty.Micro(s.Payments)*royalty.Fee != s.Operator+s.Pool || s.Pool+s.CarryIn != total+s.CarryOut {
			t.Fatalf("sums do not hold: %+v", s)
		}
	})
}
