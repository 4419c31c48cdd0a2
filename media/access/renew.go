package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
)

const (
	// dropAfter is how long players may fall back on a set that was replaced.
	dropAfter = 24 * time.Hour
	// grudge is how long a proxy that refused a grant's fragment, or did not answer for it, is passed over for that grant.
	grudge = 24 * time.Hour
	// lookAgain is the pause before a set is looked at again that could not be made better.
	lookAgain = 10 * time.Minute
	// maxSets bounds the sets of one grant.
	maxSets = 100
)

// setLacks: a proxy has refused its fragment of a set; the set is to be replaced.
type setLacks struct {
	Grant string `json:"grant"`
	Set   int    `json:"set"`
}

// Kind names the job.
func (setLacks) Kind() string { return "set_lacks" }

func (s *Service) registerSets(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[setLacks]{Work: func(ctx context.Context, job setLacks, _ int) error {
		return s.renew(ctx, job.Grant, job.Set)
	}})
}

// KfragAnswered records a proxy's Accept (code "") or Reject; the sealed fragment is then forgotten here. A set that
// enough proxies have accepted becomes the grant's; one that a proxy refuses is replaced. Answered twice is once.
func (s *Service) KfragAnswered(ctx context.Context, proxy, kfrag, code string) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var row madeRow
		err := tx.Where("uri = ? AND proxy = ?", kfrag, proxy).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && row.State != madeWaiting {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look up fragment %s: %w", kfrag, err)
		}
		now := s.utc()
		values := map[string]any{"state": madeAccepted, "code": code, "object": []byte{}, "updated_at": now}
		if code != "" {
			values["state"] = madeRejected
			s.log.Warn("proxy refused a key fragment", "proxy", proxy, "kfrag", kfrag, "code", code)
		}
		if err := tx.Model(&row).Updates(values).Error; err != nil {
			return fmt.Errorf("record answer for %s: %w", kfrag, err)
		}
		if err := s.noteHealth(tx, proxy, code); err != nil {
			return err
		}
		if code != "" {
			return s.jobs.Insert(ctx, tx, setLacks{Grant: row.GrantURI, Set: row.SetNumber})
		}
		return s.promote(ctx, tx, row.GrantURI, row.SetNumber)
	})
}

// promote makes a set the grant's once enough proxies have accepted it.
func (s *Service) promote(ctx context.Context, tx *gorm.DB, grant string, number int) error {
	var set setRow
	err := tx.Where("grant_uri = ? AND number = ? AND state = ?", grant, number, setOffered).Take(&set).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up set: %w", err)
	}
	var accepted int64
	err = tx.Model(&madeRow{}).Where("grant_uri = ? AND set_number = ? AND state = ?", grant, number, madeAccepted).Count(&accepted).Error
	if err != nil || accepted < int64(set.Threshold) {
		return err
	}
	g, err := grantByURI(tx, grant)
	if err != nil {
		return err
	}
	if g.RevokedAt != nil || g.SetNumber >= number {
		return nil
	}
	now := s.utc()
	// Buyers take only a later form, and times on the wire are whole seconds.
	updated := now
	if !updated.After(g.UpdatedAt) {
		updated = g.UpdatedAt.UTC().Add(time.Second)
	}
	err = tx.Model(&setRow{}).Where("grant_uri = ? AND number < ? AND state IN ?", grant, number, []string{setCurrent, setOffered}).
		Updates(map[string]any{"state": setRetired, "retired_at": now}).Error
	if err != nil {
		return fmt.Errorf("retire sets of %s: %w", grant, err)
	}
	if err := tx.Model(&set).Update("state", setCurrent).Error; err != nil {
		return fmt.Errorf("promote set %d of %s: %w", number, grant, err)
	}
	err = tx.Model(&g).Updates(map[string]any{
		"set_number": number, "threshold": set.Threshold, "proxies": set.Proxies, "updated_at": updated,
	}).Error
	if err != nil {
		return fmt.Errorf("change grant %s: %w", grant, err)
	}
	return s.jobs.Insert(ctx, tx, GrantChanged{Grant: grant, Set: number})
}

// renew replaces a set that lacks a proxy: one that has refused its fragment, or has not answered for it in an hour.
// Fragments of two runs do not open together, so all proxies get new ones. Where nobody can take the missing one's place
// the set stays as long as it opens.
func (s *Service) renew(ctx context.Context, grant string, number int) error {
	g, err := grantByURI(s.db.Read.WithContext(ctx), grant)
	if err != nil {
		return err
	}
	if g.RevokedAt != nil || g.EndTime != nil && s.now().After(*g.EndTime) || number >= maxSets {
		return nil
	}
	newest, err := newestSet(s.db.Read.WithContext(ctx), grant)
	if err != nil {
		return err
	}
	if newest.Number != number {
		return nil
	}
	state, err := s.answers(ctx, grant, number)
	if err != nil {
		return err
	}
	if len(state.silent)+len(state.refused) == 0 {
		return s.postpone(ctx, newest, s.config.Patience)
	}
	proxies, err := s.substitutes(ctx, g, state, newest.Threshold)
	if err != nil {
		return err
	}
	if proxies == nil {
		return s.postpone(ctx, newest, lookAgain)
	}
	set, err := s.split(ctx, g, number+1, proxies)
	if err != nil {
		return err
	}
	s.log.Info("key fragments made anew", "grant", grant, "set", number+1, "refused", len(state.refused), "silent", len(state.silent))
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.write(ctx, tx, set); err != nil {
			return err
		}
		return s.promote(ctx, tx, grant, number+1)
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		// Another process has made it.
		return nil
	}
	return err
}

