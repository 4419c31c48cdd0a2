package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"antiphon/media/hls"
)

// silence is the loudness below which nobody hears anything: -40 dB of full scale.
const silence = 0.01

// plays fails the test unless the music went on for so many seconds and could be heard.
func plays(t *testing.T, what string, h heard, seconds float64) {
	t.Helper()
	if h.Advanced < seconds || h.RMS <= silence {
		t.Errorf("%s: from %.2f s the music went %.2f s at a loudness of %.4f; want %.1f s above %.2f", what, h.From, h.Advanced, h.RMS, seconds, silence)
	}
}

func (w *world) testStory(t *testing.T) {
	w.tellStory(t)
	r := w.report
	plays(t, "the preview", r.Preview, 1)
	plays(t, "after the first click", r.Start, 2)
	plays(t, "after a jump ahead", r.AfterSeek, 1)
	plays(t, "after a jump back", r.AfterSeekBack, 0.5)
	plays(t, "on another page", r.OnAnotherPage, 1)
	if !r.Stays {
		t.Error("the player did not stay while the listener walked on")
	}
	if math.Abs(r.Duration-30) > 0.5 {
		t.Errorf("the track is %.2f s long; want 30", r.Duration)
	}
	if r.Announced == "" || r.Announced != r.Promised {
		t.Errorf("followers read %q; the artist was shown %q", r.Announced, r.Promised)
	}
	if r.CoverDrawn == 0 {
		t.Error("the listener does not see the cover")
	}
	if len(r.Steps) == 0 || slices.ContainsFunc(r.StepStates, func(s string) bool { return !strings.Contains(s, "done") }) {
		t.Errorf("the steps of the work ended as %q", r.StepStates)
	}
	if got, want := strings.Join(r.UploadStates, " "), "lost sending done"; !strings.HasSuffix(got, want) {
		t.Errorf("the upload went %q; want it to end with %q", got, want)
	}
	info, err := os.Stat(w.audio)
	must(t, err)
	offsets := w.taps[w.artists].offsets
	if len(offsets) != 2 || offsets[0] != "0" || offsets[1] == "0" {
		t.Errorf("of %d bytes the upload began at %q; want it to break off once and to go on from its middle", info.Size(), offsets)
	}
	t.Logf("upload of %d bytes went on at byte %s; %.0f ms from payment to grant; %.0f ms from the first click ever to sound",
		info.Size(), offsets[len(offsets)-1], r.PayToGrantMS, r.FirstClickMS)
}

// testCiphertext looks at what the listener's browser was given as sealed pieces.
func (w *world) testCiphertext(t *testing.T) {
	answers := w.taps[w.home].seen(func(e exchange) bool {
		return e.fromBrowser() && e.method == "GET" && strings.HasPrefix(e.url, "/ipfs/") && e.status == 200
	})
	clear := map[string]bool{}
	playlists := 0
	for _, e := range answers {
		if !bytes.HasPrefix(e.content, []byte("#EXTM3U")) {
			continue
		}
		playlists++
		if media, err := hls.ParseMedia(bytes.NewReader(e.content)); err == nil {
			clear[media.Init] = true
		}
	}
	sealed := 0
	for _, e := range answers {
		cid := strings.TrimPrefix(e.url, "/ipfs/")
		bits := entropy(e.content)
		switch {
		case bytes.HasPrefix(e.content, []byte("#EXTM3U")):
		case clear[cid]:
			// What is known to be clear shows that the measure measures.
			if bits > 7.9 || !bytes.Contains(e.content, []byte("moov")) {
				t.Errorf("init segment %s has %.3f bits a byte, and a box moov: %t", cid, bits, bytes.Contains(e.content, []byte("moov")))
			}
		default:
			sealed++
			if bits <= 7.9 || fragment.Match(e.content) {
				t.Errorf("block %s of %d bytes has %.3f bits a byte, and is a clear fragment: %t", cid, len(e.content), bits, fragment.Match(e.content))
			}
		}
	}
	if playlists < 2 || len(clear) == 0 || sealed < 4 {
		t.Errorf("the browser fetched %d playlists, %d init segments and %d sealed pieces; want 2, 1 and 4 at least", playlists, len(clear), sealed)
	}
	t.Logf("%d sealed pieces, %d init segments, %d playlists", sealed, len(clear), playlists)
}

