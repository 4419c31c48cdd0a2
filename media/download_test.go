package media_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.senan.xyz/taglib"

	"antiphon/internal/testkit"
	"antiphon/media"
	"antiphon/media/ipfs"
	"antiphon/media/seal"
	"antiphon/media/transcode"
)

// voice is a lossless recording from Debian's alsa-utils, and bell a lossy one from its sound-theme-freedesktop.
const (
	voice = "/usr/share/sounds/alsa/Front_Center.wav"
	bell  = "/usr/share/sounds/freedesktop/stereo/alarm-clock-elapsed.oga"
)

func credit(_ context.Context, t media.Track) (artist, url string, err error) {
	return "Ada and the Engines", "https://s.example/@ada/" + t.Slug, nil
}

// downloads waits for the files that say title, and opens them with the content key.
func (h *house) downloads(t *testing.T, id media.TrackID, title string) map[string]string {
	t.Helper()
	var files map[string]string
	testkit.Until(t, "the downloads say "+title, func() bool {
		rows, err := media.DownloadsOf(t.Context(), h.db.Read, id)
		must(t, err)
		files = map[string]string{}
		for _, d := range rows {
			path := h.open(t, id, d)
			tags, err := taglib.ReadTags(path)
			must(t, err)
			if len(tags[taglib.Title]) == 1 && tags[taglib.Title][0] == title {
				files[d.Format] = path
			}
		}
		return len(rows) > 0 && len(files) == len(rows)
	})
	return files
}

func (h *house) open(t *testing.T, id media.TrackID, d media.Download) string {
	t.Helper()
	r, err := h.store.OpenFile(t.Context(), ipfs.CID(d.CID))
	must(t, err)
	defer r.Close()
	sealed, err := io.ReadAll(r)
	must(t, err)
	if int64(len(sealed)) != d.Size {
		t.Errorf("%s has %d bytes, want %d", d.Format, len(sealed), d.Size)
	}
	track, err := media.ByID(t.Context(), h.db.Read, id)
	must(t, err)
	clear, err := seal.NewReader(bytes.NewReader(sealed), seal.DownloadKey(h.shop.key, d.Format), media.DownloadContext(track.URI, d.Format))
	must(t, err)
	content, err := io.ReadAll(clear)
	must(t, err)
	if bytes.Contains(sealed, content[len(content)/2:][:32]) {
		t.Errorf("%s lies in the clear", d.Format)
	}
	path := filepath.Join(t.TempDir(), "track."+d.Format)
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

func (h *house) sound(t *testing.T, path string) []byte {
	t.Helper()
	var pcm bytes.Buffer
	must(t, transcode.Decode(t.Context(), h.engine, path, 48000, 1, &pcm))
	return pcm.Bytes()
}

// What a buyer takes away is tagged, has its cover, and the FLAC is the artist's own sound to the sample. It follows
// what the artist changes, and nothing of the old files stays.
func TestDownloads(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := open(t, t.TempDir())
	track, err := h.Ingest(ctx, h.put(t, "upload-1", voice))
	must(t, err)
	track = h.until(t, track.ID, media.Ready, media.Failed)
	picture := image.NewRGBA(image.Rect(0, 0, 400, 400))
	for i := range 400 {
		picture.Set(i, i, color.RGBA{200, 80, 20, 255})
	}
	var cover bytes.Buffer
	must(t, png.Encode(&cover, picture))
	must(t, h.SetCover(ctx, track.Artist, track.ID, cover.Bytes()))
	edit := media.Edit{Title: "Front Center", Album: "Directions", Licence: "https://creativecommons.org/publicdomain/zero/1.0/"}
	_, err = h.Edit(ctx, track.Artist, track.ID, edit)
	must(t, err)
	_, err = h.Publish(ctx, track.Artist, track.ID)
	must(t, err)

	files := h.downloads(t, track.ID, "Front Center")
	if len(files) != 3 {
		t.Fatalf("files %v", files)
	}
	for format, path := range files {
		tags, err := taglib.ReadTags(path)
		must(t, err)
		for key, want := range map[string]string{
			taglib.Artist: "Ada and the Engines", taglib.Album: "Directions", taglib.URL: "https://s.example/@ada/front-center",
		} {
			if got := fmt.Sprint(tags[key]); got != "["+want+"]" {
				t.Errorf("%s: %s is %s, want %s", format, key, got, want)
			}
		}
		if picture, err := taglib.ReadImage(path); err != nil || len(picture) == 0 {
			t.Errorf("%s has no cover: %v", format, err)
		}
		if seconds := float64(len(h.sound(t, path))) / 2 / 48000; seconds < 1.3 || seconds > 1.6 {
			t.Errorf("%s plays %.2f s", format, seconds)
		}
	}
	if !bytes.Equal(h.sound(t, files["flac"]), h.sound(t, voice)) {
		t.Error("the FLAC is not the artist's sound")
	}

	before, err := media.DownloadsOf(ctx, h.db.Read, track.ID)
	must(t, err)
	edit.Title = "Center Front"
	_, err = h.Edit(ctx, track.Artist, track.ID, edit)
	must(t, err)
	h.downloads(t, track.ID, "Center Front")
	for _, d := range before {
		h.dropped(t, d)
	}
}

// dropped waits until a replaced file is neither stored nor answered for.
func (h *house) dropped(t *testing.T, d media.Download) {
	t.Helper()
	testkit.Until(t, d.Format+" of before is gone", func() bool {
		has, err := h.store.Has(t.Context(), ipfs.CID(d.CID))
		must(t, err)
		_, err = media.BlockByCID(t.Context(), h.db.Read, d.CID)
		return err != nil && !has
	})
}

// A lossy source is not dressed up as a lossless file.
func TestDownloadsOfLossySource(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := open(t, t.TempDir())
	track, err := h.Ingest(ctx, h.put(t, "upload-1", bell))
	must(t, err)
	track = h.until(t, track.ID, media.Ready, media.Failed)
	_, err = h.Publish(ctx, track.Artist, track.ID)
	must(t, err)
	files := h.downloads(t, track.ID, track.Title)
	if _, flac := files["flac"]; len(files) != 2 || flac {
		t.Errorf("files %v", files)
	}
}
