package fetch

import (
	"context"
	"fmt"
	"mime"
	"net/url"

	"antiphon/vocab"
)

// Intents returns the WebFinger document of a handle as its host gives it, for what it says of where people of that host
// act on things elsewhere. It is not checked who the actor is: nobody is followed or believed because of it. One request.
func (f *Fetcher) Intents(ctx context.Context, text string) (vocab.JRD, error) {
	h, err := parseHandle(text)
	if err != nil {
		return vocab.JRD{}, err
	}
	u := &url.URL{Scheme: f.cfg.Scheme, Host: h.host, Path: "/.well-known/webfinger", RawQuery: url.Values{"resource": {h.acct()}}.Encode()}
	resp, err := f.do(ctx, u, jrdAccept)
	if err != nil {
		return vocab.JRD{}, fmt.Errorf("look up %s@%s: %w", h.user, h.host, err)
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || mediaType != vocab.JRDType && mediaType != "application/json" {
		return vocab.JRD{}, fmt.Errorf("content type %.100q is not a JRD: %w", resp.Header.Get("Content-Type"), ErrHandle)
	}
	return vocab.ReadJRD(resp.Body)
}
