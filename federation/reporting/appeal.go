package reporting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/inbox"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
	"antiphon/vocab"
)

// WaitsPath takes ?artist=URI, of the artist's own instance.
const WaitsPath = "/antiphon/v1/waits"

// waitsAnswer is what WaitsPath answers.
type waitsAnswer struct {
	Waits []report.Wait `json:"waits"`
}

// Waits answers an artist's instance with what rules say of the artist's plays here.
func (s *Service) Waits() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, ok := s.asker(w, r)
		if !ok {
			return
		}
		artist := r.URL.Query().Get("artist")
		if actor.HostOf(artist) != host {
			http.Error(w, "only the artist's own instance is told", http.StatusForbidden)
			return
		}
		waits, err := s.Reports.Waits(r.Context(), artist)
		s.answer(w, waitsAnswer{waits}, err)
	})
}

// Told is what one instance says of an artist's plays.
type Told struct {
	Host  string
	Own   bool
	Waits []report.Wait
}

const (
	// askFor is how long a page waits for other instances; what they have said is known for knownFor, and who was silent is
	// asked again after silentFor.
	askFor    = 3 * time.Second
	knownFor  = 5 * time.Minute
	silentFor = time.Minute
	// maxTold is how many answers are kept in mind, and maxWaits how many lines one may have.
	maxTold, maxWaits = 10_000, 500
)

// toldBefore are answers of other instances, by host and artist.
type toldBefore struct {
	mu  sync.Mutex
	all map[[2]string]answered
}

type answered struct {
	until time.Time
	waits []report.Wait
}

// WaitsOf is what instances say of the plays of an artist of here, this one first. Those that do not answer at once are left
// out.
func (s *Service) WaitsOf(ctx context.Context, artist string) ([]Told, error) {
	own, err := s.Reports.Waits(ctx, artist)
	if err != nil {
		return nil, err
	}
	out := []Told{{Host: s.Reports.Node(), Own: true, Waits: own}}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	others := make([]Told, len(s.config.Nodes))
	var all sync.WaitGroup
	for i, host := range s.config.Nodes {
		all.Go(func() {
			waits, err := s.askWaits(ctx, host, artist)
			if err != nil {
				s.Log.Info("what waits elsewhere is not known", "host", host, "error", err)
			}
			others[i] = Told{Host: host, Waits: waits}
		})
	}
	all.Wait()
	return slices.DeleteFunc(append(out, others...), func(t Told) bool { return len(t.Waits) == 0 }), nil
}

func (s *Service) askWaits(ctx context.Context, host, artist string) ([]report.Wait, error) {
	key := [2]string{host, artist}
	s.told.mu.Lock()
	before, known := s.told.all[key]
	s.told.mu.Unlock()
	if known && s.Now().Before(before.until) {
		return before.waits, nil
	}
	now := answered{s.Now().Add(knownFor), before.waits}
	waits, err := s.fetchWaits(ctx, host, artist)
	if err == nil {
		now.waits = waits
	} else {
		now.until = s.Now().Add(silentFor)
	}
	s.told.mu.Lock()
	defer s.told.mu.Unlock()
	if s.told.all == nil || len(s.told.all) >= maxTold {
		s.told.all = map[[2]string]answered{}
	}
	s.told.all[key] = now
	return now.waits, err
}

func (s *Service) fetchWaits(ctx context.Context, host, artist string) ([]report.Wait, error) {
	raw, err := s.Fetch.JSON(ctx, s.config.Scheme+"://"+host+WaitsPath+"?"+url.Values{"artist": {artist}}.Encode())
	if err != nil {
		return nil, err
	}
	var answer waitsAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, err
	}
	return checkWaits(answer.Waits)
}

// checkWaits refuses what no page can show.
func checkWaits(waits []report.Wait) ([]report.Wait, error) {
	bad := func(w report.Wait) bool {
		_, err := royalty.ParseMonth(string(w.Month))
		long := len(w.Rule) > 20 || len(w.DecidedBy) > 200 || len(w.Words) > 10_000 || len(w.Evidence) > 100
		return err != nil || long || w.Listeners < 0 || w.Micro < 0 || !slices.Contains([]report.DecisionState{report.Held, report.Paid, report.Removed}, w.State) ||
			slices.ContainsFunc(w.Evidence, func(hash string) bool { return len(hash) > 128 })
	}
	if len(waits) > maxWaits || slices.ContainsFunc(waits, bad) {
		return nil, fmt.Errorf("%w: what it says of plays is out of bounds", report.ErrFile)
	}
	return waits, nil
}

// AppealFor lets an artist of here say why plays of a month should be paid that a rule of an instance has marked: signed by
// the artist, when it is another one.
func (s *Service) AppealFor(ctx context.Context, artist, host string, month royalty.Month, words string) error {
	if host == s.Reports.Node() {
		return s.Reports.AppealArtist(ctx, month, artist, words)
	}
	if !slices.Contains(s.config.Nodes, host) {
		return fmt.Errorf("%w: %.80q does not take part", report.ErrUnknown, host)
	}
	a := vocab.PoolAppeal{
		ID: fmt.Sprintf("%s/appeals/%d", artist, s.Now().UnixMilli()), AttributedTo: artist, Month: string(month), Content: strings.TrimSpace(words), Published: s.Now(),
	}
	raw, err := s.sign(ctx, artist, a.Object())
	if err != nil {
		return err
	}
	if _, err := vocab.ReadPoolAppeal(raw); err != nil {
		return err
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.Outbox.Tell(ctx, tx, vocab.Activity{
			ID: a.ID + "/create", Type: vocab.VerbCreate, Actor: artist, Object: vocab.Ref{ID: a.ID, Raw: raw}, To: []string{s.instance(host)},
		})
	})
	if err != nil {
		return err
	}
	// What it says next has these words in it.
	s.told.mu.Lock()
	defer s.told.mu.Unlock()
	delete(s.told.all, [2]string{host, artist})
	return nil
}

// appealed keeps what an artist of an instance that takes part says.
func (s *Service) appealed(ctx context.Context, in inbox.Incoming) error {
	host := actor.HostOf(in.Actor.URI)
	if _, known, err := s.nodeOf(ctx, s.instance(host)); err != nil {
		return err
	} else if !known {
		return inbox.Refuse("%s does not take part in the pool", host)
	}
	if err := s.check(ctx, in.Activity.Object.Raw, in.Actor.URI); err != nil {
		return inbox.Refuse("the proof is not good: %v", err)
	}
	a, err := vocab.ReadPoolAppeal(in.Activity.Object.Raw)
	if err != nil || a.AttributedTo != in.Actor.URI {
		return inbox.Refuse("malformed appeal: %v", err)
	}
	err = s.Reports.AppealArtist(ctx, royalty.Month(a.Month), a.AttributedTo, a.Content)
	if errors.Is(err, report.ErrUnknown) || errors.Is(err, contract.ErrLate) {
		return inbox.Refuse("%v", err)
	}
	return err
}
