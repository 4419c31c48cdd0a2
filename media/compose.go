package media

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/media/cover"
)

// maxOnRelease is how many tracks a release can have: what one grant can name.
const maxOnRelease = 500

// ReleaseOut: a release came out; followers are to be told.
type ReleaseOut struct {
	Release ReleaseID `json:"release"`
}

// Kind names the job.
func (ReleaseOut) Kind() string { return "release_out" }

// ReleaseChanged: a release that was out was changed or taken back.
type ReleaseChanged struct {
	Release ReleaseID `json:"release"`
	Updated time.Time `json:"updated"`
}

// Kind names the job.
func (ReleaseChanged) Kind() string { return "release_changed" }

// Bundler makes what is sold of a release; the access room implements it.
type Bundler interface {
	// Bundle makes the release's product hold these tracks, by their URIs, and returns what writes that in the release's
	// transaction.
	Bundle(ctx context.Context, r Release, tracks []string) (write func(ctx context.Context, tx *gorm.DB) error, err error)
	// OpenBundle puts the release's product on sale, or takes it out of sale.
	OpenBundle(tx *gorm.DB, r Release, open bool) error
}

// ReleaseEdit is all that an artist says of a release.
type ReleaseEdit struct {
	Kind         ReleaseKind
	Title, About string
	// ReleasedOn is a day as 2006-01-02, or empty.
	ReleasedOn string
	// Tracks are the release's, in order, each once.
	Tracks []TrackID
	// Cover is a picture, or nil to leave it; a release without one has its first track's.
	Cover []byte
	// Price is written in the same transaction, after the product is there; nil leaves it.
	Price func(tx *gorm.DB, r Release) error
}

// SaveRelease makes a release, when id is empty, or changes it. What cannot be is a [*Refusal]. Those who follow the
// artist are told of a change of what is out, and those who bought it get what was added.
func (s *Service) SaveRelease(ctx context.Context, artist string, id ReleaseID, e ReleaseEdit) (Release, error) {
	if err := e.check(); err != nil {
		return Release{}, err
	}
	now := s.utc()
	r := Release{ID: ReleaseID(newID()), Artist: artist, State: ReleaseDraft, CreatedAt: now}
	r.URI = s.config.BaseURL + "/albums/" + string(r.ID)
	var err error
	if id != "" {
		if r, err = ownRelease(s.db.Read.WithContext(ctx), artist, id); err != nil {
			return r, err
		}
	}
	tracks, err := s.chosen(ctx, artist, e.Tracks, r.State == ReleasePublished)
	if err != nil {
		return r, err
	}
	before, err := ReleaseTracks(ctx, s.db.Read, r.ID)
	if err != nil {
		return r, err
	}
	r.Kind, r.Title, r.About, r.ReleasedOn, r.UpdatedAt = e.Kind, e.Title, e.About, e.ReleasedOn, now
	blocks, err := s.releaseCover(ctx, &r, e.Cover, tracks)
	if err != nil {
		return r, err
	}
	uris := make([]string, len(tracks))
	for i, t := range tracks {
		uris[i] = t.URI
	}
	write, err := s.bundler.Bundle(ctx, r, uris)
	if err != nil {
		return r, fmt.Errorf("bundle release %s: %w", r.ID, err)
	}
	return r, s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Save(&r).Error; err != nil {
			return fmt.Errorf("write release: %w", err)
		}
		if err := tx.Where("release = ?", r.ID).Delete(&releaseTrack{}).Error; err != nil {
			return fmt.Errorf("write tracks of release: %w", err)
		}
		rows := make([]releaseTrack, len(tracks))
		for i, t := range tracks {
			rows[i] = releaseTrack{Release: r.ID, Track: t.ID, Position: i + 1}
		}
		if err := tx.CreateInBatches(rows, 100).Error; err != nil {
			return fmt.Errorf("write tracks of release: %w", err)
		}
		if err := Register(tx, blocks...); err != nil {
			return err
		}
		if err := write(ctx, tx); err != nil {
			return err
		}
		if e.Price != nil {
			if err := e.Price(tx, r); err != nil {
				return err
			}
		}
		if r.State != ReleasePublished {
			return nil
		}
		if err := s.tracksMoved(ctx, tx, r, append(before, tracks...)); err != nil {
			return err
		}
		return s.jobs.Insert(ctx, tx, ReleaseChanged{Release: r.ID, Updated: r.UpdatedAt})
	})
}

