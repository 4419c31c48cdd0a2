package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

const (
	// probeEvery is the pause between two looks at a proxy, probePatience how long it may take to answer.
	probeEvery    = 10 * time.Minute
	probePatience = 5 * time.Second
	// ailingAfter is how many failures in a row put a proxy behind the others.
	ailingAfter = 2
	// maxChosen bounds an artist's list.
	maxChosen = 16
)

// healthRow is how a proxy does.
type healthRow struct {
	Actor    string `gorm:"primaryKey"`
	Failures int
	Words    string
	OkAt     *time.Time
	FailedAt *time.Time
	LookAt   time.Time
}

func (healthRow) TableName() string { return "proxy_health" }

type chosenRow struct {
	Artist  string `gorm:"primaryKey"`
	Actor   string `gorm:"primaryKey"`
	AddedAt time.Time
}

func (chosenRow) TableName() string { return "artist_proxies" }

// Health is how a proxy does, as an artist is shown it.
type Health struct {
	Actor string
	// Well says that it answered when it was asked last; Known that it was ever asked.
	Well, Known bool
	// Words is what went wrong last, for people; empty when nothing did.
	Words string
	// Seen is when it answered last; zero for never.
	Seen time.Time
}

// Chosen are the actors of the instances that an artist trusts with fragments, in the order they were added.
func (s *Service) Chosen(ctx context.Context, artist string) ([]string, error) {
	var actors []string
	err := s.db.Read.WithContext(ctx).Model(&chosenRow{}).Where("artist = ?", artist).Order("added_at, actor").Pluck("actor", &actors).Error
	if err != nil {
		return nil, fmt.Errorf("read proxies of %s: %w", artist, err)
	}
	return actors, nil
}

// Choose adds an instance, by its host or its actor, to those that an artist trusts. A [*Refusal] says in words why not.
// Grants that were made before keep their proxies.
func (s *Service) Choose(ctx context.Context, artist, instance string) error {
	instance = strings.TrimSpace(instance)
	if instance == "" || len(instance) > 2048 {
		return &Refusal{"unknown", "Write the address of an instance, such as music.example."}
	}
	proxy, err := s.peers.Find(ctx, instance)
	if err != nil {
		return err
	}
	if proxy.Actor == s.InstanceActor() {
		return &Refusal{"own", "This instance is one of your proxies anyway."}
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var n int64
		if err := tx.Model(&chosenRow{}).Where("artist = ?", artist).Count(&n).Error; err != nil {
			return fmt.Errorf("count proxies of %s: %w", artist, err)
		}
		if n >= maxChosen {
			return &Refusal{"limit", fmt.Sprintf("You can name up to %d instances. Remove one first.", maxChosen)}
		}
		row := chosenRow{Artist: artist, Actor: proxy.Actor, AddedAt: s.now().UTC()}
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error
	})
}

// Unchoose removes an instance from those that an artist trusts; one that is not among them changes nothing.
func (s *Service) Unchoose(ctx context.Context, artist, actor string) error {
	err := s.db.Write.WithContext(ctx).Where("artist = ? AND actor = ?", artist, actor).Delete(&chosenRow{}).Error
	if err != nil {
		return fmt.Errorf("remove proxy of %s: %w", artist, err)
	}
	return nil
}

// ChosenHealth tells how the instances do that an artist trusts.
func (s *Service) ChosenHealth(ctx context.Context, artist string) ([]Health, error) {
	actors, err := s.Chosen(ctx, artist)
	if err != nil {
		return nil, err
	}
	return s.health(ctx, actors)
}

// health tells how proxies do, in the order of actors.
func (s *Service) health(ctx context.Context, actors []string) ([]Health, error) {
	var rows []healthRow
	if err := s.db.Read.WithContext(ctx).Where("actor IN ?", actors).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read health of proxies: %w", err)
	}
	by := map[string]healthRow{}
	for _, row := range rows {
		by[row.Actor] = row
	}
	all := make([]Health, len(actors))
	for i, actor := range actors {
		row, ok := by[actor]
		all[i] = Health{Actor: actor, Known: ok, Well: ok && row.Failures == 0, Words: row.Words}
		if row.OkAt != nil {
			all[i].Seen = row.OkAt.UTC()
		}
		if actor == s.InstanceActor() {
			all[i].Known, all[i].Well = true, true
		}
	}
	return all, nil
}

// ailing are the proxies that have failed several times in a row.
func (s *Service) ailing(ctx context.Context) (map[string]bool, error) {
	var actors []string
	err := s.db.Read.WithContext(ctx).Model(&healthRow{}).Where("failures >= ?", ailingAfter).Pluck("actor", &actors).Error
	if err != nil {
		return nil, fmt.Errorf("read health of proxies: %w", err)
	}
	all := map[string]bool{}
	for _, actor := range actors {
		all[actor] = true
	}
	return all, nil
}

// noteHealth records inside tx that a proxy has answered; with words, what is wrong with the answer.
func (s *Service) noteHealth(tx *gorm.DB, actor, words string) error {
	now := s.utc()
	row := healthRow{Actor: actor, Words: shorten(words), LookAt: now.Add(probeEvery)}
	change := map[string]any{"words": row.Words, "look_at": row.LookAt}
	if words == "" {
		row.OkAt = &now
		change["failures"], change["ok_at"] = 0, now
	} else {
		row.Failures, row.FailedAt = 1, &now
		change["failures"], change["failed_at"] = gorm.Expr("proxy_health.failures + 1"), now
	}
	err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "actor"}}, DoUpdates: clause.Assignments(change)}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("record health of %s: %w", actor, err)
	}
	return nil
}

// probe asks the proxies that grants of artists here lean on, or that these trust, and that were not heard of lately.
func (s *Service) probe(ctx context.Context) error {
	var actors []string
	err := s.db.Read.WithContext(ctx).Raw("SELECT DISTINCT p.actor FROM (SELECT actor FROM artist_proxies UNION SELECT k.proxy FROM kfrags_made k"+
		" JOIN grant_sets g ON g.grant_uri = k.grant_uri AND g.number = k.set_number AND g.state IN ?) AS p"+
		" LEFT JOIN proxy_health h ON h.actor = p.actor WHERE p.actor <> ? AND (h.actor IS NULL OR h.look_at <= ?) LIMIT ?",
		[]string{setCurrent, setOffered}, s.InstanceActor(), s.utc(), batch).Scan(&actors).Error
	if err != nil {
		return fmt.Errorf("look for proxies to ask: %w", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	words := map[string]string{}
	slots := make(chan struct{}, readers)
	for _, actor := range actors {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			said := s.ask(ctx, actor)
			mu.Lock()
			defer mu.Unlock()
			words[actor] = said
		})
	}
	wg.Wait()
	if ctx.Err() != nil || len(words) == 0 {
		return ctx.Err()
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var failed []error
		for actor, said := range words {
			failed = append(failed, s.noteHealth(tx, actor, said))
		}
		return errors.Join(failed...)
	})
}

// ask says what is wrong with a proxy, or nothing.
func (s *Service) ask(ctx context.Context, actor string) string {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	proxy, err := s.peers.Find(ctx, actor)
	if err == nil {
		err = s.peers.Probe(ctx, proxy)
	}
	var refused *Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return refused.Words
	}
	s.log.Info("proxy does not answer", "proxy", actor, "error", err)
	return "It does not answer."
}
