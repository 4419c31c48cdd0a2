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
	"syscall"
	"testing"
	"time"
)

// world is the demo's network and instances, each instance behind a tap, and two people at browsers.
type world struct {
	*stage
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
	Promised, Announced      string
	CoverDrawn               int
	Duration, FirstClickMS   float64
	PayToGrantMS             float64
	PayToMemberMS            float64
	Clicks                   []float64
	Stays                    bool
	Preview, Start           heard
	AfterSeek, AfterSeekBack heard
	OnAnotherPage            heard
	FileName, ArchiveName    string
	Release                  string
	// Page is what stands on the library's page, Said why the player does not play.
	Page, Said          string
	Problems, Strangers []string
	Order               string
	Links               []string
	// Texts are what stood on pages that a test reads, by names of their own; Files what was downloaded, by name.
	Texts, Files map[string]string
}

// TestBrowser tells by hand, in real browsers, what Antiphon is for. With ANTIPHON_PICTURES it leaves pictures of every
// page in that folder, as they look on a phone and on a desk.
func TestBrowser(t *testing.T) {
	w := openWorld(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"story", w.testStory}, {"ciphertext", w.testCiphertext}, {"secrets", w.testSecrets}, {"clicks", w.testClicks},
		{"seller down", w.testSellerDown}, {"listens", w.testListens},
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
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(w.clickToSound(b), "click_to_sound_ms")
	}
}

// BenchmarkColdClick reports cold_click_to_sound_ms: from a click to sound in browsers that have just logged in and hold
// nothing but the seed, through 2 of 3 proxies; the median of ten.
func BenchmarkColdClick(b *testing.B) {
	w := openWorld(b)
	w.tellStory(b)
	w.fragmentsHeld()
	w.listener.Profile += "-cold"
	for b.Loop() {
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(w.medianOfClicks(b, "cold.mjs"), "cold_click_to_sound_ms")
	}
}

// openWorld starts everything from nothing; it ends with the test.
func openWorld(tb testing.TB) *world {
	tb.Helper()
	needPrograms(tb)
	w := &world{stage: newStage(tb, "", "ANTIPHON_SERVER_LOG_LEVEL=debug"), taps: map[*instance]*tap{}}
	w.audio = cutTune(tb, w.dir, "ogg", 30)
	w.cover = drawCover(tb, w.dir)
	w.front = func(i *instance) {
		// The tap's address is the instance's.
		t := newTap(tb, i.base)
		i.base, w.taps[i] = t.URL, t
		i.env = append(i.env, "ANTIPHON_SERVER_BASE_URL="+t.URL)
	}
	w.playThrough("start the payment network", "start three instances")
	w.taps[w.artists].breakNextUpload()
	w.artist = w.person("ada", "Ada", w.artists)
	w.listener = w.person("lin", "Lin", w.home)
	return w
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
	// Asked to end, it takes its browsers along.
	node.Cancel, node.WaitDelay = func() error { return node.Process.Signal(syscall.SIGTERM) }, 10*time.Second
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

// needPrograms says at once what is not installed.
func needPrograms(tb testing.TB) {
	tb.Helper()
	for _, name := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(name); err != nil {
			tb.Fatalf("%s is needed: run make setup", name)
		}
	}
	if _, err := os.Stat(filepath.Join("..", "..", "templates", "assets", "node_modules", "playwright-core")); err != nil {
		tb.Fatalf("the packages of templates/assets are needed: run make setup (%v)", err)
	}
}

// drawCover writes a picture of circles that answer each other to dir, and returns its path.
func drawCover(tb testing.TB, dir string) string {
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
	path := filepath.Join(dir, "cover.png")
	f, err := os.Create(path)
	must(tb, err)
	must(tb, png.Encode(f, picture))
	must(tb, f.Close())
	return path
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