// fragment is how a fragment of MP4 begins. Four letters alone stand somewhere in a megabyte of noise once in thousands of
// runs; these eight never do.
var fragment = regexp.MustCompile(`(?s)moof.{4}mfhd`)

// entropy is Shannon's, in bits a byte, of the frequencies of byte values.
func entropy(b []byte) float64 {
	var counts [256]float64
	for _, c := range b {
		counts[c]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			bits -= n / float64(len(b)) * math.Log2(n/float64(len(b)))
		}
	}
	return bits
}

// testSecrets looks for what only people's own browsers may know in all that their instances were sent, keep and write.
func (w *world) testSecrets(t *testing.T) {
	for name, secret := range w.secretsOf(t) {
		for _, i := range []*instance{w.home, w.artists, w.proxy} {
			for _, e := range w.taps[i].seen(func(exchange) bool { return true }) {
				if form := found(secret, e.sent()); form != "" {
					t.Errorf("%s: %s %s carries %s (%s)", i.name, e.method, e.url, name, form)
				}
				if form := found(secret, e.got()); form != "" {
					t.Errorf("%s: the answer to %s %s carries %s (%s)", i.name, e.method, e.url, name, form)
				}
			}
		}
		for _, place := range []string{w.home.dir, w.artists.dir, w.proxy.dir, w.home.log, w.artists.log, w.proxy.log, w.network.log} {
			for _, where := range foundIn(t, secret, place) {
				t.Errorf("%s stands in %s", name, where)
			}
		}
	}
	w.testSearch(t)
}

// secretsOf are the secrets of both people, and the content key, which is opened with those of the listener. No instance
// may know any of them, but for the artist's, which keeps the content key sealed.
func (w *world) secretsOf(t *testing.T) map[string][]byte {
	t.Helper()
	w.lin = w.visitor(t, w.listener, w.report.Seed)
	auth, _, err := w.lin.stretch()
	must(t, err)
	must(t, w.lin.postJSON(t.Context(), "/login", map[string]any{"name": w.lin.name, "auth": b64(auth)}, nil))
	// The seed is the one whose keys bought the track, and the key is the one that opens it.
	made := map[string]any{}
	must(t, w.openGrant(t.Context(), made))
	g, err := w.lin.grant(t.Context(), w.track)
	must(t, err)
	w.master = g.Master
	must(t, w.fetchSegments(t.Context(), made))
	must(t, w.decrypt(t.Context(), made))
	must(t, w.searchClear(t.Context(), made))
	for _, r := range w.renditions {
		if !fragment.Match(r.clear) {
			t.Errorf("rendition %s opens to something without a fragment of MP4", r.name)
		}
	}
	all := map[string][]byte{"the content key": w.key[:]}
	w.secretsOfOne(t, all, w.lin, w.report.Recovery)
	w.secretsOfOne(t, all, w.visitor(t, w.artist, w.report.ArtistSeed), w.report.ArtistRecovery)
	return all
}

// visitor is a person of the story with the seed that the browser made.
func (w *world) visitor(t *testing.T, p person, seed string) *user {
	t.Helper()
	u, err := newUser(p.Base, p.Name)
	must(t, err)
	u.passphrase = p.Passphrase
	u.seed, err = hex.DecodeString(seed)
	must(t, err)
	return u
}

func (w *world) secretsOfOne(t *testing.T, all map[string][]byte, u *user, written []string) {
	t.Helper()
	_, wrap, err := u.stretch()
	must(t, err)
	receiving, requesting, err := u.keys()
	must(t, err)
	recovery, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.Join(written, ""))
	must(t, err)
	for name, secret := range map[string][]byte{
		"passphrase": []byte(u.passphrase), "passphrase in a form": []byte(url.QueryEscape(u.passphrase)), "wrapping key": wrap,
		"listener seed": u.seed, "receiving secret": receiving.Bytes(), "requesting secret": requesting.Seed(),
		"recovery key": recovery[:32], "recovery key as written": []byte(strings.Join(written, "")),
	} {
		all[u.name+"'s "+name] = secret
	}
}

// testSearch shows that the search finds what is there: where it finds nothing of this, its silence means nothing.
func (w *world) testSearch(t *testing.T) {
	auth, _, err := w.lin.stretch()
	must(t, err)
	signups := w.taps[w.home].seen(func(e exchange) bool { return e.method == "POST" && e.url == "/signup" })
	if len(signups) != 1 || found([]byte(w.listener.Name), signups[0].sent()) != "raw" || !strings.HasPrefix(found(auth, signups[0].sent()), "base64") {
		t.Errorf("the search does not find the name and what is sent of the passphrase in %d sign-ups", len(signups))
	}
	var signup struct{ Wrapped, Name string }
	must(t, json.Unmarshal(signups[0].body, &signup))
	wrapped, err := base64.RawURLEncoding.DecodeString(signup.Wrapped)
	must(t, err)
	for what, secret := range map[string][]byte{"account's name": []byte(signup.Name), "wrapped seed": wrapped, "track's address": []byte(w.track)} {
		if len(foundIn(t, secret, w.home.dir)) == 0 {
			t.Errorf("the search does not find the %s in the listener's data folder", what)
		}
	}
	for _, i := range []*instance{w.home, w.artists} {
		if len(foundIn(t, []byte(i.base), i.log)) == 0 {
			t.Errorf("the search does not find the address in the log of %s", filepath.Base(i.dir))
		}
	}
	if form := found(w.lin.seed, []byte("?seed="+hex.EncodeToString(w.lin.seed))); form != "hex" {
		t.Errorf("the search finds a seed in hex as %q", form)
	}
}

// testClicks prints how long a click takes to become sound.
func (w *world) testClicks(t *testing.T) {
	t.Logf("click_to_sound_ms %.0f", w.clickToSound(t))
}

// testListens reads what the listener's instance recorded: half of the track was a play, a few seconds on another day
// were none, and clicks nothing; it was told on requests that the player made anyway, but for the last words of each.
func (w *world) testListens(t *testing.T) {
	var plays []struct {
		Track, Source string
		Seconds       int
		Counted       bool
	}
	counted := 0
	// What a window says when it closes comes a moment later.
	soon, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := every(soon, 200*time.Millisecond, func() (bool, error) {
		err := w.lin.getJSON(soon, "/history/export.json", &plays)
		return len(plays) > 1, err
	}); err != nil {
		t.Fatalf("%d plays are recorded: %v", len(plays), err)
	}
	for _, p := range plays {
		if p.Counted {
			counted++
		}
		if p.Track != w.track || p.Counted != (p.Seconds >= 15) || p.Source != "played" {
			t.Errorf("recorded %+v", p)
		}
	}
	if counted != 1 {
		t.Errorf("%d plays are counted of %+v", counted, plays)
	}
	rode := w.taps[w.home].seen(func(e exchange) bool {
		return e.fromBrowser() && strings.HasPrefix(e.url, "/ipfs/") && e.header.Get("Antiphon-Listen") != ""
	})
	alone := w.taps[w.home].seen(func(e exchange) bool { return e.fromBrowser() && e.url == "/play/listen" })
	if len(rode) == 0 || len(alone) > len(plays)+10 {
		t.Errorf("%d requests carried reports, and %d were made for them alone", len(rode), len(alone))
	}
	t.Logf("%d plays recorded, %d counted; %d requests carried reports, %d were made for them alone", len(plays), counted, len(rode), len(alone))
}

// clickToSound is the median of ten clicks, each on a page that was just loaded.
func (w *world) clickToSound(tb testing.TB) float64 {
	tb.Helper()
	return w.medianOfClicks(tb, "click.mjs")
}

