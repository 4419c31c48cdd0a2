package probe

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tags are what a file says about itself, as suggestions for a form: nothing of
// it is checked. Every value is valid UTF-8 without control characters, trimmed,
// and at most 500 characters long; Lyrics may have lines and 50,000 characters.
type Tags struct {
	Title       string
	Artist      string
	Album       string
	AlbumArtist string
	// Track as written, such as "3" or "3/12".
	Track string
	// Date as written, such as "2021" or "2021-05-01".
	Date    string
	Genre   string
	ISRC    string
	License string
	Lyrics  string
}

const (
	maxTag    = 500
	maxLyrics = 50_000
)

// tagNames are FFmpeg's names of the tags that are read, the first that is
// there wins. FFmpeg asks for no letter case.
var tagNames = map[string][]string{
	"title":        {"title"},
	"artist":       {"artist"},
	"album":        {"album"},
	"album_artist": {"album_artist", "albumartist", "album artist"},
	"track":        {"track", "tracknumber"},
	"date":         {"date", "year", "originaldate"},
	"genre":        {"genre"},
	"isrc":         {"isrc", "tsrc"},
	"license":      {"license", "licence", "wcop", "copyright"},
	"lyrics":       {"lyrics", "unsyncedlyrics", "lyrics-eng", "lyrics-xxx", "lyrics-und"},
}

// wanted lists all names, for ffprobe's -show_entries.
func wanted() string {
	var all []string
	for _, names := range tagNames {
		all = append(all, names...)
	}
	return strings.Join(all, ",")
}

// readTags takes each tag from the first of the sets that has it.
func readTags(sets ...map[string]string) Tags {
	lower := make(map[string]string)
	for _, set := range sets {
		for name, value := range set {
			name = strings.ToLower(name)
			if _, ok := lower[name]; !ok {
				lower[name] = value
			}
		}
	}
	get := func(tag string, limit int) string {
		for _, name := range tagNames[tag] {
			if v := tidy(lower[name], limit); v != "" {
				return v
			}
		}
		return ""
	}
	return Tags{
		Title:       get("title", maxTag),
		Artist:      get("artist", maxTag),
		Album:       get("album", maxTag),
		AlbumArtist: get("album_artist", maxTag),
		Track:       get("track", maxTag),
		Date:        get("date", maxTag),
		Genre:       get("genre", maxTag),
		ISRC:        get("isrc", maxTag),
		License:     get("license", maxTag),
		Lyrics:      get("lyrics", maxLyrics),
	}
}

// tidy makes a tag fit to be shown: limit is in characters, and only lyrics
// may have more than one line.
func tidy(s string, limit int) string {
	lines := limit == maxLyrics
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && lines:
			return r
		case r == '\n', r == '\r', r == '\t':
			return ' '
		case unicode.IsControl(r), isBidiControl(r), r == '\ufeff':
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > limit {
		s = strings.TrimSpace(string([]rune(s)[:limit]))
	}
	return s
}

// isBidiControl tells the characters that could turn around the text after them.
func isBidiControl(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}
