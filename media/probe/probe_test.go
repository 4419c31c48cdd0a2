package probe_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"antiphon/media/probe"
	"antiphon/media/transcode"
)

// ffmpeg makes a file in dir.
func ffmpeg(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append(append([]string{"-nostdin", "-v", "error", "-y"}, args...), path)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("install ffmpeg: %v\n%s", err, out)
	}
	return path
}

func write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tone is an input of that many seconds.
func tone(seconds, rate int) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=%d:duration=%d", rate, seconds)}
}

// files is a folder with a file of every kind, made once.
type files struct {
	dir   string
	cover []byte
}

func makeFiles(t *testing.T) files {
	t.Helper()
	dir := t.TempDir()
	var cover bytes.Buffer
	if err := jpeg.Encode(&cover, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	front := write(t, dir, "cover.jpg", cover.Bytes())
	named := []string{
		"-metadata", "title=  Tide\u202e\tTable ", "-metadata", "artist=Ann Ö", "-metadata", "album=Shore", "-metadata", "album_artist=Ann",
		"-metadata", "track=3/12", "-metadata", "date=2021", "-metadata", "genre=Folk", "-metadata", "ISRC=QZNWX2012345",
		"-metadata", "copyright=CC BY 4.0", "-metadata", "lyrics=one\r\ntwo",
	}
	withCover := append(tone(3, 44100), "-i", front, "-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v", "attached_pic")
	ffmpeg(t, dir, "tagged.mp3", append(append(append([]string{}, withCover...), "-id3v2_version", "3"), named...)...)
	ffmpeg(t, dir, "tagged.flac", append(append([]string{}, withCover...), named...)...)
	ffmpeg(t, dir, "tagged.m4a", append(append([]string{}, withCover...), named...)...)
	ffmpeg(t, dir, "tagged.ogg", append(append(tone(3, 48000), "-c:a", "libvorbis"), named...)...)
	ffmpeg(t, dir, "speech.opus", append(tone(3, 48000), "-c:a", "libopus", "-ac", "2")...)
	ffmpeg(t, dir, "studio.wav", append(tone(3, 96000), "-c:a", "pcm_s24le", "-ac", "2")...)
	ffmpeg(t, dir, "studio.aiff", append(tone(3, 44100), "-c:a", "pcm_s16be")...)
	ffmpeg(t, dir, "deep.flac", append(tone(3, 96000), "-sample_fmt", "s32", "-ac", "2")...)
	ffmpeg(t, dir, "surround.flac", append(tone(3, 48000), "-ac", "6")...)
	ffmpeg(t, dir, "raw.aac", append(tone(3, 44100), "-c:a", "aac", "-f", "adts")...)
	ffmpeg(t, dir, "long.mp3", tone(30, 44100)...)
	ffmpeg(t, dir, "short.wav", "-f", "lavfi", "-i", "sine=duration=0.4")
	ffmpeg(t, dir, "dolby.m4a", append(tone(2, 48000), "-c:a", "ac3", "-f", "mp4")...)
	ffmpeg(t, dir, "video.mp4", append(append([]string{"-f", "lavfi", "-i", "testsrc=duration=2:size=64x64:rate=5"}, tone(2, 44100)...), "-c:v", "mpeg4")...)
	ffmpeg(t, dir, "video.mkv", append(append([]string{"-f", "lavfi", "-i", "testsrc=duration=2:size=64x64:rate=5"}, tone(2, 44100)...), "-c:v", "mpeg4")...)

	write(t, dir, "empty.mp3", nil)
	write(t, dir, "notes.mp3", []byte(strings.Repeat("These are notes and no music. ", 400)))
	write(t, dir, "page.mp3", []byte("<!DOCTYPE html><html><script>alert(1)</script>"+strings.Repeat("<p>x</p>", 1000)))
	write(t, dir, "playlist.mp3", []byte("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"))
	write(t, dir, "bom.mp3", []byte("\xef\xbb\xbf\r\n#EXTM3U\nhttp://127.0.0.1/\n"))
	write(t, dir, "concat.flac", []byte("ffconcat version 1.0\nfile '/etc/passwd'\n"))
	write(t, dir, "script.flac", []byte("file '/etc/passwd'\nfile 'x'\n"))
	write(t, dir, "xspf.ogg", []byte(`<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/">`))
	write(t, dir, "mpd.m4a", []byte(`<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">`))
	program := read(t, "/proc/self/exe")
	write(t, dir, "program.mp3", program[:min(len(program), 1<<20)])
	write(t, dir, "archive.wav", append([]byte("PK\x03\x04"), bytes.Repeat([]byte{1, 7, 3}, 9000)...))
	write(t, dir, "zeros.mp3", make([]byte, 100_000))
	write(t, dir, "picture.mp3", cover.Bytes())

	// A header that claims 24 hours, over three seconds of sound.
	wav := bytes.Clone(read(t, filepath.Join(dir, "studio.wav")))
	at := bytes.Index(wav, []byte("data"))
	binary.LittleEndian.PutUint32(wav[at+4:], 0xfffffff0)
	write(t, dir, "lying.wav", wav)
	flac := read(t, filepath.Join(dir, "tagged.flac"))
	write(t, dir, "cut.flac", flac[:len(flac)*2/3])
	write(t, dir, "header.flac", flac[:100])
	m4a := read(t, filepath.Join(dir, "tagged.m4a"))
	write(t, dir, "cut.m4a", m4a[:len(m4a)/2])
	// The total of samples in STREAMINFO, 36 bits from bit 108: 24 hours.
	lying := bytes.Clone(flac)
	binary.BigEndian.PutUint32(lying[22:], 44100*86400)
	write(t, dir, "lying.flac", lying)
	// An ID3 tag of 200 MB with a picture of 200 MB that is not there.
	id3 := []byte("ID3\x03\x00\x00\x5f\x5e\x10\x00APIC\x0b\xeb\xc2\x00\x00\x00\x00image/jpeg\x00\x03\x00")
	write(t, dir, "id3.mp3", append(id3, read(t, filepath.Join(dir, "long.mp3"))...))
	// A million comments in an Ogg header would be 40 MB; 100,000 make the point.
	write(t, dir, "comments.flac", comments(flac, 100_000))
	return files{dir, cover.Bytes()}
}

// comments puts n Vorbis comments into a FLAC file's metadata.
func comments(flac []byte, n int) []byte {
	body := binary.LittleEndian.AppendUint32(nil, 1)
	body = append(body, 'x')
	body = binary.LittleEndian.AppendUint32(body, uint32(n))
	for i := range n {
		c := fmt.Sprintf("TITLE%d=a", i)
		body = append(binary.LittleEndian.AppendUint32(body, uint32(len(c))), c...)
	}
	const streamInfo = 4 + 4 + 34
	out := append(bytes.Clone(flac[:streamInfo]), 4, byte(len(body)>>16), byte(len(body)>>8), byte(len(body)))
	return append(append(out, body...), flac[streamInfo:]...)
}

func engines(t *testing.T) map[string]transcode.Engine {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]transcode.Engine)
	for _, mode := range []transcode.Mode{transcode.ModeNative, transcode.ModeEmbedded} {
		engine, err := transcode.Open(t.Context(), transcode.Config{Mode: mode, CacheDir: filepath.Join(cache, "antiphon-test", "ffmpeg")})
		if err != nil {
			t.Fatal(err)
		}
		if err := engine.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := engine.Close(); err != nil {
				t.Error(err)
			}
		})
		all[engine.Name()] = engine
	}
	return all
}

