package account

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/media"
	"antiphon/media/ipfs"
	"antiphon/payments"
	"antiphon/vocab"
)

func (s *Service) fill(ctx context.Context, a Archive) (int64, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return 0, err
	}
	temporary := s.path(a.ID) + ".part"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer os.Remove(temporary)
	entries, err := s.entries(ctx, a.Owner)
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	if err := s.update(ctx, a.ID, map[string]any{"total": len(entries), "done": 0}); err != nil {
		return 0, errors.Join(err, f.Close())
	}
	z := zip.NewWriter(f)
	for i, e := range entries {
		if err := e.addTo(ctx, z, a.CreatedAt); err != nil {
			return 0, errors.Join(fmt.Errorf("pack %s: %w", e.name, err), f.Close())
		}
		if err := s.update(ctx, a.ID, map[string]any{"done": i + 1}); err != nil {
			return 0, errors.Join(err, f.Close())
		}
	}
	if err := errors.Join(z.Close(), f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	info, err := os.Stat(temporary)
	if err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(temporary, s.path(a.ID))
}

// entry is one file of an archive.
type entry struct {
	name string
	// stored is what is compressed already.
	stored bool
	write  func(ctx context.Context, w io.Writer) error
}

func (e entry) addTo(ctx context.Context, z *zip.Writer, at time.Time) error {
	method := zip.Deflate
	if e.stored {
		method = zip.Store
	}
	w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: method, Modified: at})
	if err != nil {
		return err
	}
	return e.write(ctx, w)
}

// entries are all files of a member's archive.
func (s *Service) entries(ctx context.Context, owner string) ([]entry, error) {
	out := []entry{
		{name: "actor.json", write: func(ctx context.Context, w io.Writer) error {
			document, err := s.Actors.Document(ctx, owner)
			if err != nil {
				return err
			}
			_, err = w.Write(document)
			return err
		}},
		{name: "outbox.json", write: func(ctx context.Context, w io.Writer) error { return s.writeOutbox(ctx, w, owner) }},
		{name: "following.csv", write: func(ctx context.Context, w io.Writer) error {
			return s.writeAddresses(ctx, w, owner, actor.Following, []string{"Account address", "Show boosts", "Notify on new posts", "Languages"}, "true", "false", "")
		}},
		{name: "followers.csv", write: func(ctx context.Context, w io.Writer) error {
			return s.writeAddresses(ctx, w, owner, actor.Followers, []string{"Account address"})
		}},
		{name: "blocks_and_mutes.csv", write: func(ctx context.Context, w io.Writer) error { return s.writeAversions(ctx, w, owner) }},
		{name: "orders.json", write: func(ctx context.Context, w io.Writer) error { return s.writeOrders(ctx, w, owner) }},
		{name: "library.json", write: func(ctx context.Context, w io.Writer) error { return s.writeLibrary(ctx, w, owner) }},
	}
	tracks, err := media.Of(ctx, s.DB.Read, owner, false, 0, maxListed)
	if err != nil {
		return nil, err
	}
	for _, t := range tracks {
		out = append(out, s.trackEntries(t)...)
	}
	return out, nil
}

func (s *Service) trackEntries(t media.Track) []entry {
	folder := "tracks/" + string(t.ID) + "/"
	out := []entry{{name: folder + "track.json", write: func(_ context.Context, w io.Writer) error {
		return writeJSON(w, map[string]any{
			"id": t.URI, "title": t.Title, "album": t.Album, "license": t.Licence, "about": t.About, "state": t.State,
			"published": t.PublishedAt, "duration": t.Duration().Seconds(), "file": t.Filename,
		})
	}}}
	for name, cid := range map[string]string{"cover.jpg": t.Cover, "preview.mp3": t.Preview} {
		if cid != "" && s.Files != nil {
			out = append(out, entry{folder + name, true, func(ctx context.Context, w io.Writer) error {
				f, err := s.Files.OpenFile(ctx, ipfs.CID(cid))
				if errors.Is(err, ipfs.ErrNotFound) {
					return nil // denied, or lost: the rest is still worth having
				}
				return copyAll(w, f, err)
			}})
		}
	}
	if s.Tracks != nil {
		out = append(out, entry{folder + "original" + extension(t.Filename), true, func(_ context.Context, w io.Writer) error {
			f, err := s.Tracks.Master(t)
			if errors.Is(err, os.ErrNotExist) {
				return nil // not ingested yet
			}
			return copyAll(w, f, err)
		}})
	}
	return out
}

