package templates

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestMoneyNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		money Money
		want  string
	}{
		{Money{Units: "5000000", Decimals: 6}, "5.00"},
		{Money{Units: "4500000", Decimals: 6}, "4.50"},
		{Money{Units: "1", Decimals: 18}, "0.000000000000000001"},
		{Money{Units: "10000000000000000000", Decimals: 18}, "10.00"},
		{Money{Units: "115792089237316195423570985008687907853269984665640564039457584007913129639935", Decimals: 0}, "115792089237316195423570985008687907853269984665640564039457584007913129639935"},
		{Money{Units: "7", Decimals: 1}, "0.7"},
		{Money{Units: "000", Decimals: 2}, "0.00"},
		{Money{}, "0"},
	} {
		if got := c.money.Number(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.money, got, c.want)
		}
	}
	if !(Money{Units: "000"}).Free() || (Money{Units: "010"}).Free() {
		t.Error("only nothing is free")
	}
}

func TestHueClass(t *testing.T) {
	t.Parallel()
	for color, want := range map[string]string{
		"#ff0000": "hue-30", "#00ff00": "hue-140", "#0000ff": "hue-260", "#808080": "hue-none", "#ffffff": "hue-none",
		"": "", "red": "", "#12345": "", "#gggggg": "", "#+12345": "",
	} {
		if got := hueClass(color); got != want {
			t.Errorf("%q: %q, want %q", color, got, want)
		}
	}
	css, err := os.ReadFile("assets/css/hues.css")
	if err != nil {
		t.Fatal(err)
	}
	for hue := 0; hue < 360; hue += hueStep {
		if !bytes.Contains(css, []byte(".hue-"+itoa(hue)+"{")) {
			t.Errorf("hues.css lacks hue-%d", hue)
		}
	}
}

func itoa(n int) string { return thousands(n) }

func TestSpans(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0:00", 187 * time.Second: "3:07", 3729 * time.Second: "1:02:09"} {
		if got := clock(d); got != want {
			t.Errorf("clock %v: %q, want %q", d, got, want)
		}
	}
	for bp, want := range map[int]string{9250: "92.5%", 10000: "100%", 5: "0.05%", 0: "0%"} {
		if got := share(bp); got != want {
			t.Errorf("share %d: %q, want %q", bp, got, want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	one := Fingerprint("zQ3sA", "z6MkB")
	if !regexp.MustCompile(`^([A-Z2-7]{4} ){3}[A-Z2-7]{4}$`).MatchString(one) {
		t.Errorf("%q is not four groups of four", one)
	}
	if one == Fingerprint("zQ3sAz6Mk", "B") || one == Fingerprint("zQ3sA", "z6MkC") {
		t.Error("other keys, same fingerprint")
	}
	if Fingerprint("", "x") != "" || Fingerprint("x", "") != "" {
		t.Error("a missing key has no fingerprint")
	}
}

// TestRenderWritesNothingOnFailure: the caller must still be able to answer
// with another status.
func TestRenderWritesNothingOnFailure(t *testing.T) {
	t.Parallel()
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.Render(&out, &Order{State: "no such state"}); err == nil || out.Len() > 0 {
		t.Errorf("error %v after %d bytes", err, out.Len())
	}
	if err := r.Render(failingWriter{}, &Login{}); err == nil {
		t.Error("a writer's failure went unseen")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

// Pages are parsed when they are seen first, so a mistake in one is seen here.
func TestEveryPageIsParsed(t *testing.T) {
	t.Parallel()
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for name, parsed := range r.pages {
		if page, err := parsed(); err != nil || page.Lookup("main") == nil && page.Lookup("embed.html") == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(r.pages) < 50 {
		t.Errorf("%d pages", len(r.pages))
	}
}

// TestTextsAreUsed finds words that no page says any more, and keys that no
// text answers.
func TestTextsAreUsed(t *testing.T) {
	t.Parallel()
	raw, err := sources.ReadFile("texts/en.json")
	if err != nil {
		t.Fatal(err)
	}
	words, err := parseTexts(raw)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	err = fs.WalkDir(sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".html" {
			return err
		}
		page, err := sources.ReadFile(name)
		all.Write(page)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages := all.String()
	for _, m := range regexp.MustCompile(`[{(]t "([^"]+)"`).FindAllStringSubmatch(pages, -1) {
		if !words.has(m[1]) {
			t.Errorf("no text for %q", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\{n "([^"]+)"`).FindAllStringSubmatch(pages, -1) {
		if !words.has(m[1]+".one") || !words.has(m[1]+".other") {
			t.Errorf("no plural for %q", m[1])
		}
	}
	built := regexp.MustCompile(`print "([a-z.]+)"`).FindAllStringSubmatch(pages, -1)
	for key := range words {
		stem := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		used := strings.Contains(pages, `"`+key+`"`) || strings.Contains(pages, `"`+stem+`"`)
		for _, m := range built {
			used = used || strings.HasPrefix(key, m[1])
		}
		if !used {
			t.Errorf("%q is never said", key)
		}
	}
}

func TestStatic(t *testing.T) {
	t.Parallel()
	files, err := readBundle()
	if err != nil {
		t.Fatal(err)
	}
	handler := Static()
	get := func(path string, header http.Header) *http.Response {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		request.Header = header
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer.Result()
	}
	for name := range files.Files {
		url, err := files.url(name)
		if err != nil {
			t.Fatal(err)
		}
		plain := get(url, http.Header{})
		body, _ := io.ReadAll(plain.Body)
		if plain.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: status %d, %d bytes", url, plain.StatusCode, len(body))
		}
		if got := plain.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", url, got)
		}
		if plain.Header.Get("X-Content-Type-Options") != "nosniff" || plain.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: headers %v", url, plain.Header)
		}
		packed := get(url, http.Header{"Accept-Encoding": {"br, gzip;q=0.9"}})
		if packed.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not compressed", url)
			continue
		}
		reader, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := io.ReadAll(reader); err != nil || !bytes.Equal(again, body) {
			t.Errorf("%s: compressed is not the same (%v)", url, err)
		}
		if packed.Header.Get("Content-Type") != plain.Header.Get("Content-Type") {
			t.Errorf("%s: types %q and %q", url, packed.Header.Get("Content-Type"), plain.Header.Get("Content-Type"))
		}
	}
	for _, missing := range []string{"/static/", "/static/manifest.json", "/static/none.js", "/static/../texts/en.json", "/static/x/style.css"} {
		if answer := get(missing, http.Header{}); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", missing, answer.StatusCode)
		}
	}
	if unwanted := get("/static/"+files.Files["main.js"], http.Header{"Accept-Encoding": {"gzip;q=0"}}); unwanted.Header.Get("Content-Encoding") != "" {
		t.Error("compressed although refused")
	}
}

// TestFirstPageIsLight: what the first page loads before audio.
func TestFirstPageIsLight(t *testing.T) {
	t.Parallel()
	files, err := readBundle()
	if err != nil {
		t.Fatal(err)
	}
	total := maxFirstHTML
	for _, name := range append([]string{files.Files["main.js"], files.Files["style.css"], files.Files["icon.svg"]}, files.Preload...) {
		info, err := fs.Stat(built, "static/"+name)
		if err != nil {
			t.Fatal(err)
		}
		total += int(info.Size())
	}
	if total > 150<<10 {
		t.Errorf("the first page weighs %d bytes, uncompressed", total)
	}
}

const maxFirstHTML = 30 << 10
