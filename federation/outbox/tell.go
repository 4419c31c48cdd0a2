package outbox

import (
	"context"
	"errors"
	"strconv"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
	"antiphon/media"
	"antiphon/vocab"
)

func (o *Outbox) registerTracks(q *jobs.Queue) {
	retry := func(attempt int) time.Duration { return min(time.Second<<min(attempt, 12), time.Hour) }
	jobs.Handle(q, jobs.Handler[media.TrackPublished]{
		Work: func(ctx context.Context, f media.TrackPublished, _ int) error {
			return o.tellTrack(ctx, f.Track, "", false)
		},
		Retry: retry, Timeout: 5 * time.Minute,
	})
	jobs.Handle(q, jobs.Handler[media.TrackChanged]{
		Work: func(ctx context.Context, f media.TrackChanged, _ int) error {
			return o.tellTrack(ctx, f.Track, strconv.FormatInt(f.Updated.UnixMilli(), 10), f.Quiet)
		},
		Retry: retry, Timeout: 5 * time.Minute,
	})
	jobs.Handle(q, jobs.Handler[media.ReleaseOut]{
		Work:  func(ctx context.Context, f media.ReleaseOut, _ int) error { return o.tellRelease(ctx, f.Release, "") },
		Retry: retry, Timeout: 5 * time.Minute,
	})
	jobs.Handle(q, jobs.Handler[media.ReleaseChanged]{
		Work: func(ctx context.Context, f media.ReleaseChanged, _ int) error {
			return o.tellRelease(ctx, f.Release, strconv.FormatInt(f.Updated.UnixMilli(), 10))
		},
		Retry: retry, Timeout: 5 * time.Minute,
	})
}

// tellTrack tells an artist's followers how a track stands now: published, changed or taken back; with quiet, only those
// who read tracks. Run again, it tells nothing twice.
func (o *Outbox) tellTrack(ctx context.Context, id media.TrackID, change string, quiet bool) error {
	t, err := media.ByID(ctx, o.db.Read, id)
	if errors.Is(err, media.ErrNotFound) {
		return jobs.Cancel(err)
	}
	if err != nil {
		return err
	}
	r := release{track: t, change: change, quiet: quiet, now: o.utc()}
	if r.artist, err = o.actors.Local(ctx, t.Artist); err != nil {
		return err
	}
	r.post, err = PostOf(ctx, o.db.Read, t.Artist, t.URI)
	if r.fresh = errors.Is(err, ErrNotFound); err != nil && !r.fresh {
		return err
	}
	told, err := ObjectByURI(ctx, o.db.Read, t.URI)
	if r.known = err == nil; err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if before, err := vocab.ReadTrack(told.Raw); err == nil {
		r.album = before.Album
	}
	if t.State != media.Published {
		if r.fresh {
			return nil
		}
		return o.withdraw(ctx, r)
	}
	if done, err := o.told(ctx, r); err != nil || done {
		return err
	}
	// Others refuse an update that is not newer than what they have.
	for _, before := range []time.Time{told.Updated, told.Deleted} {
		if r.known && !r.now.After(before) {
			r.now = before.UTC().Add(time.Second)
		}
	}
	if err := o.describe(ctx, &r); err != nil {
		return err
	}
	return o.tell(ctx, r)
}

// told reports whether this very change was told before.
func (o *Outbox) told(ctx context.Context, r release) (bool, error) {
	if r.change == "" {
		return !r.fresh, nil
	}
	_, err := Sent(ctx, o.db.Read, r.track.URI+"/updates/"+r.change)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// tell stores the documents and sends them, in one transaction: the note to all followers, the track to those who read
// it.
func (o *Outbox) tell(ctx context.Context, r release) error {
	noteRef, err := vocab.Embed(r.note)
	if err != nil {
		return err
	}
	trackRef := vocab.Ref{ID: r.track.URI, Types: []string{kindTrack}, Raw: r.signed}
	return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		err := o.Store(ctx, tx, Object{
			URI: r.track.URI, Kind: kindTrack, Owner: r.artist.URI, Raw: r.signed, Created: r.post.PublishedAt, Updated: r.now,
		})
		if err != nil {
			return err
		}
		if err := o.storeAlbums(ctx, tx, r); err != nil {
			return err
		}
		if r.quiet && !r.fresh {
			return o.tellOne(ctx, tx, r, trackRef, r.known, true)
		}
		err = o.Store(ctx, tx, Object{
			URI: r.post.URI, Kind: kindNote, Owner: r.artist.URI, Raw: noteRef.Raw, Created: r.post.PublishedAt, Updated: r.now,
		})
		if err != nil {
			return err
		}
		if err := PutPost(ctx, tx, r.post); err != nil {
			return err
		}
		if err := o.tellOne(ctx, tx, r, noteRef, !r.fresh, false); err != nil {
			return err
		}
		return o.tellOne(ctx, tx, r, trackRef, r.known, true)
	})
}

// storeAlbums renews the album that the track is on, and the one that it was on before.
func (o *Outbox) storeAlbums(ctx context.Context, tx *gorm.DB, r release) error {
	album, _, err := o.albumOf(ctx, tx, r.track)
	if err != nil {
		return err
	}
	albums := []vocab.Album{album}
	if r.album.ID != albums[0].ID {
		albums = append(albums, r.album)
	}
	for _, album := range albums {
		if err := o.storeAlbum(ctx, tx, r.track.Artist, album); err != nil {
			return err
		}
	}
	return nil
}

// tellOne sends a Create, or an Update of what was created before.
func (o *Outbox) tellOne(ctx context.Context, tx *gorm.DB, r release, object vocab.Ref, before, music bool) error {
	a := vocab.Activity{
		ID: object.ID + "/create", Type: vocab.VerbCreate, Actor: r.artist.URI, Object: object, To: r.object.To, Cc: r.object.Cc,
		Published: r.now,
	}
	if before {
		a.ID, a.Type = object.ID+"/updates/"+r.change, vocab.VerbUpdate
	}
	return o.broadcast(ctx, tx, a, music)
}

// broadcast sends to followers, or with music to those whose servers read it.
func (o *Outbox) broadcast(ctx context.Context, tx *gorm.DB, a vocab.Activity, music bool) error {
	raw, err := Compose(a)
	if err != nil {
		return err
	}
	return o.Send(ctx, tx, Activity{From: a.Actor, To: []string{Followers(a.Actor)}, Raw: raw, Public: true, Music: music})
}

// withdraw takes an announcement and its track back. The note's id is never used again; the track's is, by an Update,
// when it is published anew.
func (o *Outbox) withdraw(ctx context.Context, r release) error {
	return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := RemovePost(ctx, tx, r.artist.URI, r.post.URI); err != nil {
			return err
		}
		if err := o.storeAlbums(ctx, tx, r); err != nil {
			return err
		}
		for uri, music := range map[string]bool{r.post.URI: false, r.track.URI: true} {
			if err := DeleteObject(ctx, tx, r.artist.URI, uri, true, r.now); err != nil {
				return err
			}
			a := vocab.Activity{
				ID: uri + "/delete/" + r.change, Type: vocab.VerbDelete, Actor: r.artist.URI, Object: vocab.Ref{ID: uri},
				To: []string{vocab.Public}, Cc: []string{Followers(r.artist.URI)}, Published: r.now,
			}
			if err := o.broadcast(ctx, tx, a, music); err != nil {
				return err
			}
		}
		return nil
	})
}
