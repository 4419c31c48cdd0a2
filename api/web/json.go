package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// next is the answer that sends the browser on.
type next struct {
	Next string `json:"next"`
}

// readJSON reads a request's body, which the router has bounded, into v. Forms of other sites cannot send this type.
func readJSON(r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &Fault{Status: http.StatusUnsupportedMediaType, What: "This request was not understood", Do: "It has to be JSON."}
	}
	d := json.NewDecoder(r.Body)
	if err := d.Decode(v); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return err
		}
		return malformed(fmt.Errorf("read JSON: %w", err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed(errors.New("something follows the JSON"))
	}
	return nil
}

// writeJSON answers with v; nothing keeps it.
func writeJSON(w http.ResponseWriter, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(raw) // a visitor who has gone away is no error of ours
	return nil
}
