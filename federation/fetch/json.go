package fetch

import (
	"context"
	"fmt"
	"mime"
	"net/url"
)

// JSON returns what is answered at uri as application/json, in a request that the instance actor signs: for what is
// between two servers and is no ActivityStreams document. The errors are as of Get.
func (f *Fetcher) JSON(ctx context.Context, uri string) ([]byte, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURI, err)
	}
	resp, err := f.do(ctx, u, "application/json")
	if err != nil {
		return nil, fmt.Errorf("fetch %.200s: %w", uri, err)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, fmt.Errorf("fetch %.200s: content type %.100q: %w", uri, resp.Header.Get("Content-Type"), ErrNotActivity)
	}
	return resp.Body, nil
}
