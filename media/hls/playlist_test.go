package hls

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func cid(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	out := []byte("bafkrei" + strings.Repeat("a", 52))
	for i := len(out) - 1; n > 0; i-- {
		out[i] = letters[n%32]
		n /= 32
	}
	return string(out)
}

func iv(n int) (out [16]byte) {
	copy(out[:], fmt.Sprintf("%016d", n))
	return out
}

func testMedia(segments int) Media {
	m := Media{Rendition: "aac128", Init: cid(0)}
	for i := range segments {
		m.Segments = append(m.Segments, MediaSegment{CID: cid(i + 1), IV: iv(i), Duration: 5_120_000 * time.Microsecond, Size: 80_000})
	}
	return m
}

func TestMediaMarshal(t *testing.T) {
	t.Parallel()
	m := testMedia(1)
	m.Segments = append(m.Segments, MediaSegment{CID: cid(2), IV: iv(1), Duration: 2500 * time.Millisecond, Size: 40_000})
	got, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n" +
		"#EXT-X-MAP:URI=\"" + cid(0) + "\"\n" +
		"#EXT-X-KEY:METHOD=AES-128,URI=\"key://antiphon/aac128\",IV=0x30303030303030303030303030303030\n#EXTINF:5.12000,\n" + cid(1) + "\n" +
		"#EXT-X-KEY:METHOD=AES-128,URI=\"key://antiphon/aac128\",IV=0x30303030303030303030303030303031\n#EXTINF:2.50000,\n" + cid(2) + "\n" +
		"#EXT-X-ENDLIST\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	v := m.Variant(cid(9), CodecAAC)
	if v.Bandwidth != 128_000 || v.AverageBandwidth != 125_984 { // 40 kB in 2.5 s; 120 kB in 7.62 s
		t.Errorf("bandwidth %d, average %d", v.Bandwidth, v.AverageBandwidth)
	}
}

func TestMediaRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := Media{Rendition: rapid.StringMatching(`[a-z0-9]{1,16}`).Draw(t, "rendition"), Init: cid(rapid.IntRange(0, 1e6).Draw(t, "init"))}
		for i := range rapid.IntRange(1, 30).Draw(t, "segments") {
			m.Segments = append(m.Segments, MediaSegment{
				CID: cid(i + 7), IV: iv(i), Duration: time.Duration(rapid.IntRange(100, 3_000_000).Draw(t, "duration")) * 10 * time.Microsecond,
			})
		}
		b, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{string(b), strings.ReplaceAll(string(b), "\n", "\r\n"), strings.ReplaceAll(string(b), "#EXTINF", "# a comment\n#EXTINF")} {
			got, err := ParseMedia(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, got); diff != "" {
				t.Fatal(diff)
			}
		}
		// another reader sees the same
		var other playlist.Media
		if err := other.Unmarshal(b); err != nil || len(other.Segments) != len(m.Segments) || other.Map.URI != m.Init || !other.Endlist {
			t.Fatalf("gohlslib reads it otherwise: %v", err)
		}
	})
}

