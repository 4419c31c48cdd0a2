package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/royalty"
)

// Asking: a member wants to hear an artist of the pool; the artist's instance is to be shown the membership.
type Asking struct {
	// Offer is the activity's URI, new for each try.
	Offer string `json:"offer"`
}

// Kind names the job.
func (Asking) Kind() string { return "pool_asking" }

// AskState is where a question for a grant stands.
type AskState string

// The states of a question.
const (
	AskWaiting AskState = "asked"
	AskGranted AskState = "granted"
	AskRefused AskState = "refused"
)

// Question is what a member has asked of an artist's instance: to hear the artist's part of the pool for a month.
type Question struct {
	Listener string        `gorm:"primaryKey"`
	Artist   string        `gorm:"primaryKey"`
	Month    royalty.Month `gorm:"primaryKey"`
	// Offer is the URI of the activity of the last try.
	Offer                       string
	ReceivingKey, RequestingKey string
	State                       AskState
	// Code and Words say why it was refused.
	Code, Words string
	// Receipt and GrantURI are those that were given.
	Receipt   string
	GrantURI  string
	AskedAt   time.Time
	UpdatedAt time.Time
}

func (Question) TableName() string { return "pool_asks" }

// Refusal is a no of an artist's instance, or to somebody who is no member; Words go to the listener, Code to machines.
type Refusal struct{ Code, Words string }

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Code + ": " + r.Words }

// again is the pause before an artist's instance is asked once more what it has refused.
const again = 10 * time.Second

// Ask asks an artist's instance for the grant of this month, for a member with these keys, once: what was asked or granted
// before is returned. A [*Refusal] says that the listener is no member.
func (s *Service) Ask(ctx context.Context, listener, artist, receiving, requesting string) (Question, error) {
	month := s.Month()
	is, err := s.IsMember(ctx, listener)
	if err != nil {
		return Question{}, err
	}
	if !is {
		return Question{}, &Refusal{"no-member", "This track is in the listening pool. Members who have paid for this month can play it."}
	}
	now := s.utc()
	q := Question{
		Listener: listener, Artist: artist, Month: month, Offer: s.config.BaseURL + "/offers/" + newID(), ReceivingKey: receiving,
		RequestingKey: requesting, State: AskWaiting, AskedAt: now, UpdatedAt: now,
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		old, err := question(tx.Where("listener = ? AND artist = ? AND month = ?", listener, artist, month))
		switch {
		case errors.Is(err, ErrNotFound):
			made := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&q)
			if made.Error != nil {
				return fmt.Errorf("write question: %w", made.Error)
			}
			if made.RowsAffected == 0 {
				return nil // it was asked twice at once
			}
			return s.Jobs.Insert(ctx, tx, Asking{q.Offer})
		case err != nil:
			return err
		}
		waiting := old.State == AskWaiting && now.Sub(old.AskedAt) < s.config.Patience
		same := old.ReceivingKey == receiving && old.RequestingKey == requesting
		if same && (waiting || old.State == AskGranted || old.State == AskRefused && now.Sub(old.UpdatedAt) < again) {
			q = old
			return nil
		}
		if err := tx.Model(&old).Select("*").Updates(&q).Error; err != nil {
			return fmt.Errorf("write question: %w", err)
		}
		return s.Jobs.Insert(ctx, tx, Asking{q.Offer})
	})
	return q, err
}

// Asked returns a question by the offer of its last try, or [ErrNotFound].
func (s *Service) Asked(ctx context.Context, offer string) (Question, error) {
	return question(s.DB.Read.WithContext(ctx).Where("offer = ?", offer))
}

// QuestionOf returns what a listener asked of an artist's instance for a month, or [ErrNotFound].
func (s *Service) QuestionOf(ctx context.Context, listener, artist string, month royalty.Month) (Question, error) {
	return question(s.DB.Read.WithContext(ctx).Where("listener = ? AND artist = ? AND month = ?", listener, artist, month))
}

func question(q *gorm.DB) (Question, error) {
	var row Question
	err := q.Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, fmt.Errorf("%w: no such question", ErrNotFound)
	}
	return row, err
}

// Granted notes inside tx that a grant has come, for the keys that were named, or a later form of it.
func (s *Service) Granted(tx *gorm.DB, q Question, grant, receipt string) error {
	result := tx.Model(&Question{}).Where("listener = ? AND artist = ? AND month = ? AND grant_uri IN ?", q.Listener, q.Artist, q.Month, []string{"", grant}).
		Updates(map[string]any{"state": AskGranted, "grant_uri": grant, "receipt": receipt, "code": "", "words": "", "updated_at": s.utc()})
	if result.Error != nil {
		return fmt.Errorf("note grant: %w", result.Error)
	}
	if result.RowsAffected != 1 {
		return &Refusal{"granted", "There is another grant of this artist for this month."}
	}
	return nil
}

// Refused notes inside tx that an artist's instance has said no to an offer, or returns [ErrNotFound].
func (s *Service) Refused(tx *gorm.DB, host, offer, code, why string) error {
	q, err := question(tx.Where("offer = ?", offer))
	if err != nil {
		return err
	}
	if hostOf(q.Artist) != host {
		return fmt.Errorf("%w: asked of another instance", ErrNotFound)
	}
	if q.State != AskWaiting {
		return nil
	}
	return tx.Model(&q).Updates(map[string]any{"state": AskRefused, "code": code, "words": why, "updated_at": s.utc()}).Error
}
