package hls

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// box makes an MP4 box.
func box(name string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	out := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(out, name...), body...)
}

func u32(values ...uint32) []byte {
	var out []byte
	for _, v := range values {
		out = binary.BigEndian.AppendUint32(out, v)
	}
	return out
}

const timescale = 1000 // one unit is a millisecond

func testInit() []byte {
	mdhd := box("mdhd", u32(0, 0, 0, timescale, 0, 0x55c40000))
	trex := box("trex", u32(0, 1, 1, 250, 0, 0))
	return append(box("ftyp", []byte("iso5"), u32(512), []byte("iso5")),
		box("moov", box("trak", box("mdia", mdhd)), box("mvex", trex))...)
}

// frag makes a fragment of ms milliseconds whose mdat holds size bytes.
func frag(ms, size int) []byte {
	tfhd := box("tfhd", u32(0x020000, 1))
	trun := box("trun", u32(0x000101, 1, 0, uint32(ms)))
	return append(box("moof", box("traf", tfhd, trun)), box("mdat", bytes.Repeat([]byte{byte(ms)}, size))...)
}

func cutAll(r io.Reader, l Limits) (init []byte, out []Segment, err error) {
	init, segments, err := Cut(r, l)
	if err != nil {
		return nil, nil, err
	}
	for s, err := range segments {
		if err != nil {
			return init, out, err
		}
		out = append(out, s)
	}
	return init, out, nil
}

func TestCutGroups(t *testing.T) {
	t.Parallel()
	type f struct{ ms, size int }
	repeat := func(n, ms, size int) (out []f) {
		for range n {
			out = append(out, f{ms, size})
		}
		return out
	}
	for _, c := range []struct {
		name  string
		frags []f
		want  []int // milliseconds of each segment
	}{
		{"none", nil, nil},
		{"one, short", []f{{100, 10}}, []int{100}},
		{"fills six seconds", repeat(12, 1000, 10), []int{6000, 6000}},
		{"just over a second each", repeat(12, 1021, 10), []int{5105, 5105, 2042}},
		{"long enough tail stays", append(repeat(6, 1000, 10), repeat(2, 1000, 10)...), []int{6000, 2000}},
		{"tail fits into the neighbor", append(repeat(5, 1100, 10), f{500, 10}), []int{6000}},
		{"tail does not fit: balanced", append(repeat(6, 1000, 10), f{500, 10}), []int{3000, 3500}},
		{"balanced with three", append(repeat(12, 1000, 10), f{100, 10}), []int{6000, 3000, 3100}},
		{"cut by bytes", repeat(6, 1000, 400_000), []int{2000, 2000, 2000}},
		{"cut by bytes, odd one left", repeat(5, 1000, 400_000), []int{2000, 2000, 1000}},
		{"tail of a segment cut by bytes", append(repeat(4, 1000, 300_000), f{50, 20_000}), []int{2000, 2050}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := testInit()
			for _, f := range c.frags {
				in = append(in, frag(f.ms, f.size)...)
			}
			init, got, err := cutAll(iotest.OneByteReader(bytes.NewReader(in)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(init, testInit()) {
				t.Error("init section changed")
			}
			var ms []int
			whole := bytes.Clone(init)
			for _, s := range got {
				ms = append(ms, int(s.Duration/time.Millisecond))
				whole = append(whole, s.Data...)
			}
			if !bytes.Equal(whole, in) {
				t.Error("the segments are not the input in order")
			}
			if !slices.Equal(ms, c.want) {
				t.Errorf("segments of %v ms, want %v", ms, c.want)
			}
		})
	}
}

func TestCutKeepsLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := testInit()
		var total time.Duration
		for range rapid.IntRange(0, 40).Draw(t, "count") {
			ms := rapid.IntRange(1, 1200).Draw(t, "ms")
			total += time.Duration(ms) * time.Millisecond
			in = append(in, frag(ms, rapid.IntRange(1, 600).Draw(t, "size"))...)
		}
		limits := Limits{MaxDuration: 6 * time.Second, MaxBytes: 2000, MinDuration: 2 * time.Second}
		_, got, err := cutAll(bytes.NewReader(in), limits)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range got {
			total -= s.Duration
			if s.Duration <= 0 || s.Duration > limits.MaxDuration || len(s.Data) > limits.MaxBytes || len(s.Data) == 0 {
				t.Fatalf("segment of %s, %d bytes", s.Duration, len(s.Data))
			}
		}
		if total != 0 {
			t.Fatalf("%s were lost", total)
		}
	})
}

func TestCutLeavesIndexesOut(t *testing.T) {
	t.Parallel()
	in := bytes.Join([][]byte{
		testInit(), box("styp", make([]byte, 8)), box("sidx", make([]byte, 24)), frag(3000, 10), box("mfra", make([]byte, 40)),
	}, nil)
	_, got, err := cutAll(bytes.NewReader(in), Limits{})
	if err != nil || len(got) != 1 || !bytes.Equal(got[0].Data, frag(3000, 10)) {
		t.Errorf("%d segments, %v", len(got), err)
	}
}

