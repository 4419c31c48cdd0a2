package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// world is the demo's network and instances, each instance behind a tap, and two people at browsers.
type world struct {
	demo
	taps             map[*instance]*tap
	artist, listener person
	cover            string
	report           report
}

// person is somebody at a browser.
type person struct {
	Base       string `json:"base"`
	Name       string `json:"name"`
	Display    string `json:"display"`
	Passphrase string `json:"passphrase"`
	Invite     string `json:"invite"`
	Profile    string `json:"profile"`
}

// heard is how far the music went and how loud it was.
type heard struct{ From, Advanced, RMS float64 }

// report is what a script of templates/assets/e2e tells.
type report struct {
	Track                    string
	Seed, ArtistSeed         string
	Recovery, ArtistRecovery []string
	UploadStates             []string
	Steps, StepStates        []string
	CoverDrawn               int
	Duration, FirstClickMS   float64
	PayToGrantMS             float64
	Clicks                   []float64
	Stays                    bool
	Preview, Start           heard
	AfterSeek, AfterSeekBack heard
	OnAnotherPage            heard
	Problems, Strangers      []string
}

// TestBrowser tells by hand, in real browsers, what Antiphon is for.
func TestBrowser(t *testing.T) {
	w := openWorld(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"story", w.testStory}, {"ciphertext", w.testCiphertext}, {"secrets", w.testSecrets}, {"clicks", w.testClicks},
		{"seller down", w.testSellerDown},
	} {
		if !t.Run(part.name, part.run) {
			return
		}
	}
}

// BenchmarkClickToSound reports click_to_sound_ms: from a click on a page that was just loaded to sound, in a browser
// that was here before; the median of ten.
func BenchmarkClickToSound(b *testing.B) {
	w := openWorld(b)
	w.tellStory(b)
	for b.Loop() {
		b.ReportMetric(w.clickToSound(b), "click_to_sound_ms")
	}
}

// openWorld starts everything from nothing; it ends with the test.
func openWorld(tb testing.TB) *world {
	tb.Helper()
	needPrograms(tb)
	dir := tb.TempDir()
	w := &world{taps: map[*instance]*tap{}, cover: filepath.Join(dir, "cover.png")}
	w.dir, w.engine, w.audio = dir, "auto", filepath.Join(dir, "introzik.ogg")
	tb.Cleanup(func() {
		w.stop()
		if tb.Failed() {
			w.showLogs(tb)
		}
	})
	cutMusic(tb, w.audio)
	drawCover(tb, w.cover)

	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	binary := buildBinary(tb)
	w.network = newNetwork(dir)
	w.network.binary = binary
	must(tb, w.network.open(ctx))
	asset := "ANTIPHON_RAIDEN_ASSET=" + w.network.Asset
	w.proxy = w.instance(tb, "proxy", binary)
	w.artists = w.instance(tb, "artists", binary, asset, "ANTIPHON_RAIDEN_URL="+w.network.Nodes["artist"], "ANTIPHON_GRANTS_PROXIES="+w.proxy.base+"/actor")
	w.home = w.instance(tb, "home", binary, asset, "ANTIPHON_RAIDEN_URL="+w.network.Nodes["listener"])
	for _, i := range []*instance{w.proxy, w.artists, w.home} {
		must(tb, i.open(ctx))
		must(tb, i.firstInvite(ctx))
	}
	w.taps[w.artists].breakNextUpload()
	w.artist = w.person("ada", "Ada", w.artists)
	w.listener = w.person("lin", "Lin", w.home)
	return w
}

// instance prepares an instance behind a tap: the tap's address is the instance's.
func (w *world) instance(tb testing.TB, name, binary string, settings ...string) *instance {
	tb.Helper()
	i, err := newInstance(w.dir, name, settings...)
	must(tb, err)
	t := newTap(tb, i.base)
	i.binary, i.base = binary, t.URL
	i.env = append(i.env, "ANTIPHON_SERVER_BASE_URL="+t.URL, "ANTIPHON_SERVER_LOG_LEVEL=debug")
	w.taps[i] = t
	return i
}

