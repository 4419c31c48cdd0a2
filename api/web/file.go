package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"gorm.io/gorm"

	"antiphon/api/auth"
	"antiphon/media"
	"antiphon/media/cover"
	"antiphon/media/ipfs"
)

// fileKinds are the public files that are shown and heard, by what they are and how they are served.
var fileKinds = map[media.Kind]string{media.KindCover: "image/jpeg", media.KindPreview: "audio/mpeg"}

// File is GET /media/{cid}: a cover, a picture or a preview of this instance, for everyone. Everything else is bytes
// below /ipfs/.
func (p *Pages) File(w http.ResponseWriter, r *http.Request) error {
	cid, err := ipfs.ParseCID(mux.Vars(r)["cid"])
	if err != nil {
		return err
	}
	block, err := media.BlockByCID(r.Context(), p.DB.Read, string(cid))
	if err != nil {
		return err
	}
	kind, ok := fileKinds[block.Kind]
	if !ok || !block.Held {
		return fmt.Errorf("%w: no file", ErrNotFound)
	}
	f, err := p.Store.OpenFile(r.Context(), cid)
	if err != nil {
		return err
	}
	defer f.Close()
	inert(w, kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("ETag", `"`+string(cid)+`"`)
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "Accept-Ranges, Content-Length, Content-Range")
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

// inert makes an answer a file of one kind and nothing else, whatever its bytes are.
func inert(w http.ResponseWriter, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// keepPicture stores a picture of the visitor and returns its address.
func (p *Pages) keepPicture(r *http.Request, image []byte) (string, error) {
	images, err := cover.Make(bytes.NewReader(image))
	if err != nil {
		return "", &auth.Refusal{Field: "avatar", Words: "This file cannot be used as a picture: choose a JPEG, PNG or WebP of at most 10 MiB."}
	}
	cid, err := p.Store.Put(r.Context(), images.Small)
	if err != nil {
		return "", fmt.Errorf("store picture: %w", err)
	}
	err = media.Register(p.DB.Write.WithContext(r.Context()), media.Block{
		CID: string(cid), Owner: me(r.Context()), Kind: media.KindCover, Size: int64(len(images.Small)), Held: true, CreatedAt: p.Now().UTC(),
	})
	return p.BaseURL + mediaURL(string(cid)), err
}

// The most that is fetched of a remote picture and of a remote preview.
const (
	maxPicture = 10 << 20
	maxPreview = 10 << 20
)

// RemoteFile is GET /remote/{kind}?uri=: the picture of a remote actor, or the cover or preview of a remote post or
// track. Only addresses that were received from their owners are fetched, only for members, and only sound and pictures
// are passed on.
func (p *Pages) RemoteFile(w http.ResponseWriter, r *http.Request) error {
	if _, err := visitor(r); err != nil {
		return err
	}
	kind, limit := mux.Vars(r)["kind"], int64(maxPicture)
	if kind == "preview" {
		limit = maxPreview
	}
	address, err := p.remoteAddress(r, kind, r.URL.Query().Get("uri"))
	if err != nil {
		return err
	}
	for _, uri := range []string{r.URL.Query().Get("uri"), address} {
		if verdict, err := p.Moderation.Hosts.JudgeActor(r.Context(), uri); err != nil {
			return err
		} else if verdict.Blocked || verdict.RejectMedia {
			return fmt.Errorf("%w: no file of %.200q by policy", ErrNotFound, uri)
		}
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	resp, err := p.HTTP.Do(r.Context(), req, limit)
	if err == nil && resp.Status != http.StatusOK {
		err = fmt.Errorf("status %d", resp.Status)
	}
	if err != nil {
		return &Fault{Status: http.StatusBadGateway, What: "The other server did not send this file", Do: "Try again later.", Err: err}
	}
	found, ok := sniff(resp.Body, kind)
	if !ok {
		return &Fault{Status: http.StatusBadGateway, What: "The other server sent something else", Do: "Nothing can be done here."}
	}
	inert(w, found)
	w.Header().Set("Cache-Control", "private, max-age=86400")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(resp.Body))
	return nil
}

// remoteAddress is where a file of a known actor, post or track lies.
func (p *Pages) remoteAddress(r *http.Request, kind, uri string) (string, error) {
	ctx, address := r.Context(), ""
	if uri == "" {
		return "", fmt.Errorf("%w: file of nothing", ErrNotFound)
	}
	switch kind {
	case "icon":
		a, err := p.actor(ctx, uri)
		if err != nil {
			return "", err
		}
		address = a.Icon
	case "cover", "preview":
		var post postRow
		err := p.DB.Read.WithContext(ctx).Where("uri = ? OR track = ?", uri, uri).Take(&post).Error
		if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return "", fmt.Errorf("look up post: %w", err)
		}
		address = post.Cover
		if kind == "preview" {
			address = post.Audio
		}
		if p.Remote == nil || address != "" {
			break
		}
		if t, err := p.Remote.Track(ctx, uri, false); err == nil {
			address = t.Cover.URL
			if kind == "preview" {
				address = t.Preview.URL
			}
		} else if release, err := p.Remote.Release(ctx, uri, true); err == nil && kind == "cover" {
			address = release.Cover.URL
		}
	}
	if webURL(address) == "" {
		return "", fmt.Errorf("%w: no %.20s of %.200q", ErrNotFound, kind, uri)
	}
	return address, nil
}

// sniff tells by its first bytes what a file is, and whether that is what was asked for. SVG is not: it can run code.
func sniff(b []byte, kind string) (string, bool) {
	found := http.DetectContentType(b)
	if kind != "preview" {
		switch found {
		case "image/jpeg", "image/png", "image/gif", "image/webp":
			return found, true
		}
		return "", false
	}
	switch {
	case len(b) > 1 && b[0] == 0xff && b[1]&0xe0 == 0xe0, bytes.HasPrefix(b, []byte("ID3")):
		return "audio/mpeg", true
	case bytes.HasPrefix(b, []byte("fLaC")):
		return "audio/flac", true
	case found == "application/ogg":
		return "audio/ogg", true
	case strings.HasPrefix(found, "audio/"):
		return found, true
	case found == "video/mp4":
		return "audio/mp4", true
	}
	return "", false
}

// Health is GET /healthz: 200 when the database answers.
func (p *Pages) Health(w http.ResponseWriter, r *http.Request) error {
	if err := p.DB.Read.WithContext(r.Context()).Exec("SELECT 1").Error; err != nil {
		return &Fault{Status: http.StatusServiceUnavailable, What: "The database does not answer", Err: err}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
	return nil
}
