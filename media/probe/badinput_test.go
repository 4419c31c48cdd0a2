package probe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/media/probe"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	f := makeFiles(t)
	all := engines(t)
	mp3, flac, wav := read(t, filepath.Join(f.dir, "tagged.mp3")), read(t, filepath.Join(f.dir, "tagged.flac")), read(t, filepath.Join(f.dir, "studio.wav"))
	page := []byte("<!DOCTYPE html><html><script>alert(1)</script>" + strings.Repeat("<p>x</p>", 2000))
	// refused probes a file with both engines, and wants a refusal with words.
	refused := func(t *testing.T, name string, content []byte, limits probe.Limits) {
		t.Helper()
		path := write(t, f.dir, name, content)
		for engine, e := range all {
			info, err := probe.Probe(t.Context(), e, path, limits)
			var refusal *probe.Refusal
			if !errors.As(err, &refusal) || !strings.HasSuffix(refusal.Words, ".") {
				t.Errorf("%s: %s is %+v, %v", engine, name, info, err)
			}
		}
	}
	// taken probes a file with both engines, and wants what it holds.
	taken := func(t *testing.T, name string, content []byte, seconds float64) {
		t.Helper()
		path := write(t, f.dir, name, content)
		for engine, e := range all {
			info, err := probe.Probe(t.Context(), e, path, probe.Limits{})
			if d := info.Duration.Seconds() - seconds; err != nil || d < -0.2 || d > 0.2 {
				t.Errorf("%s: %s is %s long, %v", engine, name, info.Duration, err)
			}
			if len(info.Cover) > 10<<20 || strings.ContainsAny(info.Tags.Title, "\x00\n\u202e") {
				t.Errorf("%s: %s has a cover of %d bytes and the title %q", engine, name, len(info.Cover), info.Tags.Title)
			}
		}
	}

	testkit.BadInput(t, "D3", func(t *testing.T) {
		program := read(t, "/proc/self/exe")
		for name, content := range map[string][]byte{
			"page-1.mp3":     page,
			"page-2.mp3":     append([]byte("\xef\xbb\xbf\n"), page...),
			"drawing.flac":   []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">` + strings.Repeat("<g/>", 5000) + "</svg>"),
			"script.ogg":     []byte(strings.Repeat("alert(document.cookie);\n", 2000)),
			"archive-2.wav":  append([]byte("PK\x03\x04"), bytes.Repeat([]byte("abcdefgh"), 4000)...),
			"program-2.m4a":  program[:min(len(program), 1<<20)],
			"paper.mp3":      append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte("obj "), 9000)...),
			"database.flac":  append([]byte("SQLite format 3\x00"), make([]byte, 40_000)...),
			"tag-only.mp3":   append([]byte("ID3\x03\x00\x00\x00\x00\x00\x00"), page...),
			"flac-only.flac": append([]byte("fLaC"), page...),
			"ogg-only.ogg":   append([]byte("OggS"), page...),
			"wav-only.wav":   append([]byte("RIFF\xff\xff\xff\xffWAVE"), page...),
			"mp4-only.m4a":   append([]byte("\x00\x00\x00\x18ftypM4A "), page...),
			"picture-2.mp3":  f.cover,
		} {
			refused(t, name, content, probe.Limits{})
		}
	}, func(t *testing.T) {
		taken(t, "a.mp3", mp3, 3)
		taken(t, "a-with-another-name.html", flac, 3)
	})

	testkit.BadInput(t, "D4", func(t *testing.T) {
		secret := write(t, f.dir, "secret", []byte("a secret of this machine"))
		for n, text := range []string{
			"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + secret + "\n#EXT-X-ENDLIST\n",
			"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10,\nhttp://127.0.0.1:1/\n", "\r\n\r\n#EXTM3U\n" + secret, "#extm3u\n" + secret,
			"ffconcat version 1.0\nfile " + secret + "\n", "FFCONCAT version 1.0\nfile x\n", "file '" + secret + "'\n", "file \"" + secret + "\"\n", "# a comment\nfile '" + secret + "'\n", "file " + secret + "\n",
			"[playlist]\nFile1=" + secret + "\n", "[Reference]\nRef1=http://127.0.0.1:1/\n", `<asx version="3.0"><entry><ref href="http://127.0.0.1:1/"/></entry></asx>`,
			`<smil><body><audio src="http://127.0.0.1:1/"/></body></smil>`, `<?xml version="1.0"?><MPD><BaseURL>` + secret + `</BaseURL></MPD>`, `<MPD><BaseURL>` + secret + `</BaseURL></MPD>`,
			"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n", ";FFMETADATA1\ntitle=x\n", "rtsp://127.0.0.1:1/", "concat:" + secret,
		} {
			refused(t, fmt.Sprintf("playlist-%d.mp3", n), []byte(text), probe.Limits{Time: 20 * time.Second})
		}
		// Frames of no length, a chunk of no length in front of the sound, and boxes in boxes.
		refused(t, "frames.mp3", bytes.Repeat([]byte{0xff, 0xfb, 0x00, 0x00}, 50_000), probe.Limits{Time: 20 * time.Second})
		refused(t, "chunks.wav", append([]byte("RIFF\xff\xff\xff\xffWAVE"), bytes.Repeat([]byte("junk\x00\x00\x00\x00"), 50_000)...), probe.Limits{Time: 20 * time.Second})
		refused(t, "boxes.m4a", boxes(20_000), probe.Limits{Time: 20 * time.Second})
		refused(t, "pages.ogg", bytes.Repeat([]byte("OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 20_000), probe.Limits{Time: 20 * time.Second})
		for at := range 4 { // cut anywhere, never an error of the machine
			cut := flac[:len(flac)*at/8]
			refused(t, fmt.Sprintf("cut-%d.flac", at), cut, probe.Limits{})
		}
	}, func(t *testing.T) {
		// What is false and does no harm: the sound counts, not what is said of it.
		for _, claim := range []uint32{0xffffffff, 0xfffffff0, 0x7fffffff} {
			lying := bytes.Clone(wav)
			binary.LittleEndian.PutUint32(lying[bytes.Index(lying, []byte("data"))+4:], claim)
			binary.LittleEndian.PutUint32(lying[4:], claim)
			taken(t, fmt.Sprintf("lying-%x.wav", claim), lying, 3)
		}
		// A cover that is larger than one may be is left out.
		taken(t, "large-cover.mp3", withCover(mp3, 16<<20), 3)
		taken(t, "comments-1000.flac", comments(flac, 1000), 3)
	})
	// Nothing was written beside the uploads.
	if left, err := filepath.Glob(filepath.Join(f.dir, "*.tmp")); err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "secret")); err != nil {
		t.Error(err)
	}
}

// boxes are n MP4 boxes, each in the one before.
func boxes(n int) []byte {
	out := []byte("\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A mp42")
	for i := n; i > 0; i-- {
		out = append(binary.BigEndian.AppendUint32(out, uint32(8*i)), "moov"...)
	}
	return out
}

// withCover puts an ID3 tag with a picture of that size before an MP3.
func withCover(mp3 []byte, size int) []byte {
	frame := append([]byte("\x00image/jpeg\x00\x03\x00\xff\xd8\xff\xe0"), make([]byte, size)...)
	body := append([]byte("APIC"), binary.BigEndian.AppendUint32(nil, uint32(len(frame)))...)
	body = append(append(body, 0, 0), frame...)
	n := len(body)
	tag := []byte{'I', 'D', '3', 3, 0, 0, byte(n >> 21 & 127), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127)}
	return append(append(tag, body...), mp3...)
}