func (w *world) person(name, display string, at *instance) person {
	return person{
		Base: at.base, Name: name, Display: display, Invite: at.invite, Profile: filepath.Join(w.dir, "profile-"+name),
		Passphrase: "seven quiet " + strings.ToLower(rand.Text()),
	}
}

// run has a script play with the settings that it needs, and returns what it tells. What the browsers complained of, and
// any request that left the own instance, fails the test.
func (w *world) run(tb testing.TB, script string, setting map[string]any) report {
	tb.Helper()
	setting["pictures"] = os.Getenv("ANTIPHON_PICTURES")
	setting["artist"], setting["listener"] = w.artist, w.listener
	in, err := json.Marshal(setting)
	must(tb, err)
	ctx, cancel := context.WithTimeout(tb.Context(), 4*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", script)
	node.Dir, node.Stdin = filepath.Join("..", "..", "templates", "assets", "e2e"), strings.NewReader(string(in))
	var notes strings.Builder
	node.Stderr = &notes
	out, err := node.Output()
	tb.Logf("%s\n%s", script, notes.String())
	if err != nil {
		tb.Fatalf("%s: %v\n%s", script, err, out)
	}
	var told report
	if err := json.Unmarshal(out, &told); err != nil {
		tb.Fatalf("%s tells %q: %v", script, out, err)
	}
	for _, problem := range told.Problems {
		tb.Errorf("the console of %s", problem)
	}
	for _, url := range told.Strangers {
		tb.Errorf("a page asks for %s, which is not its own instance's", url)
	}
	return told
}

// tellStory plays the whole story once.
func (w *world) tellStory(tb testing.TB) {
	tb.Helper()
	w.report = w.run(tb, "story.mjs", map[string]any{
		"audio": w.audio, "cover": w.cover, "title": "Introzik", "price": "2.50", "asset": w.network.Asset,
	})
	w.track = w.report.Track
}

func (w *world) showLogs(tb testing.TB) {
	logs, err := filepath.Glob(filepath.Join(w.dir, "*.log"))
	must(tb, err)
	for _, path := range logs {
		b, err := os.ReadFile(path)
		must(tb, err)
		var kept []string
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
				kept = append(kept, line)
			}
		}
		tb.Logf("%s\n%s", filepath.Base(path), strings.Join(kept[max(0, len(kept)-30):], ""))
	}
}

// needPrograms says at once what is not installed.
func needPrograms(tb testing.TB) {
	tb.Helper()
	for _, name := range []string{"node", "ffmpeg", "chromium"} {
		if _, err := exec.LookPath(name); err != nil {
			tb.Fatalf("%s is needed: run make setup", name)
		}
	}
	for _, path := range []string{music, filepath.Join("..", "..", "templates", "assets", "node_modules", "playwright-core")} {
		if _, err := os.Stat(path); err != nil {
			tb.Fatalf("%s is needed: run make setup", path)
		}
	}
}

// buildBinary builds the program once for a test and returns its path.
func buildBinary(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "antiphon")
	if out, err := exec.CommandContext(tb.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		tb.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// music is a piece of the Debian package frozen-bubble-data.
const music = "/usr/share/games/frozen-bubble/snd/introzik.ogg"

// cutMusic writes the first half minute of it.
func cutMusic(tb testing.TB, path string) {
	tb.Helper()
	out, err := exec.CommandContext(tb.Context(), "ffmpeg", "-v", "error", "-i", music, "-t", "30", "-c", "copy", path).CombinedOutput()
	if err != nil {
		tb.Fatalf("cut the music: %v\n%s", err, out)
	}
}

// drawCover writes a picture of circles that answer each other.
func drawCover(tb testing.TB, path string) {
	tb.Helper()
	const size = 600
	picture := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			left, right := (x-150)*(x-150)+(y-300)*(y-300), (x-450)*(x-450)+(y-300)*(y-300)
			shade := uint8(60 * (left / 9000 % 2))
			picture.SetRGBA(x, y, color.RGBA{R: 30 + shade, G: 60 + uint8(50*(right/9000%2)), B: 120, A: 255})
		}
	}
	f, err := os.Create(path)
	must(tb, err)
	must(tb, png.Encode(f, picture))
	must(tb, f.Close())
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
