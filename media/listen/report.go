package listen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrReport is returned for a report that is not in the form of one.
	ErrReport = errors.New("not a report of a play")
	// ErrTicket is returned for a report whose ticket this instance has not signed, or too long ago.
	ErrTicket = errors.New("ticket is not good")
	// ErrBusy is returned when more plays are open than this instance keeps in mind.
	ErrBusy = errors.New("too many plays at once")
)

// Header is the name of the header that a player's requests carry reports in.
const Header = "Antiphon-Listen"

const (
	// maxReports is how many plays one request may report on, and MaxReports the bytes that they may have.
	maxReports = 8
	// MaxReports bounds what one request reports, in bytes.
	MaxReports = 16 << 10
	// maxAge is how long ago a play may have begun.
	maxAge = 24 * time.Hour
)

// report is what a player says about one play, from its beginning on: said twice, it is said once.
type report struct {
	session string
	// ticket is empty when only the session is named, which says for which play something is fetched.
	ticket string
	age    time.Duration
	heard  Ranges
}

// sessionLength is that of 16 bytes in base64url.
const sessionLength = 22

func isSession(text string) bool {
	ok := len(text) == sessionLength
	for i := 0; ok && i < len(text); i++ {
		c := text[i]
		ok = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
	}
	return ok
}

// parseReports reads "session[ ticket age ranges][;...]": the session are 22 letters of base64url, drawn by the player
// for one play; age are the seconds since its first sound, ranges what was heard of it so far.
func parseReports(text string) ([]report, error) {
	if len(text) > MaxReports || strings.Count(text, ";") >= maxReports {
		return nil, fmt.Errorf("%w: too long", ErrReport)
	}
	var out []report
	for one := range strings.SplitSeq(text, ";") {
		parts := strings.Split(strings.TrimSpace(one), " ")
		r := report{session: parts[0]}
		if !isSession(r.session) || len(parts) != 1 && len(parts) != 4 && len(parts) != 3 {
			return nil, fmt.Errorf("%w: %.60q", ErrReport, one)
		}
		if len(parts) > 1 {
			age, err := strconv.ParseInt(parts[2], 10, 64)
			if err != nil || age < 0 || parts[1] == "" {
				return nil, fmt.Errorf("%w: age %.30q", ErrReport, parts[2])
			}
			r.ticket, r.age = parts[1], time.Duration(min(age, int64(maxAge/time.Second)))*time.Second
		}
		if len(parts) == 4 {
			heard, err := ParseRanges(parts[3])
			if err != nil {
				return nil, err
			}
			r.heard = heard
		}
		out = append(out, r)
	}
	return out, nil
}
