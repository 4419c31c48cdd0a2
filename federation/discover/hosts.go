package discover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/httpsig"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
)

// known is how long what a host says of itself is believed.
const known = 7 * 24 * time.Hour

// Host is what is known of another server.
type Host struct {
	// Host is lower case and has its port where there is one.
	Host string `gorm:"primaryKey"`
	// Music says that it speaks our vocabulary; Software is its name and version.
	Music    bool
	Software string
	// State is OK, Suspect, Down or Gone; Failures counts those in a row.
	State    string
	Failures int64
	// FailedDays counts the days on which it failed since it was reached last, FailedOn is the last of them.
	FailedDays int64
	FailedOn   string
	// DownSince is when it became Down, ProbeAt when it is tried again; nil while it is neither Down nor Gone.
	DownSince, ProbeAt *time.Time
	// Paused says that an admin wants nothing delivered to it for now.
	Paused bool
	// LastError tells an admin what went wrong last.
	LastError string
	// CheckedAt is when the host was last asked what it is; nil for never.
	CheckedAt *time.Time
	// Dialect is what it is known of how it reads signatures: see Hosts.Dialect; empty for nothing.
	Dialect httpsig.Dialect
}

// HostsConfig says how hosts are asked.
type HostsConfig struct {
	// Scheme is https, or http for peers on loopback.
	Scheme string
	// Own is this instance's host, which no policy keeps away.
	Own string
	// AllowList admits only hosts with a policy of Allow.
	AllowList bool
}

// Hosts remembers other servers: what they speak, whether they answer, and whom an admin blocked. It is safe for
// concurrent use.
type Hosts struct {
	scheme    string
	own       string
	allowList bool
	db        *db.DB
	http      *httpx.Client
	log       *slog.Logger
	now       func() time.Time
	policies  policies

	dialects dialects
	sights   sights
	unread   unread
	back     func(host string)
}

// NewHosts makes the memory of other servers.
func NewHosts(config HostsConfig, d *db.DB, client *httpx.Client, log *slog.Logger, now func() time.Time) *Hosts {
	if config.Scheme == "" {
		config.Scheme = "https"
	}
	return &Hosts{
		scheme: config.Scheme, own: Normalize(config.Own), allowList: config.AllowList, db: d, http: client, log: log, now: now,
	}
}

// Normalize brings a host to the one form in which it is kept and compared: punycode, lower case, without a trailing
// dot, with its port if that is not the usual one.
func Normalize(host string) string {
	name, port := host, ""
	if h, p, err := net.SplitHostPort(host); err == nil {
		name, port = h, p
	}
	name = strings.TrimSuffix(name, ".")
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		name = ascii
	}
	name = strings.ToLower(name)
	if port == "" || port == "443" || port == "80" {
		return name
	}
	return net.JoinHostPort(name, port)
}

func (h *Hosts) write(tx *gorm.DB, row Host, change map[string]any) error {
	if row.State == "" {
		row.State = OK
	}
	err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "host"}}, DoUpdates: clause.Assignments(change)}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("write host %s: %w", row.Host, err)
	}
	return nil
}

func (h *Hosts) read(ctx context.Context, host string) (Host, error) {
	row := Host{Host: host, State: OK}
	err := h.db.Read.WithContext(ctx).Where("host = ?", host).Take(&row).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return Host{}, fmt.Errorf("read host %s: %w", host, err)
	}
	return row, nil
}