func (e *ReleaseEdit) check() error {
	e.Title, e.About = strings.TrimSpace(strings.ToValidUTF8(e.Title, "")), strings.TrimSpace(strings.ToValidUTF8(e.About, ""))
	switch {
	case e.Title == "":
		return &Refusal{Words: "A release needs a title."}
	case len([]rune(e.Title)) > 200:
		return &Refusal{Words: "The title is longer than 200 characters."}
	case len([]rune(e.About)) > 5000:
		return &Refusal{Words: "The text is longer than 5000 characters."}
	case e.Kind != Album && e.Kind != EP && e.Kind != Single:
		return &Refusal{Words: "A release is an album, an EP or a single."}
	case len(e.Tracks) == 0:
		return &Refusal{Words: "Choose at least one track."}
	case len(e.Tracks) > maxOnRelease:
		return &Refusal{Words: fmt.Sprintf("A release has at most %d tracks.", maxOnRelease)}
	}
	if e.ReleasedOn != "" {
		if _, err := time.Parse(time.DateOnly, e.ReleasedOn); err != nil {
			return &Refusal{Words: "Write the day as year-month-day, such as 2026-11-20."}
		}
	}
	return nil
}

// chosen are the tracks of an artist that were chosen, in order; with out, all must be published.
func (s *Service) chosen(ctx context.Context, artist string, ids []TrackID, out bool) ([]Track, error) {
	var found []Track
	if err := s.db.Read.WithContext(ctx).Where("artist = ? AND id IN ?", artist, ids).Find(&found).Error; err != nil {
		return nil, fmt.Errorf("read tracks: %w", err)
	}
	tracks := make([]Track, 0, len(ids))
	for _, id := range ids {
		i := slices.IndexFunc(found, func(t Track) bool { return t.ID == id })
		if i < 0 || slices.ContainsFunc(tracks, func(t Track) bool { return t.ID == id }) {
			return nil, &Refusal{Words: "Choose tracks of your own, each once."}
		}
		switch t := found[i]; {
		case out && t.State != Published:
			return nil, &Refusal{Words: fmt.Sprintf("Publish %q first: everything on a release that is out is out.", t.Title)}
		case t.State != Published && t.State != Ready && t.State != Unpublished:
			return nil, &Refusal{Words: fmt.Sprintf("%q is not ready yet.", t.Title)}
		default:
			tracks = append(tracks, t)
		}
	}
	return tracks, nil
}

// releaseCover gives a release the picture that was chosen, or else one of its tracks'.
func (s *Service) releaseCover(ctx context.Context, r *Release, picture []byte, tracks []Track) ([]Block, error) {
	if len(picture) > 0 {
		images, err := cover.Make(bytes.NewReader(picture))
		if err != nil {
			return nil, &Refusal{Words: "This file cannot be used as a cover: choose a JPEG, PNG, GIF or WebP of at most 10 MiB."}
		}
		t := Track{URI: r.URI}
		blocks, err := s.putCover(ctx, &t, images)
		r.Cover, r.CoverSmall, r.Accent = t.Cover, t.CoverSmall, t.Accent
		return blocks, err
	}
	if r.Cover != "" {
		return nil, nil
	}
	for _, t := range tracks {
		if t.Cover != "" {
			r.Cover, r.CoverSmall, r.Accent = t.Cover, t.CoverSmall, t.Accent
			break
		}
	}
	return nil, nil
}

// tracksMoved tells of tracks that say which release they are on, and what they are sold with.
func (s *Service) tracksMoved(ctx context.Context, tx *gorm.DB, r Release, tracks []Track) error {
	told := map[TrackID]bool{}
	for _, t := range tracks {
		if told[t.ID] || t.State != Published {
			continue
		}
		told[t.ID] = true
		if err := s.jobs.Insert(ctx, tx, TrackChanged{Track: t.ID, Updated: r.UpdatedAt, Quiet: true}); err != nil {
			return err
		}
	}
	return nil
}

