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
	"antiphon/internal/jobs"
	"antiphon/media"
	"antiphon/media/ipfs"
	"antiphon/payments"
	"antiphon/vocab"
)

// The states of an archive.
const (
	Packing = "packing"
	Ready   = "ready"
	Failed  = "failed"
)

const (
	// archiveLife is how long an archive is kept, archivePause how long a member waits for the next one.
	archiveLife  = 7 * 24 * time.Hour
	archivePause = time.Hour
	// maxListed bounds the lists in an archive.
	maxListed = 100_000
)

// ErrTooSoon is returned when the last archive was asked for a short time ago.
var ErrTooSoon = errors.New("the last archive is still fresh")

// Archive is everything that a member made and owns here, in one ZIP file.
type Archive struct {
	ID    string `gorm:"primaryKey"`
	Owner string
	// State is Packing, Ready or Failed; Done of Total files are in it.
	State       string
	Done, Total int64
	// Size is in bytes.
	Size      int64
	CreatedAt time.Time
}

// Expires is when the archive is deleted.
func (a Archive) Expires() time.Time { return a.CreatedAt.Add(archiveLife) }

// pack is the job that makes an archive.
type pack struct {
	Archive string `json:"archive"`
}

// Kind names the job.
func (pack) Kind() string { return "pack_archive" }

// Options bound the attempts.
func (pack) Options() jobs.Options { return jobs.Options{Queue: jobs.Media, MaxAttempts: packAttempts} }

const packAttempts = 5

func (s *Service) path(id string) string { return filepath.Join(s.Dir, id+".zip") }

// MakeArchive begins an archive for a member, or returns ErrTooSoon.
func (s *Service) MakeArchive(ctx context.Context, owner string) (Archive, error) {
	if err := s.Sweep(ctx); err != nil {
		return Archive{}, err
	}
	a := Archive{ID: newID(), Owner: owner, State: Packing, CreatedAt: s.utc()}
	return a, s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var n int64
		err := tx.Model(&Archive{}).Where("owner = ? AND state <> ? AND created_at > ?", owner, Failed, s.utc().Add(-archivePause)).Count(&n).Error
		if err != nil {
			return fmt.Errorf("count archives: %w", err)
		}
		if n > 0 {
			return ErrTooSoon
		}
		if err := tx.Create(&a).Error; err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		return s.Jobs.Insert(ctx, tx, pack{a.ID})
	})
}

// Archives returns a member's archives, the last first.
func (s *Service) Archives(ctx context.Context, owner string) ([]Archive, error) {
	var rows []Archive
	err := s.DB.Read.WithContext(ctx).Where("owner = ? AND created_at > ?", owner, s.utc().Add(-archiveLife)).
		Order("created_at DESC, id").Limit(20).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read archives: %w", err)
	}
	return rows, nil
}

// OpenArchive opens a member's archive that is ready, or returns ErrNotFound. The caller closes it.
func (s *Service) OpenArchive(ctx context.Context, owner, id string) (*os.File, error) {
	var a Archive
	err := s.DB.Read.WithContext(ctx).Where("id = ? AND owner = ? AND state = ?", id, owner, Ready).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("%w: %.40s", ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	f, err := os.Open(s.path(a.ID))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return f, err
}

// Sweep deletes archives that are too old. Call it at start.
func (s *Service) Sweep(ctx context.Context) error {
	var old []Archive
	if err := s.DB.Read.WithContext(ctx).Where("created_at <= ?", s.utc().Add(-archiveLife)).Limit(1000).Find(&old).Error; err != nil {
		return fmt.Errorf("read archives: %w", err)
	}
	for _, a := range old {
		if err := os.Remove(s.path(a.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete archive: %w", err)
		}
		err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.Delete(&a).Error })
		if err != nil {
			return fmt.Errorf("delete archive: %w", err)
		}
	}
	return nil
}

// pack makes an archive. It is written beside its place and moved there when it is whole.
func (s *Service) pack(ctx context.Context, job pack, attempt int) error {
	var a Archive
	err := s.DB.Read.WithContext(ctx).Where("id = ? AND state = ?", job.Archive, Packing).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	size, err := s.fill(ctx, a)
	if err != nil {
		if attempt < packAttempts {
			return err
		}
		s.Log.Error("archive not made", "archive", a.ID, "error", err)
		return s.update(ctx, a.ID, map[string]any{"state": Failed})
	}
	return s.update(ctx, a.ID, map[string]any{"state": Ready, "size": size})
}

func (s *Service) update(ctx context.Context, id string, change map[string]any) error {
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Model(&Archive{}).Where("id = ?", id).Updates(change).Error; err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		return nil
	})
}

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
