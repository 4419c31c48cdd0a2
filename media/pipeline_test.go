package media_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/hls"
	"antiphon/media/ipfs"
	"antiphon/media/seal"
	"antiphon/media/transcode"
)

// song is real music from Debian's frozen-bubble-data.
const song = "/usr/share/games/frozen-bubble/snd/introzik.ogg"

// keeper is a shop that remembers the content key: what the pipeline sealed can be opened with it.
type keeper struct {
	key  seal.ContentKey
	open bool
}

func (k *keeper) Encapsulate(_ context.Context, _ media.Track, key seal.ContentKey) (func(*gorm.DB) error, error) {
	k.key = key
	return func(*gorm.DB) error { return nil }, nil
}

func (k *keeper) SetOpen(_ *gorm.DB, _, _ string, open bool) error {
	k.open = open
	return nil
}

// house is an instance's media rooms on a folder.
type house struct {
	*media.Service
	db     *db.DB
	jobs   *jobs.Queue
	store  ipfs.Store
	engine transcode.Engine
	shop   *keeper
	dir    string
}

func open(t *testing.T, dir string) *house {
	t.Helper()
	return openWith(t, dir, media.Config{})
}

func openWith(t *testing.T, dir string, config media.Config) *house {
	t.Helper()
	ctx := t.Context()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	database, err := db.Open(ctx, filepath.Join(dir, "antiphon.db"), log)
	must(t, err)
	v, err := vault.Load(filepath.Join(dir, "master.key"), true, rand.Reader)
	must(t, err)
	store, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: filepath.Join(dir, "blocks")})
	must(t, err)
	engine, err := transcode.Open(ctx, transcode.Config{Mode: transcode.ModeNative})
	must(t, err)
	h := &house{db: database, jobs: jobs.New(database, log), store: store, engine: engine, shop: &keeper{}, dir: dir}
	config.BaseURL, config.DataDir, config.UploadDir = "https://s.example", dir, filepath.Join(dir, "uploads")
	h.Service = media.New(config, media.Parts{
		DB: database, Jobs: h.jobs, Vault: v, Store: store, Engine: engine, Shop: h.shop, Credit: credit, Log: log, Now: time.Now, Rand: rand.Reader,
	})
	h.Register(h.jobs)
	jobs.Handle(h.jobs, jobs.Handler[media.TrackPublished]{Work: func(context.Context, media.TrackPublished, int) error { return nil }})
	jobs.Handle(h.jobs, jobs.Handler[media.TrackChanged]{Work: func(context.Context, media.TrackChanged, int) error { return nil }})
	must(t, h.jobs.Open())
	must(t, h.Sweep(ctx))
	must(t, h.jobs.Start(ctx))
	t.Cleanup(func() {
		_ = h.jobs.Stop(context.WithoutCancel(ctx))
		_ = database.Close()
		_ = store.Close()
		_ = engine.Close()
	})
	return h
}

// put places a file where a finished upload lies.
func (h *house) put(t *testing.T, id, path string) media.Upload {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(h.dir, "uploads"), 0o700))
	must(t, os.WriteFile(filepath.Join(h.dir, "uploads", id), b, 0o600))
	return media.Upload{ID: id, Artist: "https://s.example/users/ada", Filename: filepath.Base(path), Size: int64(len(b))}
}