// answered is how the proxies of a set stand to it.
type answered struct{ accepted, waiting, silent, refused []string }

func (a answered) all() []string { return slices.Concat(a.accepted, a.waiting, a.silent, a.refused) }

func (s *Service) answers(ctx context.Context, grant string, number int) (answered, error) {
	var rows []madeRow
	err := s.db.Read.WithContext(ctx).Where("grant_uri = ? AND set_number = ?", grant, number).Order("uri").Find(&rows).Error
	if err != nil {
		return answered{}, fmt.Errorf("read fragments of %s: %w", grant, err)
	}
	var a answered
	late := s.utc().Add(-s.config.Patience)
	for _, row := range rows {
		switch {
		case row.State == madeAccepted:
			a.accepted = append(a.accepted, row.Proxy)
		case row.State == madeRejected:
			a.refused = append(a.refused, row.Proxy)
		case row.UpdatedAt.After(late):
			a.waiting = append(a.waiting, row.Proxy)
		default:
			a.silent = append(a.silent, row.Proxy)
		}
	}
	return a, nil
}

// substitutes are the proxies of a better set than one that stands as a says; none when there is no better one.
func (s *Service) substitutes(ctx context.Context, g grantRow, a answered, threshold int) ([]Proxy, error) {
	candidates, err := s.candidates(ctx, g.Artist, g.Buyer, g.Product)
	if err != nil {
		return nil, err
	}
	var failed []string
	since := s.utc().Add(-grudge)
	err = s.db.Read.WithContext(ctx).Model(&madeRow{}).
		Where("grant_uri = ? AND state = ? AND updated_at > ?", g.URI, madeRejected, since).
		Or("grant_uri = ? AND state = ? AND updated_at > ? AND updated_at < ?", g.URI, madeWaiting, since, s.utc().Add(-s.config.Patience)).
		Distinct().Pluck("proxy", &failed).Error
	if err != nil {
		return nil, fmt.Errorf("read failures of %s: %w", g.URI, err)
	}
	failed = slices.Concat(failed, a.silent, a.refused)
	candidates = slices.DeleteFunc(candidates, func(p Proxy) bool { return slices.Contains(failed, p.Actor) })
	proxies := candidates[:min(len(candidates), s.config.Proxies)]
	others := a.all()
	if slices.ContainsFunc(proxies, func(p Proxy) bool { return !slices.Contains(others, p.Actor) }) {
		return proxies, nil
	}
	if len(a.accepted)+len(a.waiting)+len(a.silent) >= threshold {
		// It opens, or will when those answer that are only silent.
		return nil, nil
	}
	return proxies, nil
}

func (s *Service) postpone(ctx context.Context, set setRow, by time.Duration) error {
	return s.db.Write.WithContext(ctx).Model(&set).Update("look_at", s.utc().Add(by)).Error
}

// lacking looks at the newest sets that a proxy has not answered for.
func (s *Service) lacking(ctx context.Context) error {
	var sets []setRow
	late := s.utc().Add(-s.config.Patience)
	err := s.db.Read.WithContext(ctx).Where("state IN ? AND look_at <= ?", []string{setOffered, setCurrent}, s.utc()).
		Where("EXISTS (SELECT 1 FROM kfrags_made k WHERE k.grant_uri = grant_sets.grant_uri AND k.set_number = grant_sets.number"+
			" AND (k.state = ? OR k.state = ? AND k.updated_at <= ?))", madeRejected, madeWaiting, late).
		Order("look_at").Limit(batch).Find(&sets).Error
	if err != nil {
		return fmt.Errorf("look for missing proxies: %w", err)
	}
	var failed []error
	for _, set := range sets {
		if err := s.renew(ctx, set.GrantURI, set.Number); err != nil {
			failed = append(failed, err, s.postpone(ctx, set, lookAgain))
		}
	}
	return errors.Join(failed...)
}

// drop takes sets out of use that were replaced a day ago.
func (s *Service) drop(ctx context.Context) error {
	var sets []setRow
	err := s.db.Read.WithContext(ctx).Where("state = ? AND retired_at <= ?", setRetired, s.utc().Add(-dropAfter)).Limit(batch).Find(&sets).Error
	if err != nil {
		return fmt.Errorf("look for old sets: %w", err)
	}
	for _, set := range sets {
		err := s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			if err := tx.Model(&set).Update("state", setDropped).Error; err != nil {
				return err
			}
			if err := s.dropHeld(tx, set.GrantURI, set.Number); err != nil {
				return err
			}
			return s.jobs.Insert(ctx, tx, KfragsDropped{Grant: set.GrantURI, Set: set.Number})
		})
		if err != nil {
			return fmt.Errorf("drop set %d of %s: %w", set.Number, set.GrantURI, err)
		}
	}
	return nil
}

// Kfrags returns all fragments that were made for a grant's set, without their sealed bytes.
func (s *Service) Kfrags(ctx context.Context, grant string, set int) ([]Kfrag, error) {
	var rows []madeRow
	err := s.db.Read.WithContext(ctx).Where("grant_uri = ? AND set_number = ?", grant, set).Order("uri").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read fragments of %s: %w", grant, err)
	}
	kfrags := make([]Kfrag, len(rows))
	for i, row := range rows {
		kfrags[i] = Kfrag{URI: row.URI, Proxy: row.Proxy}
	}
	return kfrags, nil
}
