package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/filestore"
	tus "github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog"

	"antiphon/media"
	"antiphon/templates"
)

// uploadsPath is where tus listens.
const uploadsPath = "/uploads/"

// draftHeader names the draft's page in the answer to an upload's last chunk.
const draftHeader = "Antiphon-Draft"

// abandoned is how old an unfinished upload gets.
const abandoned = 7 * 24 * time.Hour

// UploadPage is GET /upload.
func (p *Pages) UploadPage(w http.ResponseWriter, r *http.Request) error {
	if _, err := asArtist(r); err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, &templates.Upload{
		Layout: p.Layout(r), MaxBytes: p.MaxUpload, Formats: []string{"FLAC", "WAV", "AIFF", "ALAC", "MP3", "AAC", "Ogg Vorbis", "Opus"},
	})
}

// uploads is tus 1.0 over the folder of uploads.
type uploads struct {
	pages *Pages
	files filestore.FileStore
	tus   http.Handler
}

func (p *Pages) newUploads() (*uploads, error) {
	if err := os.MkdirAll(p.UploadDir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of uploads: %w", err)
	}
	u := &uploads{pages: p, files: filestore.New(p.UploadDir)}
	composer := tus.NewStoreComposer()
	// No concatenation and no deferred length: the size is known, and judged, before a byte is taken.
	composer.UseCore(u.files)
	composer.UseTerminater(u.files)
	memorylocker.New().UseIn(composer)
	h, err := tus.NewHandler(tus.Config{
		StoreComposer: composer, BasePath: p.BaseURL + uploadsPath, DisableDownload: true, Cors: &tus.CorsConfig{Disable: true},
		PreUploadCreateCallback: u.create, PreFinishResponseCallback: u.finish,
		// Requests are logged by the router.
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return nil, fmt.Errorf("open uploads: %w", err)
	}
	u.tus = http.StripPrefix(uploadsPath, h)
	return u, nil
}

// Uploads is tus at /uploads/. An upload is its maker's alone.
func (p *Pages) Uploads(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	id := strings.Trim(strings.TrimPrefix(r.URL.Path, uploadsPath), "/")
	if id == "" {
		p.uploads.tus.ServeHTTP(w, r)
		return nil
	}
	info, err := p.uploads.info(r.Context(), id)
	if err != nil {
		return err
	}
	if info.MetaData["artist"] != v.Account.Actor {
		return fmt.Errorf("%w: upload", ErrNotFound)
	}
	if info.Offset == info.Size {
		// The answer to the last chunk was lost, or we were before it was written.
		draft, err := p.uploads.ingest(r.Context(), info)
		if err != nil {
			return err
		}
		w.Header().Set(draftHeader, draft)
	}
	p.uploads.tus.ServeHTTP(w, r)
	return nil
}

func (u *uploads) info(ctx context.Context, id string) (tus.FileInfo, error) {
	if !validUpload(id) {
		return tus.FileInfo{}, fmt.Errorf("%w: upload", ErrNotFound)
	}
	upload, err := u.files.GetUpload(ctx, id)
	if errors.Is(err, tus.ErrNotFound) {
		return tus.FileInfo{}, fmt.Errorf("%w: upload", ErrNotFound)
	}
	if err != nil {
		return tus.FileInfo{}, fmt.Errorf("read upload: %w", err)
	}
	return upload.GetInfo(ctx)
}

func newUploadID() string { return strings.ToLower(rand.Text()) }

func validUpload(id string) bool {
	return len(id) == 26 && !strings.ContainsFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '2' || r > '7') })
}

// create judges an upload before a byte of it is taken.
func (u *uploads) create(e tus.HookEvent) (tus.HTTPResponse, tus.FileInfoChanges, error) {
	var none tus.HTTPResponse
	name := me(e.Context)
	if err := u.admit(e.Context, name, e.Upload.Size); err != nil {
		return none, tus.FileInfoChanges{}, err
	}
	return none, tus.FileInfoChanges{
		ID: newUploadID(), MetaData: tus.MetaData{"artist": name, "filename": e.Upload.MetaData["filename"]},
	}, nil
}

