package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

func (u *user) postForm(ctx context.Context, path string, form url.Values) (*http.Response, error) {
	return u.do(ctx, http.MethodPost, path, strings.NewReader(form.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
}

func (u *user) postJSON(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	resp, err := u.do(ctx, http.MethodPost, path, bytes.NewReader(b), http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}})
	if err != nil || out == nil {
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func (u *user) getJSON(ctx context.Context, path string, out any) error {
	resp, err := u.do(ctx, http.MethodGet, path, nil, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// get returns the body of a GET.
func (u *user) get(ctx context.Context, path string) ([]byte, error) {
	resp, err := u.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(resp.Body)
}

// statusError is an answer that says no.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

// isStatus reports whether err is an answer with this status.
func isStatus(err error, status int) bool {
	var answer *statusError
	return errors.As(err, &answer) && answer.status == status
}

// maxBody bounds what is read of an answer.
const maxBody = 32 << 20

// do sends a request as a page of the same origin would; the answer's body is read whole.
func (u *user) do(ctx context.Context, method, path string, body io.Reader, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.base+path, body)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Origin", u.base)
	if req.Header.Get("Accept") == "" {
		// Some addresses are a page to people and a document to servers.
		req.Header.Set("Accept", "text/html,*/*;q=0.8")
	}
	resp, err := u.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		return nil, &statusError{resp.StatusCode, fmt.Sprintf("%s %s: %s: %.300s", method, path, resp.Status, bytes.TrimSpace(content))}
	}
	resp.Body = io.NopCloser(bytes.NewReader(content))
	return resp, nil
}

// every calls look until it says done, fails, or ctx ends.
func every(ctx context.Context, pause time.Duration, look func() (bool, error)) error {
	for {
		done, err := look()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
