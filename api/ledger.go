package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/time/rate"

	"antiphon/internal/db"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/witness"
)

// Books serve the instance's ledger to those who watch it:
//
//	GET /ledger/key                    the key that checkpoints are signed with
//	GET /ledger/checkpoint             the newest, with its cosignatures (c2sp.org/tlog-checkpoint)
//	GET /ledger/proof?old=N            that the ledger goes on from size N, as a body for add-checkpoint
//	GET /ledger/tile/L/N[.p/W]         hashes (c2sp.org/tlog-tiles)
//	GET /ledger/entries?from=N         records, one a line; only where the admin publishes them
//
// and the instance as a witness for the ledgers of others (c2sp.org/tlog-witness):
//
//	POST /witness/add-checkpoint       a cosignature, or why not
//	GET  /witness/key                  the key of the cosignatures
//	GET  /witness/checkpoint?origin=   the last one that was signed for
//	GET  /witness/forks?origin=        evidence of two pasts
type Books struct {
	Ledger *ledger.Ledger
	// Key is the verifier key of the ledger, as signed notes have it.
	Key string
	DB  *db.DB
	// Witness is nil when the instance signs for nobody.
	Witness *witness.Witness
	// Entries publishes the records: who is owed how much can be told from them by whoever knows an artist's URI.
	Entries bool
	Log     *slog.Logger
}

// Handler answers everything below /ledger/ and /witness/. It is bounded in what it does in a second: nobody logs in here.
func (b *Books) Handler() http.Handler {
	routes := map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /ledger/key": b.key, "GET /ledger/checkpoint": b.checkpoint, "GET /ledger/proof": b.proof,
		"GET /ledger/tile/": b.tile, "GET /ledger/entries": b.entries,
	}
	if b.Witness != nil {
		routes["POST /witness/add-checkpoint"], routes["GET /witness/key"] = b.addCheckpoint, b.witnessKey
		routes["GET /witness/checkpoint"], routes["GET /witness/forks"] = b.seen, b.forks
	}
	return b.answering(rate.NewLimiter(50, 200), routes)
}

// errNoSuch answers 404.
var errNoSuch = errors.New("there is no such thing here")

func (b *Books) answering(limit *rate.Limiter, routes map[string]func(http.ResponseWriter, *http.Request) error) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Access-Control-Allow-Origin", "*")
			if !limit.Allow() {
				w.Header().Set("Retry-After", "1")
				http.Error(w, "busy", http.StatusTooManyRequests)
				return
			}
			if err := h(w, r); err != nil {
				b.refuse(w, r, err)
			}
		})
	}
	return mux
}

// refuse answers an error; the statuses of a witness are those of c2sp.org/tlog-witness.
func (b *Books) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var conflict *witness.Conflict
	if errors.As(err, &conflict) {
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", conflict.Size)
		return
	}
	for _, known := range []struct {
		err    error
		status int
	}{
		{errNoSuch, http.StatusNotFound}, {ledger.ErrNotFound, http.StatusNotFound}, {witness.ErrUnknown, http.StatusNotFound},
		{witness.ErrSignature, http.StatusForbidden}, {witness.ErrMalformed, http.StatusBadRequest}, {witness.ErrOld, http.StatusBadRequest},
		{witness.ErrProof, http.StatusUnprocessableEntity}, {witness.ErrBusy, http.StatusTooManyRequests},
		{witness.ErrFull, http.StatusServiceUnavailable},
	} {
		if errors.Is(err, known.err) {
			if known.status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", "5")
			}
			http.Error(w, known.err.Error(), known.status)
			return
		}
	}
	b.Log.Error("ledger request failed", "path", r.URL.Path, "error", err)
	http.Error(w, "this failed here; try again", http.StatusInternalServerError)
}

// plainText answers with text that changes, or never does.
func plainText(w http.ResponseWriter, forever bool, body []byte) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	if forever {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(body) // a client that has gone away is nobody to tell
	return nil
}

func (b *Books) key(w http.ResponseWriter, _ *http.Request) error {
	return plainText(w, false, []byte(b.Key+"\n"))
}

func (b *Books) checkpoint(w http.ResponseWriter, r *http.Request) error {
	signed, err := b.Ledger.Checkpoint(r.Context(), b.DB.Read)
	if err != nil {
		return err
	}
	return plainText(w, false, signed)
}

func (b *Books) proof(w http.ResponseWriter, r *http.Request) error {
	old, err := strconv.ParseInt(r.URL.Query().Get("old"), 10, 64)
	if err != nil {
		return errNoSuch
	}
	p, err := b.Ledger.ProveTree(r.Context(), b.DB.Read, old)
	if err != nil {
		return err
	}
	return plainText(w, false, witness.Submission{Old: old, Proof: p.Hashes, Note: p.Checkpoint}.Marshal())
}

func (b *Books) tile(w http.ResponseWriter, r *http.Request) error {
	rest := strings.TrimPrefix(r.URL.Path, "/ledger/tile/")
	tile, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", ledger.TileHeight, rest))
	if err != nil {
		return errNoSuch
	}
	data, err := ledger.Tile(r.Context(), b.DB.Read, tile)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(data)
	return nil
}

func (b *Books) entries(w http.ResponseWriter, r *http.Request) error {
	first, err := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
	if err != nil || !b.Entries {
		return errNoSuch
	}
	records, err := ledger.Entries(r.Context(), b.DB.Read, first)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(append(bytes.Join(records, []byte("\n")), '\n'))
	return nil
}

func (b *Books) addCheckpoint(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, witness.MaxBody))
	if err != nil {
		return fmt.Errorf("%w: %w", witness.ErrMalformed, err)
	}
	s, err := witness.ParseSubmission(body)
	if err != nil {
		return err
	}
	line, err := b.Witness.Add(r.Context(), s)
	if err != nil {
		return err
	}
	return plainText(w, false, line)
}

func (b *Books) witnessKey(w http.ResponseWriter, _ *http.Request) error {
	return plainText(w, false, []byte(b.Witness.Key()+"\n"))
}

func (b *Books) seen(w http.ResponseWriter, r *http.Request) error {
	signed, err := b.Witness.Seen(r.Context(), r.URL.Query().Get("origin"))
	if err != nil {
		return err
	}
	return plainText(w, false, signed)
}

func (b *Books) forks(w http.ResponseWriter, r *http.Request) error {
	forks, err := b.Witness.Forks(r.Context(), r.URL.Query().Get("origin"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_ = json.NewEncoder(w).Encode(map[string]any{"forks": forks})
	return nil
}
