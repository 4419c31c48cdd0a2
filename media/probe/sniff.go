package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// sniff looks at the first bytes of a file before any tool does. It gives
// whether they are those of a container that music comes in, and refuses what
// is empty or a playlist.
func sniff(path string) (audio bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("probe: %w", err)
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, fmt.Errorf("probe: %w", err)
	}
	head = head[:n]
	switch {
	case n == 0:
		return false, refuse(ErrEmpty, "This file is empty. Choose the recording itself.")
	case isPlaylist(head):
		return false, refuse(ErrPlaylist, "This file is a playlist: it names recordings and holds none. Upload the recordings themselves.")
	}
	return isAudio(head), nil
}

func isPlaylist(head []byte) bool {
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"))
	for _, start := range []string{"#extm3u", "ffconcat", "[playlist]", "[reference]", "<asx", "<smil", "<mpd"} {
		if bytes.HasPrefix(text, []byte(start)) {
			return true
		}
	}
	if bytes.HasPrefix(text, []byte("<?xml")) {
		for _, element := range []string{"<playlist", "<mpd", "<smil", "<asx"} {
			if bytes.Contains(text, []byte(element)) {
				return true
			}
		}
	}
	// concat's script without its optional first line.
	return bytes.HasPrefix(text, []byte("file '")) || bytes.HasPrefix(text, []byte("file \""))
}

func isAudio(head []byte) bool {
	at := func(offset int, magic string) bool {
		return len(head) >= offset && bytes.HasPrefix(head[offset:], []byte(magic))
	}
	switch {
	case at(0, "fLaC"), at(0, "OggS"), at(0, "ID3"), at(4, "ftyp"), at(0, "wvpk"), at(0, "MAC "), at(0, "TTA1"), at(0, "caff"),
		at(0, "\x1a\x45\xdf\xa3"), at(0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"):
		return true
	case at(0, "RIFF"), at(0, "RF64"), at(0, "riff"):
		return at(8, "WAVE") || at(0, "riff")
	case at(0, "FORM"):
		return at(8, "AIF")
	}
	// A frame of MPEG audio or AAC in ADTS.
	return len(head) > 1 && head[0] == 0xff && head[1]&0xe0 == 0xe0
}