// until waits for the pipeline to leave a track in one of the states.
func (h *house) until(t *testing.T, id media.TrackID, states ...media.State) media.Track {
	t.Helper()
	var track media.Track
	testkit.Until(t, fmt.Sprintf("the track is one of %s", states), func() bool {
		var err error
		track, err = media.ByID(t.Context(), h.db.Read, id)
		must(t, err)
		return slices.Contains(states, track.State)
	})
	return track
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := open(t, t.TempDir())
	track, err := h.Ingest(ctx, h.put(t, "upload-1", song))
	must(t, err)
	again, err := h.Ingest(ctx, media.Upload{ID: "upload-1", Artist: track.Artist})
	must(t, err)
	if again.ID != track.ID {
		t.Errorf("the same upload became two tracks: %s, %s", track.ID, again.ID)
	}
	track = h.until(t, track.ID, media.Ready, media.Failed)
	if track.State == media.Failed {
		t.Fatal(track.Failure)
	}
	if got := track.Duration(); got < 195*time.Second || got > 196*time.Second {
		t.Errorf("duration %s, want 195 to 196 s", got)
	}
	for _, left := range []string{"uploads/upload-1", "work/" + string(track.ID)} {
		if _, err := os.Stat(filepath.Join(h.dir, left)); !os.IsNotExist(err) {
			t.Errorf("%s was left in the clear", left)
		}
	}
	master, err := h.Master(track)
	must(t, err)
	kept, err := io.ReadAll(master)
	must(t, err)
	must(t, master.Close())
	original, err := os.ReadFile(song)
	must(t, err)
	if !bytes.Equal(kept, original) {
		t.Error("the master is not the file that was uploaded")
	}
	for name, clear := range h.decrypt(t, track) {
		path := filepath.Join(t.TempDir(), name+".mp4")
		must(t, os.WriteFile(path, clear, 0o600))
		var pcm bytes.Buffer
		must(t, transcode.Decode(ctx, h.engine, path, 22050, 1, &pcm))
		if seconds := float64(pcm.Len()) / 2 / 22050; seconds < 194 || seconds > 197 {
			t.Errorf("%s plays %.1f s", name, seconds)
		}
	}
	track, err = h.Publish(ctx, track.Artist, track.ID)
	must(t, err)
	if track.State != media.Published || !h.shop.open || track.Slug != "introzik" {
		t.Errorf("published: state %s, on sale %v, slug %s", track.State, h.shop.open, track.Slug)
	}
}

// decrypt reads every rendition back from the store.
func (h *house) decrypt(t *testing.T, track media.Track) map[string][]byte {
	t.Helper()
	master, err := hls.ParseMaster(bytes.NewReader(h.get(t, track.Manifest)))
	must(t, err)
	out := make(map[string][]byte)
	for _, v := range master.Variants {
		playlist, err := hls.ParseMedia(bytes.NewReader(h.get(t, v.CID)))
		must(t, err)
		clear := h.get(t, playlist.Init)
		for _, s := range playlist.Segments {
			part, err := seal.Decrypt(nil, seal.Key(h.shop.key, playlist.Rendition), seal.IV(s.IV), h.get(t, s.CID))
			must(t, err)
			clear = append(clear, part...)
		}
		out[playlist.Rendition] = clear
	}
	if len(out) != 4 {
		t.Errorf("%d renditions, want 4", len(out))
	}
	return out
}

func (h *house) get(t *testing.T, name string) []byte {
	t.Helper()
	c, err := ipfs.ParseCID(name)
	must(t, err)
	b, err := h.store.Get(t.Context(), c)
	must(t, err)
	return b
}

func TestPipelineRefuses(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty.mp3": "", "page.mp3": "<!doctype html><p>hello", "list.mp3": "#EXTM3U\nhttps://a.example/1.mp3\n", "text.flac": "fLaC but only in name",
	} {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(content), 0o600))
		track, err := h.Ingest(t.Context(), h.put(t, name, path))
		must(t, err)
		track = h.until(t, track.ID, media.Ready, media.Failed)
		if track.State != media.Failed || track.Failure == "" {
			t.Errorf("%s: state %s, failure %q", name, track.State, track.Failure)
		}
		// The file goes once the failure is on record.
		h.gone(t, filepath.Join(h.dir, "uploads", name))
	}
}

// gone waits until there is no such file.
func (h *house) gone(t *testing.T, path string) {
	t.Helper()
	testkit.Until(t, path+" is gone", func() bool {
		_, err := os.Stat(path)
		return os.IsNotExist(err)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
