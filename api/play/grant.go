package play

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"antiphon/media/access"
	"antiphon/vocab"
)

// Grant answers with the user's grant of a track, as its seller signed it, and what the player shows.
func (s *Service) Grant(w http.ResponseWriter, r *http.Request) {
	user := s.User(r)
	if user == "" {
		problem(w, http.StatusUnauthorized, "log-in", "Log in to play what you bought.")
		return
	}
	uri := r.URL.Query().Get("track")
	kept, err := s.Access.GrantOf(r.Context(), user, uri)
	if errors.Is(err, access.ErrUnknownGrant) && s.Pool != nil {
		if err = s.Pool.Lend(r.Context(), user, uri); err == nil {
			kept, err = s.Access.GrantOf(r.Context(), user, uri)
		}
	}
	if refused := (*access.Refusal)(nil); errors.As(err, &refused) {
		problem(w, http.StatusForbidden, refused.Code, refused.Words)
		return
	}
	if errors.Is(err, access.ErrUnknownGrant) {
		problem(w, http.StatusNotFound, "unknown-grant", "This track is not in your library.")
		return
	}
	if errors.Is(err, access.ErrRevoked) {
		problem(w, http.StatusGone, "revoked", "The artist has withdrawn access to this track.")
		return
	}
	if err != nil {
		s.fail(w, "read grant", err)
		return
	}
	g, err := vocab.ReadGrant(kept.Raw)
	if err != nil {
		s.fail(w, "read grant", err)
		return
	}
	track, err := s.Tracks.Describe(r.Context(), uri)
	if err != nil {
		// The grant plays without its description, which may be gone with its server.
		s.Log.Warn("track of a grant not described", "track", uri, "error", err)
		track = Track{URI: uri, Title: uri, Artist: g.AttributedTo}
	}
	if kept.Pool {
		track.Downloads = nil // what is lent is heard, and not taken home
	}
	var files []string
	for _, d := range track.Downloads {
		files = append(files, d.CID)
	}
	if err := s.Access.Allow(r.Context(), kept.URI, files); err != nil {
		s.fail(w, "register downloads", err)
		return
	}
	for _, item := range g.Items {
		if item.Track == uri {
			answer(w, map[string]any{
				"track": track, "grant": json.RawMessage(kept.Raw), "keys": kept.Keys, "master": "/ipfs/" + item.Manifest,
				"listen": s.ticket(r.Context(), user, g.AttributedTo, track),
			})
			return
		}
	}
	problem(w, http.StatusNotFound, "unknown-grant", "This track is not in your library.")
}

// ticket is what the player reports with. Without one it plays as well.
func (s *Service) ticket(ctx context.Context, user, artist string, track Track) string {
	if s.Listens == nil {
		return ""
	}
	ticket, err := s.Listens.Ticket(ctx, user, artist, track.URI, int64(track.Duration))
	if err != nil {
		s.Log.Error("ticket of a play failed", "error", err)
	}
	return ticket
}

func (s *Service) fail(w http.ResponseWriter, what string, err error) {
	s.Log.Error(what+" failed", "error", err)
	problem(w, http.StatusInternalServerError, "internal", "Something failed here. Try again in a moment.")
}
