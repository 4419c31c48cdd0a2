package play

import (
	"bytes"
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
	h := w.Header()
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Disposition", "attachment")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", immutable)
	h.Set("Vary", "Accept")
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