func copyAll(w io.Writer, f io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}

// extension is a file's, if it is a plain one.
func extension(name string) string {
	ext := strings.ToLower(filepath.Ext(name))
	for _, c := range strings.TrimPrefix(ext, ".") {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ""
		}
	}
	return ext[:min(len(ext), 8)]
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeOutbox writes the public activities of a member as one ordered collection.
func (s *Service) writeOutbox(ctx context.Context, w io.Writer, owner string) error {
	items, err := outbox.PublicOf(ctx, s.DB.Read, owner, maxListed)
	if err != nil {
		return err
	}
	return writeJSON(w, map[string]any{
		"@context": vocab.ActivityStreams, "id": "outbox.json", "type": "OrderedCollection", "totalItems": len(items), "orderedItems": items,
	})
}

type lister func(ctx context.Context, tx *gorm.DB, uri, after string, limit int) ([]string, error)

// writeAddresses writes a list of accounts in the CSV form that Mastodon reads; rest are the columns after the address.
func (s *Service) writeAddresses(ctx context.Context, w io.Writer, owner string, list lister, head []string, rest ...string) error {
	uris, err := list(ctx, s.DB.Read, owner, "", maxListed)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write(head); err != nil {
		return err
	}
	for _, uri := range uris {
		if err := out.Write(append([]string{s.address(ctx, uri)}, rest...)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// address is name@host, or the URI of whom nothing is known.
func (s *Service) address(ctx context.Context, uri string) string {
	who, err := s.Actors.Known(ctx, uri)
	if err != nil {
		return uri
	}
	return who.Handle()
}

func (s *Service) writeAversions(ctx context.Context, w io.Writer, owner string) error {
	rows, err := moderation.Aversions(ctx, s.DB.Read, owner)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write([]string{"Address", "Kind"}); err != nil {
		return err
	}
	for _, a := range rows {
		subject := a.Subject
		if strings.Contains(subject, "://") {
			subject = s.address(ctx, subject)
		}
		if err := out.Write([]string{subject, a.Kind}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (s *Service) writeOrders(ctx context.Context, w io.Writer, owner string) error {
	sales, err := payments.OrdersOf(ctx, s.DB.Read, owner, maxListed)
	if err != nil {
		return err
	}
	out := map[string]any{"sales": sales}
	if s.Purchases != nil {
		if out["purchases"], err = s.Purchases.Of(ctx, owner, maxListed); err != nil {
			return err
		}
	}
	return writeJSON(w, out)
}

// writeLibrary writes what a member owns, with the signed grants.
func (s *Service) writeLibrary(ctx context.Context, w io.Writer, owner string) error {
	type item struct {
		Track    string          `json:"track"`
		Artist   string          `json:"artist"`
		Received time.Time       `json:"received"`
		Grant    json.RawMessage `json:"grant,omitempty"`
	}
	items := []item{}
	if s.Library != nil {
		owned, err := s.Library.Library(ctx, owner, 0, maxListed)
		if err != nil {
			return err
		}
		for _, o := range owned {
			one := item{Track: o.Track, Artist: o.Artist, Received: o.ReceivedAt}
			if kept, err := s.Library.GrantOf(ctx, owner, o.Track); err == nil {
				one.Grant = kept.Raw
			}
			items = append(items, one)
		}
	}
	return writeJSON(w, items)
}
