package web

import (
	"errors"
	"io"
	"net/http"
)

// maxMemory is how much of a posted form is kept in memory; the router bounds the whole.
const maxMemory = 12 << 20

// parseForm reads a form, sent as either kind.
func parseForm(r *http.Request) error {
	err := r.ParseMultipartForm(maxMemory)
	if errors.Is(err, http.ErrNotMultipart) {
		err = r.ParseForm()
	}
	if tooLarge := (*http.MaxBytesError)(nil); err != nil && !errors.As(err, &tooLarge) {
		return malformed(err)
	}
	return err
}

// formFile returns the bytes of a file of a parsed form, or nothing when none was chosen.
func formFile(r *http.Request, name string) ([]byte, error) {
	if r.MultipartForm == nil || len(r.MultipartForm.File[name]) == 0 {
		return nil, nil
	}
	f, err := r.MultipartForm.File[name][0].Open()
	if err != nil {
		return nil, malformed(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, malformed(err)
	}
	return b, nil
}
