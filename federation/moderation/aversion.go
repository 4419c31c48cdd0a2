package moderation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/vocab"
)

// The kinds of aversion.
const (
	// Block: the two do not follow, answer or react to each other.
	Block = "block"
	// Mute: the member does not see the other, who is not told.
	Mute = "mute"
)

// ErrSelf is returned when somebody wants to block or mute themselves, or this instance.
var ErrSelf = errors.New("nobody can block themselves")

// Aversion says whom a member does not want to meet.
type Aversion struct {
	Owner string `gorm:"primaryKey"`
	// Subject is an actor's URI or a host.
	Subject string `gorm:"primaryKey"`
	Kind    string
	// URI is the Block activity that told a remote actor; empty when nobody was told.
	URI       string
	CreatedAt time.Time
}

// Avoid blocks or mutes an actor or a host for one member. A block ends the follows in both directions, and its actor's
// server is told with a Block; a host's is not, because there is nobody to tell.
func (s *Service) Avoid(ctx context.Context, owner, subject, kind string) error {
	if kind != Block && kind != Mute {
		return fmt.Errorf("avoid %s: there is no kind %q", subject, kind)
	}
	subject, err := discover.Subject(subject)
	if err != nil {
		return err
	}
	host := !strings.Contains(subject, "://")
	if subject == owner || host && subject == discover.Normalize(s.Actors.Host()) {
		return ErrSelf
	}
	if !host {
		if _, err := s.Actors.Known(ctx, subject); err != nil {
			return err
		}
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		a := Aversion{Owner: owner, Subject: subject, Kind: kind, CreatedAt: s.utc()}
		if kind == Block && !host {
			a.URI = s.Outbox.NewID("blocks")
		}
		if err := s.unblock(ctx, tx, owner, subject); err != nil {
			return err
		}
		if err := tx.Create(&a).Error; err != nil {
			return fmt.Errorf("write aversion of %s: %w", owner, err)
		}
		if kind == Mute {
			return nil
		}
		if host {
			return actor.DropFollowsWithHost(ctx, tx, owner, subject)
		}
		if err := errors.Join(actor.DropFollow(ctx, tx, owner, subject), actor.DropFollow(ctx, tx, subject, owner)); err != nil {
			return err
		}
		return s.Outbox.Tell(ctx, tx, vocab.Activity{
			ID: a.URI, Type: vocab.VerbBlock, Actor: owner, Object: vocab.Ref{ID: subject}, To: []string{subject},
		})
	})
}

// Meet takes a member's block or mute back; one that is not there is no error.
func (s *Service) Meet(ctx context.Context, owner, subject string) error {
	subject, err := discover.Subject(subject)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.unblock(ctx, tx, owner, subject) })
}

// unblock removes an aversion, and tells whoever was told of it.
func (s *Service) unblock(ctx context.Context, tx *gorm.DB, owner, subject string) error {
	var had []Aversion
	err := tx.Clauses(clause.Returning{}).Where("owner = ? AND subject = ?", owner, subject).Delete(&had).Error
	if err != nil {
		return fmt.Errorf("remove aversion of %s: %w", owner, err)
	}
	for _, a := range had {
		if a.URI == "" {
			continue
		}
		block := vocab.Activity{ID: a.URI, Type: vocab.VerbBlock, Actor: owner, Object: vocab.Ref{ID: subject}}
		m, err := block.Build()
		if err != nil {
			return err
		}
		ref, err := vocab.Embed(m)
		if err != nil {
			return err
		}
		err = s.Outbox.Tell(ctx, tx, vocab.Activity{
			ID: a.URI + "/undo", Type: vocab.VerbUndo, Actor: owner, Object: ref, To: []string{subject},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Aversions returns whom a member blocks and mutes, by subject.
func Aversions(ctx context.Context, tx *gorm.DB, owner string) ([]Aversion, error) {
	var rows []Aversion
	if err := tx.WithContext(ctx).Where("owner = ?", owner).Order("subject").Limit(1000).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read aversions of %s: %w", owner, err)
	}
	return rows, nil
}

// AverseTo returns which local actors block the actor uri, by its URI or by its host. It is asked for every activity
// that is acted on, so it is one look into an index.
func AverseTo(ctx context.Context, tx *gorm.DB, uri string) ([]string, error) {
	subjects := []string{uri}
	if subject, err := discover.Subject(uri); err == nil && subject != uri {
		subjects = append(subjects, subject)
	}
	host := discover.Normalize(actor.HostOf(uri))
	subjects = append(subjects, host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for host != "" && net.ParseIP(host) == nil {
		subjects = append(subjects, host)
		_, host, _ = strings.Cut(host, ".")
	}
	var owners []string
	err := tx.WithContext(ctx).Model(&Aversion{}).Where("subject IN ? AND kind = ?", slices.Compact(subjects), Block).Pluck("owner", &owners).Error
	if err != nil {
		return nil, fmt.Errorf("read who avoids %s: %w", uri, err)
	}
	return owners, nil
}

// Forget removes what a member who is gone wanted, and what it was told. Reports stay.
func Forget(ctx context.Context, tx *gorm.DB, owner string) error {
	for _, table := range []any{&Aversion{}, &Tiding{}} {
		if err := tx.WithContext(ctx).Where("owner = ?", owner).Delete(table).Error; err != nil {
			return fmt.Errorf("forget %s: %w", owner, err)
		}
	}
	return nil
}

// Unavoided narrows a query to rows whose actor, in the given column, the member neither blocks nor mutes, by its URI or
// by its host or one above it.
func Unavoided(q *gorm.DB, column, owner string) *gorm.DB {
	return q.Where(`NOT EXISTS (SELECT 1 FROM aversions JOIN actors AS avoided ON avoided.uri = `+column+`
		WHERE aversions.owner = ? AND (aversions.subject = avoided.uri OR aversions.subject = avoided.host
			OR avoided.host LIKE '%.' || aversions.subject))`, owner)
}
