package play

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/media/ipfs"
)

// immutable is how long what a CID names may be kept: for ever.
const immutable = "public, max-age=31536000, immutable"

// Block serves one block of what this instance published, or keeps for a user's grant: the bytes as they are, a raw
// block or a CAR (the trustless gateway's answers, by Accept or ?format=). They are ciphertext, so anyone may have them.
func (s *Service) Block(w http.ResponseWriter, r *http.Request) {
	c, err := ipfs.ParseCID(mux.Vars(r)["cid"])
	if err != nil {
		problem(w, http.StatusBadRequest, "malformed", "This is not a CID that is served here.")
		return
	}
	if c.Codec() == ipfs.DagPB && format(r) == "" {
		s.file(w, r, c)
		return
	}
	block, err := s.Access.Block(r.Context(), c)
	if errors.Is(err, ipfs.ErrNotFound) {
		problem(w, http.StatusNotFound, "not-found", "This instance does not have that block.")
		return
	}
	if err != nil {
		s.Log.Warn("block not served", "cid", c, "error", err)
		problem(w, http.StatusBadGateway, "unreachable", "The block could not be fetched from where it was published.")
		return
	}
	inert(w)
	h := w.Header()
	switch format(r) {
	case "car":
		h.Set("Content-Type", "application/vnd.ipld.car; version=1; order=dfs; dups=y")
		if err := ipfs.WriteCAR(r.Context(), s.Store, c, w); err != nil {
			s.Log.Warn("car not served", "cid", c, "error", err)
		}
		return
	case "raw":
		h.Set("Content-Type", "application/vnd.ipld.raw")
	default:
		h.Set("Content-Type", "application/octet-stream")
	}
	h.Set("ETag", `"`+string(c)+"."+format(r)+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(block))
}

// A file may take fileTime, longer than other answers, while the visitor takes some of it every stallTime.
const (
	fileTime  = time.Hour
	stallTime = 30 * time.Second
)

// steady gives each write its own time.
type steady struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (s steady) Write(b []byte) (int, error) {
	// A connection that knows no deadlines, as in a test, has none.
	_ = s.control.SetWriteDeadline(time.Now().Add(stallTime))
	return s.ResponseWriter.Write(b)
}

// file serves a file of many blocks as a whole, and any part of it.
func (s *Service) file(w http.ResponseWriter, r *http.Request, c ipfs.CID) {
	// The request's own context ends too early for it; a visitor who goes away ends the writing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), fileTime)
	defer cancel()
	f, err := s.Access.File(ctx, c)
	switch {
	case errors.Is(err, ipfs.ErrNotFound):
		problem(w, http.StatusNotFound, "not-found", "This instance does not have that file.")
		return
	case err != nil:
		s.Log.Warn("file not served", "cid", c, "error", err)
		problem(w, http.StatusBadGateway, "unreachable", "The file could not be fetched from where it was published.")
		return
	}
	defer f.Close()
	inert(w)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+string(c)+`"`)
	http.ServeContent(steady{w, http.NewResponseController(w)}, r, "", time.Time{}, f)
}

// inert says of an answer that it is nothing but bytes, for everyone and for ever.
func inert(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Disposition", "attachment")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", immutable)
	h.Set("Vary", "Accept")
}

// format is raw, car, or nothing for plain bytes.
func format(r *http.Request) string {
	if f := r.URL.Query().Get("format"); f == "raw" || f == "car" {
		return f
	}
	for _, accept := range strings.Split(r.Header.Get("Accept"), ",") {
		switch kind, _, _ := mime.ParseMediaType(accept); kind {
		case "application/vnd.ipld.raw":
			return "raw"
		case "application/vnd.ipld.car":
			return "car"
		}
	}
	return ""
}
