package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Guest is the role of somebody who has no account here: a person of another server, who proved it by a link that was
// sent there. A guest may buy from the artists of this instance and play it, and nothing else.
const Guest Role = "guest"

const (
	// guestLinkLife is how long a guest's link opens anything.
	guestLinkLife = 15 * time.Minute
	// guestLinkKept is how long a link is remembered, to count by and to refuse by.
	guestLinkKept = 30 * 24 * time.Hour
	// linksPerAccount is how many are sent to one account in a day, linksPerHost to one server in an hour.
	linksPerAccount, linksPerHost = 3, 30
	// guestTokenSize is the length of a link's secret in bytes.
	guestTokenSize = 16
)

// Stranger is an account of another server.
type Stranger struct {
	// Actor is its URI, Handle its address as name@host.
	Actor, Handle string
	Host          string
}

// ErrStranger is wrapped by [Postman] when there is nobody at an address, or nobody to be written to.
var ErrStranger = errors.New("nobody to write to")

// Postman reaches people of other servers; federation does it.
type Postman interface {
	// Find returns who has an address (name@host). It asks the other server, and must not be called inside a transaction.
	Find(ctx context.Context, address string) (Stranger, error)
	// Invite writes to a stranger alone, inside tx, that agent (a browser in words) asked to buy a track, with the link.
	Invite(ctx context.Context, tx *gorm.DB, to Stranger, i Invitation) error
}

// Invitation is what a guest is told.
type Invitation struct {
	// Track is the URI of what is to be bought, Agent the browser that asked, in words.
	Track, Agent string
	// Link proves the account, and lets it refuse all further messages. It opens nothing after Until.
	Link  string
	Until time.Time
}

// guestRow is a guest's row.
type guestRow struct {
	Actor         string `gorm:"primaryKey"`
	Handle        string
	ReceivingKey  string
	RequestingKey string
	Recovery      Secret
	Account       string
	CreatedAt     time.Time
}

// TableName is gorm's name for the table.
func (guestRow) TableName() string { return "guests" }

// LogValue is the guest's address alone.
func (g guestRow) LogValue() slog.Value { return slog.StringValue(g.Handle) }

// guestLink is a link that was sent.
type guestLink struct {
	Hash      string `gorm:"primaryKey"`
	Actor     string
	Host      string
	Handle    string
	Track     string
	ExpiresAt time.Time
	UsedAt    *time.Time
	CreatedAt time.Time
}

type guestRefusal struct {
	Actor     string `gorm:"primaryKey"`
	CreatedAt time.Time
}

// AskGuest sends a one-time link to the account of another server that a visitor names: by a message to it alone. agent
// is the visitor's User-Agent header. It returns whom it wrote to, a [*Refusal], or a [*Slow].
func (s *Service) AskGuest(ctx context.Context, handle, track, agent, address string) (Stranger, error) {
	if s.postman == nil {
		return Stranger{}, &Refusal{"handle", "Guests cannot buy here at the moment."}
	}
	handle = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(handle), "@"))
	name, host, ok := strings.Cut(handle, "@")
	if !ok || name == "" || host == "" || len(handle) > 300 || strings.ContainsAny(handle, " /\\?#\t\r\n") {
		return Stranger{}, &Refusal{"handle", "Write your address as @name@server."}
	}
	if s.own(host) {
		return Stranger{}, &Refusal{"handle", "That is an account of this server: log in with it."}
	}
	if err := s.strangers.take(origin(address), s.now()); err != nil {
		return Stranger{}, err
	}
	// Looked at before the other server is asked, so that nobody can have it asked more often than it is written to.
	if err := s.mayWrite(s.db.Read.WithContext(ctx), Stranger{Handle: handle, Host: host}); err != nil {
		return Stranger{}, err
	}
	to, err := s.postman.Find(ctx, handle)
	if errors.Is(err, ErrStranger) {
		return Stranger{}, &Refusal{"handle", "Nobody was found at this address. Check its spelling, or try again when that server answers."}
	}
	if err != nil {
		return Stranger{}, fmt.Errorf("find guest: %w", err)
	}
	if strings.HasPrefix(to.Actor, s.config.BaseURL+"/") {
		return Stranger{}, &Refusal{"handle", "That is an account of this server: log in with it."}
	}
	token, hash, err := s.token(guestTokenSize)
	if err != nil {
		return Stranger{}, err
	}
	now := s.utc()
	link := guestLink{
		Hash: hash, Actor: to.Actor, Host: to.Host, Handle: to.Handle, Track: track, ExpiresAt: now.Add(guestLinkLife), CreatedAt: now,
	}
	// One at a time, so that what is counted is what was sent.
	s.asking.Lock()
	defer s.asking.Unlock()
	return to, s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.mayWrite(tx, to); err != nil {
			return err
		}
		if err := tx.Where("created_at < ?", now.Add(-guestLinkKept)).Delete(&guestLink{}).Error; err != nil {
			return fmt.Errorf("forget guests' links: %w", err)
		}
		// Only the newest link opens.
		err := tx.Model(&guestLink{}).Where("actor = ? AND used_at IS NULL AND expires_at > ?", to.Actor, now).Update("expires_at", now).Error
		if err != nil {
			return fmt.Errorf("end earlier link: %w", err)
		}
		if err := tx.Create(&link).Error; err != nil {
			return fmt.Errorf("write guest's link: %w", err)
		}
		return s.postman.Invite(ctx, tx, to, Invitation{
			Track: track, Agent: agentWords(agent), Link: s.config.BaseURL + "/guest/" + token, Until: link.ExpiresAt,
		})
	})
}

