package listen

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A ticket lets a player report what it plays: it names the listener and the track, and this instance has signed it. So a
// report needs no session and no look into the database, and a page of another site, which has no ticket, reports
// nothing.
type ticket struct {
	issued                  time.Time
	listener, artist, track string
	// length is the track's in seconds.
	length int64
}

const (
	// ticketLife is how long a page may stay open and still report.
	ticketLife = 7 * 24 * time.Hour
	macSize    = 16
	// maxTicket bounds a ticket in bytes, and with it the names in it.
	maxTicket = 2048
	// maxLength is the longest track, in seconds.
	maxLength = 24 * 60 * 60
)

func (s *Service) mac(body string) []byte {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write([]byte(body))
	return mac.Sum(nil)[:macSize]
}

// sign returns the ticket as it is handed out, or "" for one that cannot be: names with line ends, or too long ones.
func (s *Service) sign(t ticket) string {
	body := strings.Join([]string{strconv.FormatInt(t.issued.Unix(), 10), strconv.FormatInt(t.length, 10), t.listener, t.artist, t.track}, "\n")
	if strings.Count(body, "\n") != 4 {
		return ""
	}
	out := base64.RawURLEncoding.EncodeToString(append(s.mac(body), body...))
	if len(out) > maxTicket {
		return ""
	}
	return out
}

// verify returns a ticket of this instance that is still good, or [ErrTicket].
func (s *Service) verify(text string, now time.Time) (ticket, error) {
	if len(text) > maxTicket {
		return ticket{}, ErrTicket
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < macSize {
		return ticket{}, ErrTicket
	}
	body := string(raw[macSize:])
	if !hmac.Equal(raw[:macSize], s.mac(body)) {
		return ticket{}, ErrTicket
	}
	parts := strings.Split(body, "\n")
	if len(parts) != 5 {
		return ticket{}, ErrTicket
	}
	issued, errIssued := strconv.ParseInt(parts[0], 10, 64)
	length, errLength := strconv.ParseInt(parts[1], 10, 64)
	if errIssued != nil || errLength != nil {
		return ticket{}, ErrTicket
	}
	t := ticket{issued: time.Unix(issued, 0).UTC(), length: length, listener: parts[2], artist: parts[3], track: parts[4]}
	if now.Sub(t.issued) > ticketLife {
		return ticket{}, fmt.Errorf("%w: it is of %s", ErrTicket, t.issued.Format(time.DateOnly))
	}
	return t, nil
}
