package web

import (
	"errors"
	"fmt"
	"net/http"

	"antiphon/templates"
)

var (
	// ErrNotFound is returned for what does not exist, or not for this visitor.
	ErrNotFound = errors.New("no such page")
	// ErrLogin is returned where one has to be logged in.
	ErrLogin = errors.New("not logged in")
	// ErrForbidden is returned where one has to be somebody else.
	ErrForbidden = errors.New("not allowed")
)

// Fault is a failure that the visitor is told about in words: What happened, and what to Do.
type Fault struct {
	Status   int
	What, Do string
	// Err is the cause, for the log; it may be nil.
	Err error
}

// Error makes a Fault an error.
func (f *Fault) Error() string {
	if f.Err == nil {
		return f.What
	}
	return fmt.Sprintf("%s: %v", f.What, f.Err)
}

// Unwrap is the cause.
func (f *Fault) Unwrap() error { return f.Err }

// malformed is a request that no page of ours makes.
func malformed(err error) error {
	return &Fault{Status: http.StatusBadRequest, What: "This request was not understood", Do: "Load the page again and try once more.", Err: err}
}

// notices are shown once after a redirect, by the word in its query.
var notices = map[string]string{
	"saved":       "Saved.",
	"retried":     "The server is tried now. If it answers, everything that waits follows.",
	"paused":      "Paused. What is for this server is kept until you resume it, for seven days at most.",
	"resumed":     "Resumed. What waited goes out now.",
	"unpublished": "Taken back. Whoever bought it keeps it.",
	"released":    "It is out. Your followers are told.",
	"discarded":   "The draft was deleted.",
	"following":   "Done. New tracks will appear in your timeline as soon as the other server has agreed.",
	"unfollowed":  "You do not follow this artist any more.",
	"ended":       "Logged out there.",
	"passphrase":  "Your passphrase was changed. Other places were logged out.",
	"custody":     "Changed. The page shows who keeps the key now.",
	"revoked":     "Taken back. The servers that hold a part of its key are told now.",
	"invite":      "The invitation was ended.",
	"marked":      "Noted. The buyer gets the key in a moment.",
	"givenup":     "Given up. The buyer is told.",
	"refunded":    "Noted. The buyer is told.",
	"forgotten":   "Removed for good.",
	"pooled":      "The track is in the pool.",
	"unpooled":    "The track is out of the pool.",
	"decided":     "Decided. It counts in the final statement.",
	"sent":        "Noted. It is on the ledger.",
	"rules":       "Set. The other instances of the pool have to set the same.",
	"dispute":     "Done. The other instances are told.",
	"address":     "Saved, signed, and told to the instances of the pool.",
	"appealed":    "Thank you. A person reads it before the final statement.",
	"rotated":     "You have a new key. Sellers are being asked to grant anew what you bought.",
	"askedagain":  "Asked again.",
	"letgo":       "Let go. It opens with your old key.",
	"brought":     "The sellers are being asked to grant your library to this account.",
	"confirmed":   "Noted. They can go on buying from you.",
	"asked":       "The node is told. This page says what comes of it.",
	"looked":      "Looked again.",
	"dropped":     "Let go.",
	"letin":       "They can log in now.",
	"reported":    "Thank you. The administrators have a look, and you are told what comes of it.",
	"moved":       "Your followers are being told.",
	"archive":     "The file is being made. You can leave this page.",
	"bringing":    "Each account is being looked up and asked. You can leave this page.",
	"canceled":    "Canceled. What you have paid runs to its end.",
	"joined":      "You have joined. It begins when the first month is paid.",
	"poolended":   "Canceled. What you have paid runs to the end of its month.",
	"givenback":   "Noted. The member is told.",
	"reversed":    "Noted. The ledger says so, and the member is told.",
	"standing":    "The order is given. You can end it here at any time.",
	"unstanding":  "The order was ended. Nothing is paid by itself any more.",
	"deleted":     "Your account is deleted, and other servers are being told.",
}

func noticeOf(word string) []templates.Notice {
	text, ok := notices[word]
	if !ok {
		return nil
	}
	return []templates.Notice{{Kind: templates.NoticeDone, Text: text}}
}
