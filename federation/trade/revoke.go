package trade

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"gorm.io/gorm"

	"antiphon/federation/httpsig"
	"antiphon/federation/inbox"
	"antiphon/federation/outbox"
	"antiphon/media/access"
	"antiphon/vocab"
)

// RevocationsPath is where every seller answers for what it has revoked.
const RevocationsPath = "/antiphon/v1/revocations"

// sendRevocation takes a grant back: from its buyer, and from each proxy in an activity of its own, because a proxy is
// not told who the buyer is, or who the others are.
func (s *Service) sendRevocation(ctx context.Context, grant string) error {
	r, err := s.Access.RevokedGrant(ctx, grant)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, uri := range append([]string{grant}, r.Kfrags...) {
			if err := outbox.DeleteObject(ctx, tx, r.Artist, uri, true, r.At); err != nil {
				return err
			}
		}
		err := s.Outbox.Tell(ctx, tx, vocab.Activity{
			ID: grant + "/delete", Type: vocab.VerbDelete, Actor: r.Artist, Object: vocab.Ref{ID: grant}, To: []string{r.Buyer}, Summary: r.Reason,
		})
		for _, proxy := range r.Proxies {
			if err == nil {
				err = s.Outbox.Tell(ctx, tx, vocab.Activity{
					ID: deleteFor(grant, proxy), Type: vocab.VerbDelete, Actor: r.Artist, Object: vocab.Ref{ID: grant}, To: []string{proxy},
				})
			}
		}
		return err
	})
}

// deleteFor is the id of the Delete that one proxy is sent.
func deleteFor(grant, proxy string) string { return grant + "/delete/" + digest(proxy) }

// sendDrops tells the proxies of a set that it is out of use.
func (s *Service) sendDrops(ctx context.Context, grant string, set int) error {
	kfrags, err := s.Access.Kfrags(ctx, grant, set)
	if err != nil {
		return err
	}
	for _, k := range kfrags {
		if k.Proxy == s.Access.InstanceActor() {
			continue
		}
		artist, err := s.Access.ArtistOf(ctx, k.URI)
		if err != nil {
			return err
		}
		err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			if err := outbox.DeleteObject(ctx, tx, artist, k.URI, true, s.Now()); err != nil {
				return err
			}
			return s.Outbox.Tell(ctx, tx, vocab.Activity{
				ID: k.URI + "/delete", Type: vocab.VerbDelete, Actor: artist, Object: vocab.Ref{ID: k.URI}, To: []string{k.Proxy},
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// revoked erases what is held of a grant that its artist has taken back, and tells a seller that asked us as a proxy.
func (s *Service) revoked(ctx context.Context, in inbox.Incoming) error {
	err := s.Access.Erase(ctx, in.Actor.URI, in.Activity.Object.ID, in.Activity.Summary)
	if err != nil || in.Actor.Local || in.Activity.ID != deleteFor(in.Activity.Object.ID, s.Access.InstanceActor()) {
		return err
	}
	return s.answerFragment(ctx, in.Activity, vocab.VerbAccept, "", "")
}

// dropped erases one fragment that its artist has taken out of use.
func (s *Service) dropped(ctx context.Context, in inbox.Incoming) error {
	return s.Access.Drop(ctx, in.Actor.URI, in.Activity.Object.ID)
}

// erased takes a proxy's word that it has erased what it held of a grant.
func (s *Service) erased(ctx context.Context, in inbox.Incoming) error {
	grant, ok := strings.CutSuffix(in.Activity.Object.ID, "/delete/"+digest(in.Actor.URI))
	if !ok || !strings.HasPrefix(grant, s.BaseURL+"/grants/") {
		return nil
	}
	return s.Access.ErasedBy(ctx, in.Actor.URI, grant)
}

// Revocations answers a proxy, which signs as its instance's actor, with the grants that were revoked of those that it
// was sent a fragment of: a JSON list of {cursor, grant, deleted}, oldest first, behind ?after=<cursor>.
func (s *Service) Revocations() http.Handler {
	verifier := &httpsig.Verifier{Origin: s.BaseURL, Keys: s.Actors.Keys(), Now: s.Now}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		key, err := verifier.Verify(r.Context(), r, nil)
		if err != nil {
			http.Error(w, "the signature was not accepted: "+err.Error(), http.StatusUnauthorized)
			return
		}
		list, err := s.Access.RevocationsFor(r.Context(), key.Owner, r.URL.Query().Get("after"))
		var refused *access.Refusal
		switch {
		case errors.As(err, &refused):
			http.Error(w, refused.Words, http.StatusBadRequest)
			return
		case err != nil:
			s.Log.Error("revocations not served", "proxy", key.Owner, "error", err)
			http.Error(w, "this server has a problem; try again later", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(list); err != nil {
			s.Log.Debug("answer not taken", "error", err)
		}
	})
}