// PublishRelease puts a release on sale and tells the artist's followers. All its tracks are published already.
// Published twice, it is published once.
func (s *Service) PublishRelease(ctx context.Context, artist string, id ReleaseID) (Release, error) {
	r, err := ownRelease(s.db.Read.WithContext(ctx), artist, id)
	if err != nil || r.State == ReleasePublished {
		return r, err
	}
	tracks, err := ReleaseTracks(ctx, s.db.Read, id)
	if err != nil {
		return r, err
	}
	for _, t := range tracks {
		if t.State != Published {
			return r, &Refusal{Words: fmt.Sprintf("Publish %q first: everything on a release that is out is out.", t.Title)}
		}
	}
	// A track may have been discarded since the release was saved.
	uris := make([]string, len(tracks))
	for i, t := range tracks {
		uris[i] = t.URI
	}
	if len(uris) == 0 {
		return r, &Refusal{Words: "Choose at least one track."}
	}
	write, err := s.bundler.Bundle(ctx, r, uris)
	if err != nil {
		return r, fmt.Errorf("bundle release %s: %w", r.ID, err)
	}
	return s.moveRelease(ctx, r, ReleasePublished, tracks, write)
}

// WithdrawRelease takes a release out of sale; its tracks stay, and so do grants.
func (s *Service) WithdrawRelease(ctx context.Context, artist string, id ReleaseID) error {
	r, err := ownRelease(s.db.Read.WithContext(ctx), artist, id)
	if err != nil || r.State != ReleasePublished {
		return err
	}
	tracks, err := ReleaseTracks(ctx, s.db.Read, id)
	if err != nil {
		return err
	}
	_, err = s.moveRelease(ctx, r, ReleaseWithdrawn, tracks, func(context.Context, *gorm.DB) error { return nil })
	return err
}

func (s *Service) moveRelease(ctx context.Context, r Release, next ReleaseState, tracks []Track, write func(context.Context, *gorm.DB) error) (Release, error) {
	from := r.State
	r.State, r.UpdatedAt = next, s.utc()
	first := next == ReleasePublished && r.PublishedAt == nil
	if first {
		now := r.UpdatedAt.Truncate(time.Second)
		r.PublishedAt = &now
	}
	return r, s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.releaseMoved(ctx, tx, r, from, tracks, write); err != nil {
			return err
		}
		if first {
			return s.jobs.Insert(ctx, tx, ReleaseOut{Release: r.ID})
		}
		return s.jobs.Insert(ctx, tx, ReleaseChanged{Release: r.ID, Updated: r.UpdatedAt})
	})
}

// releaseMoved writes that a release has left a state, and what follows from the new one.
func (s *Service) releaseMoved(ctx context.Context, tx *gorm.DB, r Release, from ReleaseState, tracks []Track, write func(context.Context, *gorm.DB) error) error {
	result := tx.Model(&r).Where("state = ?", from).Select("state", "published_at", "updated_at").Updates(&r)
	if result.Error != nil {
		return fmt.Errorf("move release %s: %w", r.ID, result.Error)
	}
	if result.RowsAffected != 1 {
		return fmt.Errorf("move release %s: it was moved by someone else", r.ID)
	}
	if err := write(ctx, tx); err != nil {
		return err
	}
	if err := s.bundler.OpenBundle(tx, r, r.State == ReleasePublished); err != nil {
		return err
	}
	return s.tracksMoved(ctx, tx, r, tracks)
}

// withdrawReleasesOf takes the releases out of sale that hold a track which was taken down: whoever bought one would buy
// the track. Without it, the artist can let them come out again.
func (s *Service) withdrawReleasesOf(ctx context.Context, tx *gorm.DB, track TrackID) error {
	var releases []Release
	err := tx.Where("state = ? AND id IN (?)", ReleasePublished, tx.Model(&releaseTrack{}).Select("release").Where("track = ?", track)).Find(&releases).Error
	if err != nil {
		return fmt.Errorf("read releases with track %s: %w", track, err)
	}
	for _, r := range releases {
		tracks, err := ReleaseTracks(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		r.State, r.UpdatedAt = ReleaseWithdrawn, s.utc()
		if err := s.releaseMoved(ctx, tx, r, ReleasePublished, tracks, func(context.Context, *gorm.DB) error { return nil }); err != nil {
			return err
		}
		if err := s.jobs.Insert(ctx, tx, ReleaseChanged{Release: r.ID, Updated: r.UpdatedAt}); err != nil {
			return err
		}
	}
	return nil
}

func ownRelease(tx *gorm.DB, artist string, id ReleaseID) (Release, error) {
	return oneRelease(tx.Where("id = ? AND artist = ?", id, artist), string(id))
}