func TestMediaLongest(t *testing.T) {
	t.Parallel()
	m := testMedia(MaxSegments)
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseMedia(strings.NewReader(string(b)))
	if err != nil || len(got.Segments) != MaxSegments {
		t.Errorf("%d segments, %v", len(got.Segments), err)
	}
	if _, err := testMedia(MaxSegments + 1).Marshal(); !errors.Is(err, ErrTooManySegments) {
		t.Errorf("one more: %v", err)
	}
	if n := len(got.CIDs()); n != MaxSegments+1 {
		t.Errorf("%d cids", n)
	}
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()
	change := func(f func(m *Media)) Media { m := testMedia(3); f(&m); return m }
	for name, c := range map[string]struct {
		m    Media
		want error
	}{
		"no segments":      {testMedia(0), ErrSyntax},
		"rendition":        {change(func(m *Media) { m.Rendition = `x",URI="http://a` }), ErrKey},
		"init":             {change(func(m *Media) { m.Init = "init.mp4" }), ErrName},
		"absolute segment": {change(func(m *Media) { m.Segments[1].CID = "https://x.example/" + cid(3) }), ErrName},
		"no duration":      {change(func(m *Media) { m.Segments[2].Duration = 0 }), ErrSyntax},
		"iv used twice":    {change(func(m *Media) { m.Segments[2].IV = m.Segments[0].IV }), ErrKey},
	} {
		if b, err := c.m.Marshal(); !errors.Is(err, c.want) || b != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestParseMediaRefuses(t *testing.T) {
	t.Parallel()
	b, err := testMedia(3).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	replace := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the playlist", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	before := func(mark, line string) string { return replace(mark, line+"\n"+mark) }
	mapLine := `#EXT-X-MAP:URI="` + cid(0) + `"`
	short := strings.Split(good, "#EXT-X-KEY")
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"empty":                   {"", ErrSyntax},
		"html":                    {"<html>", ErrSyntax},
		"bom":                     {"\ufeff" + good, ErrSyntax},
		"not utf-8":               {good + "\xff", ErrSyntax},
		"control character":       {replace("#EXTINF:5.12000,", "#EXTINF:5.12000,\x00"), ErrSyntax},
		"no segments":             {short[0] + "#EXT-X-ENDLIST\n", ErrSyntax},
		"no end":                  {replace("#EXT-X-ENDLIST\n", ""), ErrSyntax},
		"segment after the end":   {good + cid(5) + "\n", ErrSyntax},
		"live":                    {replace("VOD", "EVENT"), ErrSyntax},
		"starts later":            {replace("SEQUENCE:0", "SEQUENCE:7"), ErrSyntax},
		"absolute segment":        {replace(cid(1), "https://x.example/"+cid(1)), ErrName},
		"rooted segment":          {replace(cid(1), "/ipfs/"+cid(1)), ErrName},
		"parent segment":          {replace(cid(1), "../"+cid(1)), ErrName},
		"scheme-relative segment": {replace(cid(1), "//x.example/"+cid(1)), ErrName},
		"query":                   {replace(cid(1), cid(1)+"?x"), ErrName},
		"cid v0":                  {replace(cid(1), "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"), ErrName},
		"identity cid":            {replace(cid(1), "bafkqaaa"), ErrName},
		"upper case":              {replace(cid(1), strings.ToUpper(cid(1))), ErrName},
		"space before":            {replace(cid(1), " "+cid(1)), ErrName},
		"absolute init":           {replace(`URI="`+cid(0), `URI="https://x.example/`+cid(0)), ErrName},
		"second map":              {before("#EXT-X-ENDLIST", mapLine), ErrSyntax},
		"map behind key":          {strings.Replace(replace(mapLine+"\n", ""), "#EXTINF", mapLine+"\n#EXTINF", 1), ErrSyntax},
		"no map":                  {replace(mapLine+"\n", ""), ErrSyntax},
		"map with a range":        {replace(cid(0)+`"`, cid(0)+`",BYTERANGE="10@0"`), ErrSyntax},
		"byte range":              {before("#EXTINF", "#EXT-X-BYTERANGE:10@0"), ErrSyntax},
		"part":                    {before("#EXTINF", `#EXT-X-PART:DURATION=1,URI="http://x"`), ErrSyntax},
		"session key":             {before("#EXTINF", `#EXT-X-SESSION-KEY:METHOD=AES-128,URI="http://x"`), ErrSyntax},
		"key from the network":    {replace("key://antiphon/aac128", "https://x.example/key"), ErrKey},
		"no key":                  {replace("METHOD=AES-128", "METHOD=NONE"), ErrKey},
		"sample aes":              {replace("METHOD=AES-128", "METHOD=SAMPLE-AES"), ErrKey},
		"odd rendition":           {strings.ReplaceAll(good, "antiphon/aac128", "antiphon/../x"), ErrKey},
		"two renditions":          {replace("antiphon/aac128", "antiphon/flac"), ErrKey},
		"iv short":                {replace("0x3030", "0x30"), ErrKey},
		"iv not hex":              {replace("0x3030", "0xzz30"), ErrKey},
		"iv given twice":          {replace("IV=0x", "IV=0x00,IV=0x"), ErrSyntax},
		"iv reused":               {strings.ReplaceAll(good, "3031\n", "3030\n"), ErrKey},
		"key for one only":        {strings.Join(short[:2], "#EXT-X-KEY") + "#EXTINF:1,\n" + cid(7) + "\n#EXT-X-ENDLIST\n", ErrSyntax},
		"unknown attribute":       {replace("IV=", "KEYFORMAT=\"x\",IV="), ErrSyntax},
		"open quote":              {replace(`aac128",IV`, `aac128,IV`), ErrSyntax},
		"duration negative":       {replace("5.12000", "-5.12000"), ErrSyntax},
		"duration zero":           {replace("5.12000", "0.000"), ErrSyntax},
		"duration huge":           {replace("5.12000", "99999"), ErrSyntax},
		"duration of digits":      {replace("5.12000", strings.Repeat("9", 400)), ErrSyntax},
		"duration 1e400":          {replace("5.12000", "1e400"), ErrSyntax},
		"duration NaN":            {replace("5.12000", "NaN"), ErrSyntax},
		"duration twice":          {before("#EXTINF", "#EXTINF:1,"), ErrSyntax},
		"duration left over":      {before("#EXT-X-ENDLIST", "#EXTINF:1,"), ErrSyntax},
		"five megabytes":          {good + strings.Repeat("#\n", 5<<19), ErrTooLarge},
	} {
		_, err := ParseMedia(strings.NewReader(c.in))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestParseMediaTooManySegments(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXT-X-MAP:URI=\"" + cid(0) + "\"\n")
	for i := range MaxSegments + 1 {
		fmt.Fprintf(&b, "#EXT-X-KEY:METHOD=AES-128,URI=\"key://antiphon/flac\",IV=0x%x\n#EXTINF:1,\n%s\n", iv(i), cid(i))
	}
	b.WriteString("#EXT-X-ENDLIST\n")
	if _, err := ParseMedia(strings.NewReader(b.String())); !errors.Is(err, ErrTooManySegments) {
		t.Errorf("%d bytes: %v", b.Len(), err)
	}
}

func TestParsePassesReadErrors(t *testing.T) {
	t.Parallel()
	if _, err := ParseMedia(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if _, err := ParseMaster(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func testMaster() Master {
	return Master{Variants: []Variant{
		{CID: cid(1), Bandwidth: 70_000, AverageBandwidth: 66_000, Codecs: CodecAAC},
		{CID: cid(2), Bandwidth: 900_000, AverageBandwidth: 850_000, Codecs: CodecFLAC},
	}}
}

func TestMasterRoundTrip(t *testing.T) {
	t.Parallel()
	b, err := testMaster().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=70000,AVERAGE-BANDWIDTH=66000,CODECS=\"mp4a.40.2\"\n" + cid(1) + "\n" +
		"#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=850000,CODECS=\"fLaC\"\n" + cid(2) + "\n"
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Error(diff)
	}
	got, err := ParseMaster(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testMaster(), got); diff != "" {
		t.Error(diff)
	}
}

func TestParseMasterRefuses(t *testing.T) {
	t.Parallel()
	b, err := testMaster().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	replace := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"empty":               {"", ErrSyntax},
		"no variants":         {"#EXTM3U\n", ErrSyntax},
		"absolute":            {replace(cid(1), "http://x.example/"+cid(1)), ErrName},
		"media":               {replace("#EXT-X-STREAM", "#EXT-X-MEDIA:TYPE=AUDIO,URI=\"http://x\"\n#EXT-X-STREAM"), ErrSyntax},
		"no name":             {replace(cid(1)+"\n", ""), ErrSyntax},
		"name without a line": {good + cid(3) + "\n", ErrSyntax},
		"ends early":          {good + "#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"x\"\n", ErrSyntax},
		"no bandwidth":        {replace("BANDWIDTH=70000,", ""), ErrSyntax},
		"negative bandwidth":  {replace("BANDWIDTH=70000", "BANDWIDTH=-1"), ErrSyntax},
		"bandwidth 1e30":      {replace("BANDWIDTH=70000", "BANDWIDTH="+strings.Repeat("9", 30)), ErrSyntax},
		"no codecs":           {replace(",CODECS=\"mp4a.40.2\"", ""), ErrSyntax},
		"17 variants":         {good + strings.Repeat("#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"x\"\n"+cid(3)+"\n", 15), ErrSyntax},
	} {
		if _, err := ParseMaster(strings.NewReader(c.in)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzParseMedia(f *testing.F) {
	b, err := testMedia(2).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"")
	f.Fuzz(func(t *testing.T, in string) {
		m, err := ParseMedia(strings.NewReader(in))
		if err != nil {
			return
		}
		out, err := m.Marshal()
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		if _, err := ParseMedia(strings.NewReader(string(out))); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseMaster(f *testing.F) {
	b, err := testMaster().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Fuzz(func(t *testing.T, in string) {
		m, err := ParseMaster(strings.NewReader(in))
		if err != nil {
			return
		}
		if _, err := m.Marshal(); err != nil {
			t.Fatalf("read but not written: %v", err)
		}
	})
}