func TestCutDefaultDurations(t *testing.T) {
	t.Parallel()
	withTfhd := box("tfhd", u32(0x020008, 1, 700))
	fromTrex := box("tfhd", u32(0x020000, 1))
	trun := box("trun", u32(0, 3))
	for want, tfhd := range map[time.Duration][]byte{2100 * time.Millisecond: withTfhd, 750 * time.Millisecond: fromTrex} {
		in := append(testInit(), box("moof", box("traf", tfhd, trun))...)
		in = append(in, box("mdat", []byte{1})...)
		_, got, err := cutAll(bytes.NewReader(in), Limits{})
		if err != nil || len(got) != 1 || got[0].Duration != want {
			t.Errorf("want %s: %v, %v", want, got, err)
		}
	}
}

func TestCutStopsWhenAsked(t *testing.T) {
	t.Parallel()
	in := testInit()
	for range 30 {
		in = append(in, frag(3000, 10)...)
	}
	_, segments, err := Cut(bytes.NewReader(in), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range segments {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d segments", n)
	}
}

func TestCutRefuses(t *testing.T) {
	t.Parallel()
	init := testInit()
	whole := append(bytes.Clone(init), frag(1000, 100)...)
	huge := u32(1)
	huge = append(append(huge, "mdat"...), 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	moof := box("moof", box("traf", box("tfhd", u32(0, 1)), box("trun", u32(0x100, 2, 1, 1))))
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"empty":                {nil, ErrNotFragmented},
		"no moov":              {box("ftyp", u32(1)), ErrNotFragmented},
		"text":                 {[]byte("hello, this is no mp4 at all"), ErrNotFragmented},
		"moov too large":       {append(box("ftyp"), u32(1<<30, 0x6d6f6f76)...), ErrNotFragmented},
		"two tracks":           {append(box("ftyp"), box("moov", box("trak", box("mdia", box("mdhd", u32(0, 0, 0, 1, 0, 0)))), box("trak", box("mdia", box("mdhd", u32(0, 0, 0, 1, 0, 0)))), box("mvex", box("trex", u32(0, 1, 1, 1, 0, 0))))...), ErrNotFragmented},
		"timescale 0":          {append(box("ftyp"), box("moov", box("trak", box("mdia", box("mdhd", u32(0, 0, 0, 0, 0, 0)))), box("mvex", box("trex", u32(0, 1, 1, 1, 0, 0))))...), ErrNotFragmented},
		"cut in a fragment":    {whole[:len(whole)-1], io.ErrUnexpectedEOF},
		"cut in a header":      {append(bytes.Clone(init), 0, 0, 0), io.ErrUnexpectedEOF},
		"moof alone":           {append(bytes.Clone(init), moof...), ErrNotFragmented},
		"two moofs":            {append(append(bytes.Clone(init), moof...), moof...), ErrNotFragmented},
		"mdat first":           {append(bytes.Clone(init), box("mdat", u32(1))...), ErrNotFragmented},
		"box of 3 bytes":       {append(bytes.Clone(init), 0, 0, 0, 3, 'm', 'o', 'o', 'f'), ErrNotFragmented},
		"mdat of 8 EiB":        {append(append(bytes.Clone(init), moof...), huge...), ErrFragmentTooLarge},
		"fragment too long":    {append(bytes.Clone(init), frag(6001, 1)...), ErrFragmentTooLarge},
		"fragment too large":   {append(bytes.Clone(init), frag(1000, 1<<20)...), ErrFragmentTooLarge},
		"trun says 4e9 runs":   {append(bytes.Clone(init), box("moof", box("traf", box("tfhd", u32(0, 1)), box("trun", u32(0, 0xffffffff))))...), ErrFragmentTooLarge},
		"trun short of itself": {append(bytes.Clone(init), box("moof", box("traf", box("trun", u32(0x100, 9, 1))))...), ErrNotFragmented},
	} {
		_, _, err := cutAll(bytes.NewReader(c.in), Limits{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte{})
	f.Add(append(testInit(), frag(1000, 10)...))
	f.Add(append(append(testInit(), frag(5900, 10)...), frag(300, 10)...))
	real, err := os.ReadFile(filepath.Join("testdata", "aac.mp4"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(real)
	f.Fuzz(func(t *testing.T, in []byte) {
		_, got, _ := cutAll(bytes.NewReader(in), Limits{})
		for _, s := range got {
			if len(s.Data) > len(in) || s.Duration > 6*time.Second {
				t.Fatalf("%d bytes, %s", len(s.Data), s.Duration)
			}
		}
	})
}

// The file is 3.2 s of a sine, made with FFmpeg 5.1: -c:a aac -b:a 16k -ac 1 -ar 8000
// -movflags +cmaf+delay_moov+skip_trailer -frag_duration 1000000.
func TestCutRealFile(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join("testdata", "aac.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, got, err := cutAll(f, Limits{MaxDuration: 1500 * time.Millisecond, MinDuration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var total time.Duration
	for _, s := range got {
		total += s.Duration
	}
	// 3.2 s and the encoder's 1024 samples of delay, in frames of 1024 samples
	if len(got) != 3 || total < 3200*time.Millisecond || total > 3500*time.Millisecond {
		t.Errorf("%d segments, %s", len(got), total)
	}
}
