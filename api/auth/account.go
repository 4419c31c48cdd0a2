package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/vault"
)

// ErrNotFound is returned for an account, a session or a link that does not exist.
var ErrNotFound = errors.New("no such account")

// Role is what an account may do.
type Role string

// The roles. An artist needs nothing that a listener has not; an admin is an artist who also looks after the instance.
const (
	Admin    Role = "admin"
	Artist   Role = "artist"
	Listener Role = "listener"
)

// Custody says who can open what the listener bought.
type Custody string

// Own: only the listener's browser. Delegated: the instance holds the seed as well.
const (
	Own       Custody = "own"
	Delegated Custody = "delegated"
)

// Account is one person's log-in here.
type Account struct {
	Actor   string `gorm:"primaryKey"`
	Name    string
	Role    Role
	Custody Custody
	// AuthHash is argon2id(auth).
	AuthHash string
	// With own custody, WrappedSeed is the seed under the passphrase, empty when that was lost, and Recovery the seed
	// under the recovery key; with delegated custody, both are empty and SealedSeed is the seed under the master key.
	WrappedSeed Secret
	Recovery    Secret
	SealedSeed  Secret
	// Version counts the wrappings of the seed, from 1.
	Version    int64
	QuotaBytes int64
	CreatedAt  time.Time
	// State says whether the account may be used; Reason is why somebody wants to join, or why it is suspended.
	State  Standing
	Reason string
}

// LogValue is the account's name alone.
func (a Account) LogValue() slog.Value { return slog.StringValue(a.Name) }

// ByName returns the local account called name, or [ErrNotFound].
func (s *Service) ByName(ctx context.Context, name string) (Account, error) {
	return accountWhere(s.db.Read.WithContext(ctx), "name = ?", name)
}

// ByActor returns the account of a local actor, or [ErrNotFound].
func (s *Service) ByActor(ctx context.Context, actor string) (Account, error) {
	return accountWhere(s.db.Read.WithContext(ctx), "actor = ?", actor)
}

func accountWhere(tx *gorm.DB, query, value string) (Account, error) {
	var a Account
	err := tx.Where(query, value).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Account{}, fmt.Errorf("%w: %.60q", ErrNotFound, value)
	}
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// Listed is one row of the admin's list.
type Listed struct {
	Account
	// LastSeen is when one of its sessions was last used; zero when never.
	LastSeen time.Time
}

// List returns accounts whose name contains query, by name, and how many there are in all.
func (s *Service) List(ctx context.Context, query string, offset, limit int) ([]Listed, int64, error) {
	like := "%" + likeEscape.Replace(strings.ToLower(query)) + "%"
	tx := s.db.Read.WithContext(ctx)
	var total int64
	if err := tx.Model(&Account{}).Where(`name LIKE ? ESCAPE '\'`, like).Count(&total).Error; err != nil {
		return nil, 0, fmt.Errorf("count accounts: %w", err)
	}
	var accounts []Account
	err := tx.Where(`name LIKE ? ESCAPE '\'`, like).Order("name").Offset(offset).Limit(limit).Find(&accounts).Error
	if err != nil {
		return nil, 0, fmt.Errorf("list accounts: %w", err)
	}
	listed := make([]Listed, len(accounts))
	actors := make([]string, len(accounts))
	for i, a := range accounts {
		listed[i], actors[i] = Listed{Account: a}, a.Actor
	}
	var sessions []Session
	if err := tx.Where("actor IN ?", actors).Find(&sessions).Error; err != nil {
		return nil, 0, fmt.Errorf("read sessions: %w", err)
	}
	for i := range listed {
		for _, one := range sessions {
			if one.Actor == listed[i].Actor && one.SeenAt.After(listed[i].LastSeen) {
				listed[i].LastSeen = one.SeenAt
			}
		}
	}
	return listed, total, nil
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

var validName = regexp.MustCompile(`^[a-z0-9_]{1,30}$`)

// reserved names would pass for the instance or for somebody who speaks for it.
var reserved = map[string]bool{
	"abuse": true, "actor": true, "admin": true, "administrator": true, "antiphon": true, "anonymous": true, "everyone": true,
	"help": true, "hostmaster": true, "info": true, "instance": true, "mail": true, "moderator": true, "no_reply": true,
	"noreply": true, "null": true, "official": true, "owner": true, "postmaster": true, "root": true, "security": true,
	"server": true, "staff": true, "support": true, "system": true, "undefined": true, "webmaster": true,
}

// LocalName is the bare name in what a person may type for it: "name", "@name" or "@name@host" with this host; other
// text comes back as it is and matches no account.
func (s *Service) LocalName(typed string) string {
	_, host, _ := strings.Cut(s.config.BaseURL, "://")
	name := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(typed), "@"))
	return strings.TrimSuffix(name, "@"+strings.ToLower(host))
}

func seedPlace(actor string) vault.Place {
	return vault.Place{Table: "accounts", ID: actor, Version: 1}
}
