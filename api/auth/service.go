package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/vault"
)

// Local is the actor of a new account.
type Local struct {
	Name, Display string
	// Kind is "artist" or "listener".
	Kind string
	// Unlisted keeps the actor from everybody until the account is let in.
	Unlisted bool
	// ReceivingKey and RequestingKey are the listener's public keys as Multikeys, checked.
	ReceivingKey, RequestingKey string
}

// ErrTaken is wrapped by [Actors] when there is an actor of that name.
var ErrTaken = errors.New("name is taken")

// Actors makes who an account is to the world; federation/actor implements it.
type Actors interface {
	// Prepare makes the keys of a new local actor, which takes a while, and returns what writes it inside a transaction
	// and gives its URI, which is BaseURL + "/users/" + name.
	Prepare(ctx context.Context, l Local) (write func(ctx context.Context, tx *gorm.DB) (uri string, err error), err error)
}

// Config of the log-in.
type Config struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	// Open lets anyone sign up; otherwise an invitation is needed.
	Open bool
	// Approval has those who sign up without an invitation wait for an admin's yes.
	Approval bool
	// Quota is what a new account may upload in all, in bytes.
	Quota int64
	// SessionLife is how long a session lasts after it was last used; 30 days when 0.
	SessionLife time.Duration
	// LinkLife is how long an invitation or a way back in can be used; 7 days when 0.
	LinkLife time.Duration
	// Hash is the cost of checking a log-in; DefaultCost when zero.
	Hash Cost
}

// Parts are what the log-in is joined with.
type Parts struct {
	DB     *db.DB
	Vault  *vault.Vault
	Actors Actors
	// Postman writes to guests; nil lets nobody buy as a guest. Heirs may be nil.
	Postman Postman
	Heirs   Heirs
	Log     *slog.Logger
	Now     func() time.Time
	Rand    io.Reader
}

// Service keeps accounts and sessions. It may be used from many goroutines.
type Service struct {
	config  Config
	db      *db.DB
	vault   *vault.Vault
	actors  Actors
	postman Postman
	heirs   Heirs
	log     *slog.Logger
	now     func() time.Time
	rand    io.Reader
	hashes  *hasher
	tries   *limiter
	origins *limiter
	// strangers bounds how often one visitor has others written to.
	strangers *limiter
	asking    sync.Mutex
}

// New makes the service; it starts nothing.
func New(config Config, p Parts) (*Service, error) {
	if config.SessionLife == 0 {
		config.SessionLife = 30 * 24 * time.Hour
	}
	if config.LinkLife == 0 {
		config.LinkLife = 7 * 24 * time.Hour
	}
	if config.Hash == (Cost{}) {
		config.Hash = DefaultCost
	}
	hashes, err := newHasher(config.Hash, p.Rand)
	if err != nil {
		return nil, err
	}
	return &Service{
		config: config, db: p.DB, vault: p.Vault, actors: p.Actors, postman: p.Postman, heirs: p.Heirs, log: p.Log, now: p.Now, rand: p.Rand, hashes: hashes,
		tries: newLimiter(10, time.Minute), origins: newLimiter(30, 10*time.Second), strangers: newLimiter(10, time.Minute),
	}, nil
}

// Open reports whether anyone may sign up.
func (s *Service) Open() bool { return s.config.Open }

// WelcomesGuests reports whether people of other servers can buy here without an account.
func (s *Service) WelcomesGuests() bool { return s.postman != nil }

// Approval reports whether who signs up without an invitation waits for an admin's yes.
func (s *Service) Approval() bool { return s.config.Open && s.config.Approval }

// ActorURI is the URI of the local actor called name.
func (s *Service) ActorURI(name string) string { return s.config.BaseURL + "/users/" + name }

func (s *Service) secure() bool { return strings.HasPrefix(s.config.BaseURL, "https://") }

func (s *Service) utc() time.Time { return s.now().UTC().Truncate(time.Second) }

// newToken draws 256 random bits and returns them as text, with the hash under which they are kept.
func (s *Service) newToken() (token, hash string, err error) { return s.token(32) }

func (s *Service) token(size int) (token, hash string, err error) {
	b := make([]byte, size)
	if _, err := io.ReadFull(s.rand, b); err != nil {
		return "", "", fmt.Errorf("draw token: %w", err)
	}
	token = base64.RawURLEncoding.EncodeToString(b)
	return token, hashToken(token), nil
}

// hashToken is enough for a token of 256 random bits; nothing is gained by a slow hash.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