func (u *uploads) admit(ctx context.Context, artist string, size int64) error {
	p := u.pages
	if size < 1 {
		return tus.NewError("empty", "The file is empty.", http.StatusBadRequest)
	}
	if size > p.MaxUpload {
		return tus.NewError("too-large", fmt.Sprintf("The file is larger than this server takes: %d MB at most.", p.MaxUpload/1_000_000), http.StatusRequestEntityTooLarge)
	}
	account, err := p.Auth.ByActor(ctx, artist)
	if err != nil {
		return u.broken(err)
	}
	used, err := p.Tracks.Used(ctx, artist)
	if err != nil {
		return u.broken(err)
	}
	pending, err := u.pending(artist)
	if err != nil {
		return u.broken(err)
	}
	if left := account.QuotaBytes - used - pending; size > left {
		return tus.NewError("quota", fmt.Sprintf("The file is larger than what is left of your space here: %d MB.", max(0, left)/1_000_000), http.StatusRequestEntityTooLarge)
	}
	_, free, _, err := diskOf(p.UploadDir)
	if err != nil {
		return u.broken(err)
	}
	if free-size < p.DiskLow {
		return tus.NewError("disk-full", "The disk of this server is nearly full. Its administrator sees that; try again later.", http.StatusInsufficientStorage)
	}
	return nil
}

// broken hides from the visitor what went wrong, and shows it to the log.
func (u *uploads) broken(err error) error {
	u.pages.Log.Error("upload failed", "error", err)
	return tus.NewError("failed", "Something here did not work. Try again.", http.StatusInternalServerError)
}

// finish makes the finished upload a track.
func (u *uploads) finish(e tus.HookEvent) (tus.HTTPResponse, error) {
	draft, err := u.ingest(e.Context, e.Upload)
	if err != nil {
		return tus.HTTPResponse{}, u.broken(err)
	}
	return tus.HTTPResponse{Header: tus.HTTPHeader{draftHeader: draft}}, nil
}

// ingest hands a finished upload to the pipeline, once however often it is called, and returns its draft's page.
func (u *uploads) ingest(ctx context.Context, info tus.FileInfo) (string, error) {
	t, err := u.pages.Tracks.Ingest(ctx, media.Upload{
		ID: info.ID, Artist: info.MetaData["artist"], Filename: info.MetaData["filename"], Size: info.Size,
	})
	if err != nil {
		return "", fmt.Errorf("ingest upload: %w", err)
	}
	return "/drafts/" + string(t.ID), nil
}

// pending is what the artist has begun to upload and not finished, in bytes.
func (u *uploads) pending(artist string) (int64, error) {
	var sum int64
	err := u.each(func(info tus.FileInfo, written int64, _ time.Time) error {
		if info.MetaData["artist"] == artist && written < info.Size {
			sum += info.Size
		}
		return nil
	})
	return sum, err
}

// each looks at every upload: how many of its bytes are here, and when it last grew.
func (u *uploads) each(look func(info tus.FileInfo, written int64, at time.Time) error) error {
	entries, err := os.ReadDir(u.files.Path)
	if err != nil {
		return fmt.Errorf("list uploads: %w", err)
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".info")
		if !ok {
			continue
		}
		var info tus.FileInfo
		raw, err := os.ReadFile(filepath.Join(u.files.Path, e.Name()))
		if err == nil {
			err = json.Unmarshal(raw, &info)
		}
		stat, statErr := os.Stat(filepath.Join(u.files.Path, id))
		if errors.Is(err, os.ErrNotExist) || errors.Is(statErr, os.ErrNotExist) {
			continue // it went while we looked
		}
		if err := errors.Join(err, statErr); err != nil {
			return fmt.Errorf("read upload %s: %w", id, err)
		}
		if err := look(info, stat.Size(), stat.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

// Sweep hands uploads that were finished as the process ended to the pipeline, and removes what nobody went on with for
// a week. Call it at start, once the jobs can be written.
func (p *Pages) Sweep(ctx context.Context) error {
	return p.uploads.each(func(info tus.FileInfo, written int64, at time.Time) error {
		if written == info.Size {
			_, err := p.uploads.ingest(ctx, info)
			return err
		}
		if p.Now().Sub(at) < abandoned {
			return nil
		}
		path := filepath.Join(p.UploadDir, filepath.Base(info.ID))
		return errors.Join(os.Remove(path), os.Remove(path+".info"))
	})
}
