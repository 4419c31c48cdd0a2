package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"antiphon/api/auth"
	"antiphon/api/web"
	"antiphon/media"
	"antiphon/media/ipfs"
	"antiphon/payments/purchase"
)

func TestWantsDocument(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string][2]bool{ // of a page's address, of a document's
		"": {false, true}, "*/*": {false, true}, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": {false, false},
		"application/activity+json": {true, true}, `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`: {true, true},
		"application/activity+json, text/html;q=0.1": {true, true}, "text/html, application/activity+json": {false, false},
		"APPLICATION/LD+JSON": {true, true}, "application/json": {true, true}, "image/png": {false, true}, "application/activity+jsonx": {false, true},
	} {
		if got := [2]bool{wantsDocument(accept, pageFirst), wantsDocument(accept, documentFirst)}; got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

func TestAnswerTo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
	}{
		{&web.Fault{Status: http.StatusTeapot}, http.StatusTeapot},
		{&auth.Refusal{Field: "name"}, http.StatusUnprocessableEntity},
		{&auth.Slow{After: time.Minute}, http.StatusTooManyRequests},
		{&media.Refusal{}, http.StatusUnprocessableEntity},
		{&purchase.Refusal{}, http.StatusUnprocessableEntity},
		{&http.MaxBytesError{Limit: 1}, http.StatusRequestEntityTooLarge},
		{media.ErrQuota, http.StatusRequestEntityTooLarge},
		{auth.ErrCredentials, http.StatusUnauthorized},
		{auth.ErrNoSession, http.StatusUnauthorized},
		{web.ErrLogin, http.StatusUnauthorized},
		{web.ErrForbidden, http.StatusForbidden},
		{auth.ErrLink, http.StatusGone},
		{auth.ErrNotFound, http.StatusNotFound},
		{web.ErrNotFound, http.StatusNotFound},
		{media.ErrNotFound, http.StatusNotFound},
		{purchase.ErrNotFound, http.StatusNotFound},
		{ipfs.ErrNotFound, http.StatusNotFound},
		{ipfs.ErrBadCID, http.StatusNotFound},
		{context.DeadlineExceeded, http.StatusServiceUnavailable},
		{errors.New("password=hunter2"), http.StatusInternalServerError},
	} {
		if got := answerTo(fmt.Errorf("around: %w", c.err)); got.status != c.status {
			t.Errorf("%v: %d, not %d", c.err, got.status, c.status)
		}
	}
}