// medianOfClicks is the median of ten clicks in milliseconds, as a script makes them.
func (w *world) medianOfClicks(tb testing.TB, script string) float64 {
	tb.Helper()
	clicks := w.run(tb, script, map[string]any{"track": w.track, "clicks": 10}).Clicks
	if len(clicks) != 10 {
		tb.Fatalf("%d clicks were counted", len(clicks))
	}
	slices.Sort(clicks)
	return (clicks[4] + clicks[5]) / 2
}

// testSellerDown plays in a new window of the listener's browser when the artist's instance is gone.
func (w *world) testSellerDown(t *testing.T) {
	w.artists.stop()
	w.taps[w.artists].stop()
	before := len(w.relayed())
	kept := filepath.Join(t.TempDir(), "kept")
	told := w.run(t, "again.mjs", map[string]any{
		"track": w.track, "keep": kept, "release": w.report.Release, "keepAll": kept + ".zip",
		"forgive": []string{"/play/relay", "^warning: player: ", "/remote/cover"},
	})
	plays(t, "without the seller", told.Start, 2)
	plays(t, "without the seller, after a jump", told.AfterSeek, 1)
	if told.FileName != "Ada - Introzik.mp3" {
		t.Errorf("the file to keep is called %q", told.FileName)
	}
	if out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries", "format=duration,format_name:format_tags=title,artist:stream=codec_name",
		"-of", "default=nokey=1:noprint_wrappers=1", kept).CombinedOutput(); err != nil || !strings.Contains(string(out), "mp3\nmjpeg") {
		t.Errorf("the file to keep is %s, %v", out, err)
	} else {
		t.Logf("kept: %q", out)
	}
	if told.ArchiveName != "Ada - Boiler Songs.zip" {
		t.Errorf("the archive is called %q", told.ArchiveName)
	}
	testArchive(t, kept+".zip")
	answered := w.relayed()[before:]
	proxies := map[string]bool{}
	for _, e := range answered {
		var ask struct{ URL string }
		must(t, json.Unmarshal(e.body, &ask))
		if e.status == 200 {
			proxies[ask.URL] = true
		}
	}
	if len(proxies) != 2 {
		t.Errorf("%d proxies re-encrypted; want the 2 that are left of 3", len(proxies))
	}
	t.Logf("%.0f ms from click to sound without the seller", told.FirstClickMS)
}

// relayed are the re-encryption requests that the browser sent through its instance.
func (w *world) relayed() []exchange {
	return w.taps[w.home].seen(func(e exchange) bool { return e.fromBrowser() && e.url == "/play/relay" })
}

// testArchive looks at a release that was kept as a whole: stored files, whose sums are right and whose tags say what they
// are.
func testArchive(t *testing.T, path string) {
	t.Helper()
	archive, err := zip.OpenReader(path)
	must(t, err)
	defer archive.Close()
	var names []string
	for _, f := range archive.File {
		names = append(names, f.Name)
		if f.Method != zip.Store {
			t.Errorf("%s is packed by method %d", f.Name, f.Method)
		}
		r, err := f.Open()
		must(t, err)
		content, err := io.ReadAll(r) // the sum is checked at the end
		must(t, err)
		if filepath.Ext(f.Name) != ".mp3" {
			continue
		}
		file := filepath.Join(t.TempDir(), "kept.mp3")
		must(t, os.WriteFile(file, content, 0o600))
		out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-show_entries", "format=format_name:format_tags=title,artist",
			"-of", "default=nokey=1:noprint_wrappers=1", file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "mp3") || !strings.Contains(string(out), "Ada") || !strings.Contains(string(out), "Introzik") {
			t.Errorf("%s is %s, %v", f.Name, out, err)
		}
	}
	if want := "Ada - Boiler Songs/01 Introzik.mp3"; !slices.Contains(names, want) {
		t.Errorf("the archive holds %q; want %s", names, want)
	}
	t.Logf("archive: %q", names)
}
