package catchup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/fetch"
	"antiphon/federation/outbox"
	"antiphon/internal/jobs"
	"antiphon/vocab"
)

const (
	// maxFeatured is how many featured posts are read.
	maxFeatured = 10
	// maxTracks is how many tracks are fetched that no post has brought.
	maxTracks = 30
)

// read reads an actor's outbox from the newest post back to since, then what the actor shows first, and the tracks, and
// lets the inbox take what is found, the oldest first. When the time is up, what was found until then counts.
func (s *Service) read(ctx context.Context, uri string, since time.Time) error {
	limited, cancel := context.WithTimeout(ctx, s.config.Time)
	defer cancel()
	who, described, err := s.look(limited, uri)
	if errors.Is(err, actor.ErrNotFound) || err == nil && described.ID == "" {
		return nil
	}
	if err != nil {
		return err
	}
	found, err := s.activities(limited, described, since)
	if err != nil && len(found) == 0 {
		if errors.Is(err, fetch.ErrNotFound) || errors.Is(err, fetch.ErrGone) || errors.Is(err, fetch.ErrNotActivity) {
			return jobs.Cancel(err)
		}
		return err
	}
	for n := len(found) - 1; n >= 0 && limited.Err() == nil; n-- {
		s.take(limited, who, found[n])
	}
	if since.IsZero() {
		s.featured(limited, who, described)
		s.tracks(limited, described)
	}
	return ctx.Err()
}

// look returns the actor and what it says of itself; nothing when nobody here follows it, or its host is blocked.
func (s *Service) look(ctx context.Context, uri string) (actor.Actor, vocab.Actor, error) {
	followed, err := actor.FollowedHere(ctx, s.DB.Read, uri)
	if err != nil || !followed || s.Actors.Own(uri) {
		return actor.Actor{}, vocab.Actor{}, err
	}
	if blocked, err := s.Hosts.IsBlocked(ctx, actor.HostOf(uri)); err != nil || blocked {
		return actor.Actor{}, vocab.Actor{}, err
	}
	who, err := s.Actors.Find(ctx, uri, false)
	if err != nil {
		return actor.Actor{}, vocab.Actor{}, err
	}
	described, err := vocab.ReadActor(who.Raw)
	return who, described, err
}

// activities returns what an outbox holds, the newest first, within the budget.
func (s *Service) activities(ctx context.Context, a vocab.Actor, since time.Time) ([][]byte, error) {
	var found [][]byte
	err := s.pages(ctx, a.Outbox, s.config.Pages, func(items []vocab.Ref) bool {
		for _, item := range items {
			if len(found) >= s.config.Posts {
				return false
			}
			raw := []byte(item.Raw)
			if raw == nil {
				document, err := s.Fetch.Get(ctx, item.ID)
				if err != nil || !vocab.SameOrigin(document.URI, a.ID) {
					continue
				}
				raw = document.Raw
			}
			at, ok := moment(raw)
			if ok && !since.IsZero() && at.Before(since) {
				return false
			}
			found = append(found, raw)
		}
		return true
	})
	return found, err
}

// moment is when an activity says that it was published.
func moment(raw []byte) (time.Time, bool) {
	var a struct{ Published time.Time }
	if json.Unmarshal(raw, &a) != nil || a.Published.IsZero() {
		return time.Time{}, false
	}
	return a.Published, true
}

// pages reads a collection of a remote actor page by page, until more says that it is enough, there is no further page,
// or max of them were read. A collection names its pages on its own host, and none is read twice.
func (s *Service) pages(ctx context.Context, uri string, max int, more func(items []vocab.Ref) bool) error {
	seen := map[string]bool{"": true}
	for n := 0; !seen[uri] && n < max; {
		seen[uri] = true
		document, err := s.Fetch.Get(ctx, uri)
		if err != nil {
			return fmt.Errorf("read collection: %w", err)
		}
		c, err := vocab.ReadCollection(document.Raw)
		if err != nil {
			return fmt.Errorf("%w: %w", fetch.ErrNotActivity, err)
		}
		uri = c.Next
		if len(c.Items) == 0 && c.Next == "" {
			uri = c.First // the whole collection leads to its pages
			continue
		}
		n++
		if !more(c.Items) {
			return nil
		}
	}
	return nil
}

// take lets the inbox act on one activity. What it does not take is left out.
func (s *Service) take(ctx context.Context, who actor.Actor, raw []byte) {
	if err := s.Inbox.Take(ctx, who, raw); err != nil && ctx.Err() == nil {
		s.Log.Info("missed activity not taken", "actor", who.URI, "error", err)
	}
}

// featured takes what the actor shows first, which may be older than the pages that were read.
func (s *Service) featured(ctx context.Context, who actor.Actor, a vocab.Actor) {
	err := s.pages(ctx, a.Featured, 1, func(items []vocab.Ref) bool {
		for _, item := range items[:min(len(items), maxFeatured)] {
			m, err := vocab.Activity{Type: vocab.VerbCreate, ID: item.ID + "#featured", Actor: a.ID, Object: item}.Build()
			if err != nil {
				continue
			}
			if raw, err := json.Marshal(m); err == nil {
				s.take(ctx, who, raw)
			}
		}
		return true
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Debug("featured posts not read", "actor", a.ID, "error", err)
	}
}

// tracks fetches those of an artist's newest tracks that no post has brought.
func (s *Service) tracks(ctx context.Context, a vocab.Actor) {
	err := s.pages(ctx, a.Tracks, 1, func(items []vocab.Ref) bool {
		for _, item := range items[:min(len(items), maxTracks)] {
			if ctx.Err() != nil || !vocab.SameOrigin(item.ID, a.ID) {
				return false
			}
			if _, err := outbox.ObjectByURI(ctx, s.DB.Read, item.ID); !errors.Is(err, outbox.ErrNotFound) {
				continue
			}
			if _, err := s.Inbox.Track(ctx, item.ID); err != nil {
				s.Log.Info("missed track not taken", "track", item.ID, "error", err)
			}
		}
		return true
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Debug("tracks not read", "actor", a.ID, "error", err)
	}
}
