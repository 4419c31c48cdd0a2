package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
)

// ErrNoSession is returned for a token that is not, or no longer, good.
var ErrNoSession = errors.New("no such session")

// touchEvery is how often the use of a session is written down.
const touchEvery = 10 * time.Minute

// Session is one place where an account is logged in.
type Session struct {
	// ID is the hash of the session's token; it opens nothing.
	ID    string `gorm:"primaryKey"`
	Actor string
	// Agent is the browser in words.
	Agent     string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
}

// OpenSession logs the account in and returns the token for the cookie. agent is the User-Agent header.
func (s *Service) OpenSession(ctx context.Context, actor, agent string) (token string, err error) {
	token, hash, err := s.newToken()
	if err != nil {
		return "", err
	}
	now := s.utc()
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Where("expires_at <= ?", now).Delete(&Session{}).Error; err != nil {
			return err
		}
		return tx.Create(&Session{
			ID: hash, Actor: actor, Agent: agentWords(agent), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(s.config.SessionLife),
		}).Error
	})
	if err != nil {
		return "", fmt.Errorf("open session: %w", err)
	}
	return token, nil
}

// Visitor is who makes a request.
type Visitor struct {
	Account Account
	Session Session
	// Slid says that the session was just made longer, so that the cookie is to be sent again.
	Slid bool
}

// Visit returns whose token it is, or [ErrNoSession]; using a session makes it last longer.
func (s *Service) Visit(ctx context.Context, token string) (Visitor, error) {
	if len(token) != 43 {
		return Visitor{}, ErrNoSession
	}
	tx := s.db.Read.WithContext(ctx)
	v := Visitor{}
	err := tx.Where("id = ?", hashToken(token)).Take(&v.Session).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Visitor{}, ErrNoSession
	}
	if err != nil {
		return Visitor{}, fmt.Errorf("read session: %w", err)
	}
	now := s.utc()
	if !now.Before(v.Session.ExpiresAt) {
		return Visitor{}, ErrNoSession
	}
	v.Account, err = accountOf(tx, v.Session.Actor)
	if errors.Is(err, ErrNotFound) || err == nil && v.Account.standing() != nil {
		return Visitor{}, ErrNoSession
	}
	if err != nil || now.Sub(v.Session.SeenAt) < touchEvery {
		return v, err
	}
	v.Session.SeenAt, v.Session.ExpiresAt, v.Slid = now, now.Add(s.config.SessionLife), true
	err = s.db.Write.WithContext(ctx).Model(&Session{}).Where("id = ?", v.Session.ID).
		Updates(map[string]any{"seen_at": v.Session.SeenAt, "expires_at": v.Session.ExpiresAt}).Error
	if err != nil {
		return v, fmt.Errorf("touch session: %w", err)
	}
	return v, nil
}

// Sessions returns where the account is logged in, the last used first.
func (s *Service) Sessions(ctx context.Context, actor string) ([]Session, error) {
	var sessions []Session
	err := s.db.Read.WithContext(ctx).Where("actor = ? AND expires_at > ?", actor, s.utc()).Order("seen_at DESC, id").Find(&sessions).Error
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return sessions, nil
}

// EndSession logs one place out; a session of somebody else stays, and ending one twice is no error.
func (s *Service) EndSession(ctx context.Context, actor, id string) error {
	return endSessions(s.db.Write.WithContext(ctx).Where("actor = ? AND id = ?", actor, id))
}

// EndSessions logs the account out everywhere, but for the session except (which may be empty).
func (s *Service) EndSessions(ctx context.Context, actor, except string) error {
	return endSessions(s.db.Write.WithContext(ctx).Where("actor = ? AND id <> ?", actor, except))
}

func endSessions(q *gorm.DB) error {
	if err := q.Delete(&Session{}).Error; err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// clip cuts text to at most n bytes, between characters.
func clip(text string, n int) string {
	for len(text) > n {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
