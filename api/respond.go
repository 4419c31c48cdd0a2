package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"antiphon/api/auth"
	"antiphon/api/web"
	"antiphon/federation/account"
	"antiphon/federation/moderation"
	"antiphon/media"
	"antiphon/media/ipfs"
	"antiphon/payments/purchase"
	"antiphon/templates"
)

// answer is what a visitor gets for an error.
type answer struct {
	status int
	// field names the input that is wrong; what and do tell a person what happened and what helps. With both empty the
	// status chooses the words.
	field, what, do string
	retryAfter      int
}

// answerTo is the one map from errors to answers.
func answerTo(err error) answer {
	var (
		fault    *web.Fault
		refusal  *auth.Refusal
		slow     *auth.Slow
		track    *media.Refusal
		buying   *purchase.Refusal
		tooLarge *http.MaxBytesError
	)
	switch {
	case errors.As(err, &fault):
		return answer{status: fault.Status, what: fault.What, do: fault.Do}
	case errors.As(err, &refusal):
		return answer{status: http.StatusUnprocessableEntity, field: refusal.Field, what: refusal.Words}
	case errors.As(err, &track):
		return answer{status: http.StatusUnprocessableEntity, what: track.Words}
	case errors.As(err, &buying):
		return answer{status: http.StatusUnprocessableEntity, what: buying.Words}
	case errors.As(err, &slow):
		return answer{status: http.StatusTooManyRequests, retryAfter: int(slow.After.Seconds())}
	case errors.As(err, &tooLarge), errors.Is(err, media.ErrQuota):
		return answer{status: http.StatusRequestEntityTooLarge}
	case errors.Is(err, auth.ErrCredentials):
		return answer{status: http.StatusUnauthorized, what: "The name or the passphrase is wrong.", do: "Check both and try again."}
	case errors.Is(err, auth.ErrPending):
		return answer{status: http.StatusForbidden, what: "Your account waits for an administrator's yes.", do: "Try again later."}
	case errors.Is(err, auth.ErrSuspended):
		return answer{status: http.StatusForbidden, what: "This account was suspended by the administrators.", do: "Ask them why."}
	case errors.Is(err, auth.ErrLastAdmin):
		return answer{status: http.StatusUnprocessableEntity, what: "This is the last administrator's account.", do: "Make somebody else one first."}
	case errors.Is(err, web.ErrLogin), errors.Is(err, auth.ErrNoSession):
		return answer{status: http.StatusUnauthorized}
	case errors.Is(err, web.ErrForbidden):
		return answer{status: http.StatusForbidden}
	case errors.Is(err, auth.ErrLink):
		return answer{status: http.StatusGone, what: "This link was used already or has expired.", do: "Ask for a new one."}
	case errors.Is(err, web.ErrNotFound), errors.Is(err, media.ErrNotFound), errors.Is(err, auth.ErrNotFound),
		errors.Is(err, purchase.ErrNotFound), errors.Is(err, moderation.ErrNotFound), errors.Is(err, account.ErrNotFound), errors.Is(err, ipfs.ErrNotFound), errors.Is(err, ipfs.ErrBadCID):
		return answer{status: http.StatusNotFound}
	case errors.Is(err, context.DeadlineExceeded):
		return answer{status: http.StatusServiceUnavailable}
	default:
		return answer{status: http.StatusInternalServerError}
	}
}

// respond answers with an error: a page for a person, problem+json (RFC 9457) for a program.
func (s *server) respond(w http.ResponseWriter, r *http.Request, err error) {
	a := answerTo(err)
	if a.status >= http.StatusInternalServerError && r.Context().Err() == nil {
		s.log.Error("request failed", "request", requestID(r.Context()), "error", err)
	} else {
		s.log.Debug("request refused", "request", requestID(r.Context()), "status", a.status, "error", err)
	}
	header := w.Header()
	if a.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	header.Set("Cache-Control", "no-store")
	if wantsPage(r) {
		if errors.Is(err, web.ErrLogin) && r.Method == http.MethodGet {
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		s.page(w, r, a)
		return
	}
	s.problem(w, r, a)
}

func (s *server) page(w http.ResponseWriter, r *http.Request, a answer) {
	view := &templates.Failure{Layout: s.pages.Layout(r), Status: a.status, What: a.what, Do: a.do}
	view.RequestID, view.NoIndex, view.Notices = requestID(r.Context()), true, nil
	if a.what != "" && a.do == "" {
		view.Do = "Go back, mend it, and try again."
	}
	if a.status == http.StatusUnauthorized {
		view.LinkURL, view.LinkText = "/login", "Log in"
	}
	if err := s.pages.Render(w, a.status, view); err != nil {
		s.log.Error("error page not drawn", "request", view.RequestID, "error", err)
		http.Error(w, http.StatusText(a.status), a.status)
	}
}

// problem is RFC 9457 with what the pages' scripts read: the words and the field that they belong to.
type problem struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Error   string `json:"error,omitempty"`
	Field   string `json:"field,omitempty"`
	Request string `json:"request"`
}

func (s *server) problem(w http.ResponseWriter, r *http.Request, a answer) {
	words := strings.TrimSpace(a.what)
	if a.do != "" {
		words = strings.TrimSuffix(words, ".") + ". " + a.do
	}
	raw, err := json.Marshal(problem{
		Type: "about:blank", Title: http.StatusText(a.status), Status: a.status, Error: words, Field: a.field, Request: requestID(r.Context()),
	})
	if err != nil {
		s.log.Error("problem not written", "error", err)
		http.Error(w, http.StatusText(a.status), a.status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(a.status)
	_, _ = w.Write(raw) // a visitor who has gone away is no error of ours
}

// wantsPage reports whether a person waits for the answer.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }
