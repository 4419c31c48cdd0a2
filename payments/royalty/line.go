package royalty

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Pseudonym names a listener in the reports of one month: the first 32 hexadecimal digits of HMAC-SHA256(key, month "|"
// listener). Who destroys the month's key makes the reports anonymous.
func Pseudonym(key [32]byte, month Month, listener string) string {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(string(month) + "|" + listener))
	return hex.EncodeToString(mac.Sum(nil))[:pseudonymLength]
}

const pseudonymLength = 32

// maxName bounds a URI in a line, in bytes.
const maxName = 2048

// Line is what one listener heard of one track on one day, as it stands in a daily report:
// pseudonym|artist|track|units|seconds.
type Line struct {
	Pseudonym, Artist, Track string
	Units, Seconds           int64
}

// String is the line's one form, without an end of line.
func (l Line) String() string {
	return l.Pseudonym + "|" + l.Artist + "|" + l.Track + "|" + strconv.FormatInt(l.Units, 10) + "|" + strconv.FormatInt(l.Seconds, 10)
}

// ParseLine reads a line, strictly: what it returns writes itself as the same bytes.
func ParseLine(text string) (Line, error) {
	parts := strings.Split(text, "|")
	if len(parts) != 5 {
		return Line{}, fmt.Errorf("%w: a line has five parts, not %d", ErrInvalid, len(parts))
	}
	l := Line{Pseudonym: parts[0], Artist: parts[1], Track: parts[2]}
	var err error
	if l.Units, err = parseCount(parts[3]); err != nil {
		return Line{}, err
	}
	if l.Seconds, err = parseCount(parts[4]); err != nil {
		return Line{}, err
	}
	return l, l.check()
}

// compareLines orders two lines as their bytes do, up to the counts: 0 is the same listener and track.
func compareLines(a, b Line) int {
	if c := strings.Compare(a.Pseudonym, b.Pseudonym); c != 0 {
		return c
	}
	if c := compareField(a.Artist, b.Artist); c != 0 {
		return c
	}
	return compareField(a.Track, b.Track)
}

// compareField compares a and b as they stand in a line, each with a '|' behind it.
func compareField(a, b string) int {
	if a == b {
		return 0
	}
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	if len(a) < len(b) {
		return cmp.Compare('|', b[n])
	}
	return cmp.Compare(a[n], '|')
}

func (l Line) check() error {
	if err := checkPseudonym(l.Pseudonym); err != nil {
		return err
	}
	for _, name := range []string{l.Artist, l.Track} {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if l.Units < 1 || l.Seconds < 0 {
		return fmt.Errorf("%w: a line of %d units and %d seconds", ErrInvalid, l.Units, l.Seconds)
	}
	return nil
}

// SplitLine is one artist's part of one listener's money in one month: pseudonym|artist|micro.
type SplitLine struct {
	Pseudonym, Artist string
	Micro             Micro
}

// String is the line's one form, without an end of line.
func (l SplitLine) String() string {
	return l.Pseudonym + "|" + l.Artist + "|" + strconv.FormatInt(int64(l.Micro), 10)
}

// ParseSplitLine reads a line, strictly.
func ParseSplitLine(text string) (SplitLine, error) {
	parts := strings.Split(text, "|")
	if len(parts) != 3 {
		return SplitLine{}, fmt.Errorf("%w: a split has three parts, not %d", ErrInvalid, len(parts))
	}
	micro, err := parseCount(parts[2])
	if err != nil {
		return SplitLine{}, err
	}
	if err := checkPseudonym(parts[0]); err != nil {
		return SplitLine{}, err
	}
	return SplitLine{Pseudonym: parts[0], Artist: parts[1], Micro: Micro(micro)}, checkName(parts[1])
}

func checkPseudonym(text string) error {
	ok := len(text) == pseudonymLength
	for i := 0; ok && i < len(text); i++ {
		ok = '0' <= text[i] && text[i] <= '9' || 'a' <= text[i] && text[i] <= 'f'
	}
	if !ok {
		return fmt.Errorf("%w: %.40q is not a pseudonym", ErrInvalid, text)
	}
	return nil
}

// checkName refuses what would blur the borders of a line.
func checkName(name string) error {
	ok := name != "" && len(name) <= maxName
	for i := 0; ok && i < len(name); i++ {
		ok = name[i] > ' ' && name[i] != '|' && name[i] != 0x7f
	}
	if !ok {
		return fmt.Errorf("%w: name %.80q", ErrInvalid, name)
	}
	return nil
}

// parseCount reads a whole number in its one form.
func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%w: count %.30q", ErrInvalid, text)
	}
	return n, nil
}