func TestProbe(t *testing.T) {
	t.Parallel()
	f := makeFiles(t)
	type want struct {
		container, codec string
		rate, ch, depth  int
		seconds          float64
		cover, tags      bool
	}
	tests := map[string]want{
		"tagged.mp3":    {"mp3", "mp3", 44100, 1, 0, 3, true, true},
		"tagged.flac":   {"flac", "flac", 44100, 1, 16, 3, true, true},
		"tagged.m4a":    {"mp4", "aac", 44100, 1, 0, 3, true, false},
		"tagged.ogg":    {"ogg", "vorbis", 48000, 1, 0, 3, false, true},
		"speech.opus":   {"ogg", "opus", 48000, 2, 0, 3, false, false},
		"studio.wav":    {"wav", "pcm_s24le", 96000, 2, 24, 3, false, false},
		"studio.aiff":   {"aiff", "pcm_s16be", 44100, 1, 16, 3, false, false},
		"deep.flac":     {"flac", "flac", 96000, 2, 24, 3, false, false},
		"surround.flac": {"flac", "flac", 48000, 6, 16, 3, false, false},
		"raw.aac":       {"aac", "aac", 44100, 1, 0, 3, false, false},
		"long.mp3":      {"mp3", "mp3", 44100, 1, 0, 30, false, false},
		"lying.wav":     {"wav", "pcm_s24le", 96000, 2, 24, 3, false, false},
	}
	for name, engine := range engines(t) {
		for file, w := range tests {
			t.Run(name+"/"+file, func(t *testing.T) {
				info, err := probe.Probe(t.Context(), engine, filepath.Join(f.dir, file), probe.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				got := want{info.Container, info.Codec, info.SampleRate, info.Channels, info.BitDepth, w.seconds, info.Cover != nil, info.Tags.Title != ""}
				if file == "tagged.m4a" {
					got.tags = false // looked at below
				}
				if got != w {
					t.Errorf("got %+v, want %+v", got, w)
				}
				if d := info.Duration.Seconds() - w.seconds; d < -0.1 || d > 0.15 {
					t.Errorf("duration %s, want %g s", info.Duration, w.seconds)
				}
				if w.cover && !bytes.Equal(info.Cover, f.cover) {
					t.Errorf("cover of %d bytes is not the one of %d bytes that was put in", len(info.Cover), len(f.cover))
				}
				if strings.HasPrefix(file, "tagged") {
					checkTags(t, file, info.Tags)
				}
			})
		}
	}
}

func checkTags(t *testing.T, file string, got probe.Tags) {
	t.Helper()
	want := probe.Tags{
		Title: "Tide Table", Artist: "Ann Ö", Album: "Shore", AlbumArtist: "Ann", Track: "3/12", Date: "2021",
		Genre: "Folk", ISRC: "QZNWX2012345", License: "CC BY 4.0", Lyrics: "one\ntwo",
	}
	if strings.HasSuffix(file, ".m4a") {
		want.ISRC = "" // FFmpeg writes none there
	}
	if got != want {
		t.Errorf("tags\ngot  %+v\nwant %+v", got, want)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := makeFiles(t)
	tests := []struct {
		file   string
		limits probe.Limits
		want   error
	}{
		{"empty.mp3", probe.Limits{}, probe.ErrEmpty},
		{"notes.mp3", probe.Limits{}, probe.ErrNotAudio},
		{"page.mp3", probe.Limits{}, probe.ErrNotAudio},
		{"program.mp3", probe.Limits{}, probe.ErrNotAudio},
		{"archive.wav", probe.Limits{}, probe.ErrNotAudio},
		{"zeros.mp3", probe.Limits{}, probe.ErrNotAudio},
		{"picture.mp3", probe.Limits{}, probe.ErrNotAudio},
		{"playlist.mp3", probe.Limits{}, probe.ErrPlaylist},
		{"bom.mp3", probe.Limits{}, probe.ErrPlaylist},
		{"concat.flac", probe.Limits{}, probe.ErrPlaylist},
		{"script.flac", probe.Limits{}, probe.ErrPlaylist},
		{"xspf.ogg", probe.Limits{}, probe.ErrPlaylist},
		{"mpd.m4a", probe.Limits{}, probe.ErrPlaylist},
		{"video.mp4", probe.Limits{}, probe.ErrVideo},
		{"video.mkv", probe.Limits{}, probe.ErrVideo},
		{"short.wav", probe.Limits{}, probe.ErrTooShort},
		{"long.mp3", probe.Limits{MaxDuration: 10 * time.Second}, probe.ErrTooLong},
		{"cut.flac", probe.Limits{}, probe.ErrDamaged},
		{"header.flac", probe.Limits{}, probe.ErrDamaged},
		{"lying.flac", probe.Limits{}, probe.ErrDamaged},
		{"cut.m4a", probe.Limits{}, probe.ErrDamaged},
		// FFmpeg needs the square of the number of comments; both engines must be stopped in it.
		{"comments.flac", probe.Limits{Time: 5 * time.Second}, probe.ErrDamaged},
		{"dolby.m4a", probe.Limits{}, probe.ErrUnsupported},
		{"id3.mp3", probe.Limits{}, probe.ErrDamaged},
	}
	for name, engine := range engines(t) {
		for _, tt := range tests {
			t.Run(name+"/"+tt.file, func(t *testing.T) {
				info, err := probe.Probe(t.Context(), engine, filepath.Join(f.dir, tt.file), tt.limits)
				var refusal *probe.Refusal
				if !errors.Is(err, tt.want) || !errors.As(err, &refusal) {
					t.Fatalf("got %+v, error %v, want %v", info, err, tt.want)
				}
				if len(refusal.Words) < 20 || !strings.HasSuffix(refusal.Words, ".") || !utf8.ValidString(refusal.Words) {
					t.Errorf("words for people: %q", refusal.Words)
				}
			})
		}
	}
}

// What is no fault of the file must not be told to the artist as one.
func TestMachineErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := ffmpeg(t, dir, "a.flac", tone(2, 44100)...)
	engine := engines(t)["native"]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var refusal *probe.Refusal
	if _, err := probe.Probe(ctx, engine, path, probe.Limits{}); !errors.Is(err, context.Canceled) || errors.As(err, &refusal) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := probe.Probe(t.Context(), engine, path+".missing", probe.Limits{}); !errors.Is(err, os.ErrNotExist) || errors.As(err, &refusal) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := probe.Probe(t.Context(), engine, path, probe.Limits{Time: time.Nanosecond}); !errors.Is(err, probe.ErrDamaged) {
		t.Errorf("too slow: %v", err)
	}
}