// own reports whether a host, as it stands in an address, is this instance's.
func (s *Service) own(host string) bool {
	_, own, _ := strings.Cut(s.config.BaseURL, "://")
	return strings.TrimSuffix(host, ".") == strings.ToLower(own)
}

// mayWrite refuses whoever asked for it, and counts what was sent.
func (s *Service) mayWrite(tx *gorm.DB, to Stranger) error {
	now := s.utc()
	for _, bound := range []struct {
		query, value string
		since        time.Duration
		most         int64
		words        string
	}{
		{"actor = ?", to.Actor, 24 * time.Hour, linksPerAccount, "This account was written to often enough for today. Look for our message there, or try again tomorrow."},
		{"handle = ?", to.Handle, 24 * time.Hour, linksPerAccount, "This account was written to often enough for today. Look for our message there, or try again tomorrow."},
		{"host = ?", to.Host, time.Hour, linksPerHost, "Many people of that server asked within the last hour. Try again in an hour."},
	} {
		var n int64
		if err := tx.Model(&guestLink{}).Where(bound.query, bound.value).Where("created_at > ?", now.Add(-bound.since)).Count(&n).Error; err != nil {
			return fmt.Errorf("count guests' links: %w", err)
		}
		if n >= bound.most {
			return &Refusal{"handle", bound.words}
		}
	}
	var refused int64
	if err := tx.Model(&guestRefusal{}).Where("actor = ?", to.Actor).Count(&refused).Error; err != nil {
		return fmt.Errorf("look up refusal: %w", err)
	}
	if refused > 0 {
		return &Refusal{"handle", "This account has asked not to be written to by this server."}
	}
	return nil
}

// Visiting is what a guest's link is for.
type Visiting struct {
	Stranger
	Track string
	// Account is the name of the account here that the guest has become, or empty.
	Account string
}

// GuestLink tells what a guest's link is for, or [ErrLink]. It uses nothing up.
func (s *Service) GuestLink(ctx context.Context, token string) (Visiting, error) {
	tx := s.db.Read.WithContext(ctx)
	link, err := s.guestLink(tx, token)
	if err != nil {
		return Visiting{}, err
	}
	if link.UsedAt != nil || !s.utc().Before(link.ExpiresAt) {
		return Visiting{}, ErrLink
	}
	return s.visiting(tx, link)
}

func (s *Service) visiting(tx *gorm.DB, link guestLink) (Visiting, error) {
	v := Visiting{Stranger: Stranger{Actor: link.Actor, Handle: link.Handle, Host: link.Host}, Track: link.Track}
	g, err := guestWhere(tx, link.Actor)
	if errors.Is(err, ErrNotFound) {
		return v, nil
	}
	v.Account = strings.TrimPrefix(g.Account, s.ActorURI(""))
	return v, err
}

func (s *Service) guestLink(tx *gorm.DB, token string) (guestLink, error) {
	var link guestLink
	err := tx.Where("hash = ?", hashToken(token)).Take(&link).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return link, ErrLink
	}
	if err != nil {
		return link, fmt.Errorf("read guest's link: %w", err)
	}
	return link, nil
}

// EnterGuest uses a guest's link up, and makes the guest if it is the first time. What it was for is returned, or
// [ErrLink]. Who has become an account here gets no guest's session: the caller looks at Visiting.Account.
func (s *Service) EnterGuest(ctx context.Context, token string) (Visiting, error) {
	var v Visiting
	err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		link, err := s.guestLink(tx, token)
		if err != nil {
			return err
		}
		now := s.utc()
		result := tx.Model(&guestLink{}).Where("hash = ? AND used_at IS NULL AND expires_at > ?", link.Hash, now).Update("used_at", now)
		if result.Error != nil {
			return fmt.Errorf("use guest's link: %w", result.Error)
		}
		if result.RowsAffected != 1 {
			return ErrLink
		}
		made := guestRow{Actor: link.Actor, Handle: link.Handle, CreatedAt: now}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&made).Error; err != nil {
			return fmt.Errorf("write guest: %w", err)
		}
		v, err = s.visiting(tx, link)
		return err
	})
	return v, err
}

// RefuseGuest has no message sent to the account of a guest's link any more; a link that was used or is too old will do.
func (s *Service) RefuseGuest(ctx context.Context, token string) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		link, err := s.guestLink(tx, token)
		if err != nil {
			return err
		}
		now := s.utc()
		refusal := guestRefusal{Actor: link.Actor, CreatedAt: now}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&refusal).Error; err != nil {
			return fmt.Errorf("write refusal: %w", err)
		}
		err = tx.Model(&guestLink{}).Where("actor = ? AND used_at IS NULL", link.Actor).Update("used_at", now).Error
		if err != nil {
			return fmt.Errorf("end links: %w", err)
		}
		return nil
	})
}

func guestWhere(tx *gorm.DB, actor string) (guestRow, error) {
	var g guestRow
	err := tx.Where("actor = ?", actor).Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return g, fmt.Errorf("%w: guest %.200q", ErrNotFound, actor)
	}
	if err != nil {
		return g, fmt.Errorf("read guest: %w", err)
	}
	return g, nil
}
