package discover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/idna"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/db"
	"antiphon/internal/httpx"
)

// The states of a host. Only an admin blocks one.
const (
	OK      = "ok"
	Suspect = "suspect"
	Down    = "down"
	Blocked = "blocked"
)

const (
	// downAfter is how many failures in a row make a host Down.
	downAfter = 10
	// A host that is down is tried by one delivery after firstProbe, then after twice that, and so on to lastProbe: it may
	// only have been restarted, and somebody may be waiting.
	firstProbe = 30 * time.Second
	lastProbe  = 10 * time.Minute
	// known is how long what a host says of itself is believed.
	known = 7 * 24 * time.Hour
	// maxProbed bounds how many hosts that are down are remembered; when there are more, all are tried anew.
	maxProbed = 10_000
	// sightAge is how long this process believes what it has read of a host that another process may have changed since.
	sightAge = 5 * time.Second
	// maxSeen bounds how many hosts are kept in memory; a full memory is emptied.
	maxSeen = 10_000
	// maxError bounds what is kept of an error.
	maxError = 300
)

// Host is what is known of another server.
type Host struct {
	// Host is lower case and has its port where there is one.
	Host string `gorm:"primaryKey"`
	// Music says that it speaks our vocabulary; Software is its name and version.
	Music    bool
	Software string
	// State is OK, Suspect, Down or Blocked; Failures counts those in a row.
	State    string
	Failures int64
	// LastError tells an admin what went wrong last.
	LastError string
	// CheckedAt is when the host was last asked what it is; nil for never.
	CheckedAt *time.Time
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

	mu sync.Mutex
	// probed are the tries of hosts that are down by this process.
	probed map[string]probe
	// seen is what this process read of hosts lately: each received activity and each delivery asks.
	seen map[string]sighting

	dialects dialects
}

// probe is the last try of a host that is down, and how long the next one has to wait after it.
type probe struct {
	at   time.Time
	wait time.Duration
}

// sighting is a host as it was read, and when.
type sighting struct {
	row Host
	at  time.Time
}

// NewHosts makes the memory of other servers.
func NewHosts(config HostsConfig, d *db.DB, client *httpx.Client, log *slog.Logger, now func() time.Time) *Hosts {
	if config.Scheme == "" {
		config.Scheme = "https"
	}
	return &Hosts{
		scheme: config.Scheme, own: Normalize(config.Own), allowList: config.AllowList, db: d, http: client, log: log, now: now,
		probed: map[string]probe{}, seen: map[string]sighting{},
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

// List returns all hosts for an admin's page, those with trouble first.
func (h *Hosts) List(ctx context.Context, offset, limit int) ([]Host, error) {
	var rows []Host
	err := h.db.Read.WithContext(ctx).Order("failures DESC, host").Offset(offset).Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read hosts: %w", err)
	}
	return rows, nil
}

func (h *Hosts) read(ctx context.Context, host string) (Host, error) {
	row := Host{Host: host, State: OK}
	err := h.db.Read.WithContext(ctx).Where("host = ?", host).Take(&row).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return Host{}, fmt.Errorf("read host %s: %w", host, err)
	}
	return row, nil
}

// see reads a host through this process's memory.
func (h *Hosts) see(ctx context.Context, host string) (Host, error) {
	h.mu.Lock()
	have, ok := h.seen[host]
	h.mu.Unlock()
	if age := h.now().Sub(have.at); ok && age >= 0 && age < sightAge {
		return have.row, nil
	}
	begun := h.now()
	row, err := h.read(ctx, host)
	if err != nil {
		return Host{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seen) >= maxSeen {
		clear(h.seen)
	}
	h.seen[host] = sighting{row, begun}
	return row, nil
}

// forget has this process read a host anew, because it has changed it.
func (h *Hosts) forget(host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.seen, host)
}

// Wait tells how long a delivery to the host has to wait: not at all while it answers, and while it is down until the
// next probe. Of all deliveries that ask while a host is down, one is let through at a time, ever more rarely, at last
// every ten minutes.
func (h *Hosts) Wait(ctx context.Context, host string) (time.Duration, error) {
	host = Normalize(host)
	row, err := h.see(ctx, host)
	if err != nil || row.State != Down {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	last := h.probed[host]
	if wait := last.at.Add(last.wait).Sub(now); wait > 0 {
		return wait, nil
	}
	if len(h.probed) >= maxProbed {
		clear(h.probed)
	}
	h.probed[host] = probe{now, min(max(2*last.wait, firstProbe), lastProbe)}
	return 0, nil
}

// Reached records that the host answered, or spoke to us. Of a healthy host it costs a look into memory.
func (h *Hosts) Reached(ctx context.Context, host string) error {
	host = Normalize(host)
	row, err := h.see(ctx, host)
	if err != nil || row.State == Blocked || row.State == OK && row.Failures == 0 {
		return err
	}
	h.mu.Lock()
	delete(h.probed, host)
	h.mu.Unlock()
	defer h.forget(host)
	return h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		err := tx.Model(&Host{}).Where("host = ? AND state <> ?", host, Blocked).
			Updates(map[string]any{"state": OK, "failures": 0, "last_error": ""}).Error
		if err != nil {
			return fmt.Errorf("write host %s: %w", host, err)
		}
		return nil
	})
}

// Failed records that the host did not answer as it should.
func (h *Hosts) Failed(ctx context.Context, host string, cause error) error {
	host = Normalize(host)
	text := strings.ToValidUTF8(cause.Error(), "")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "")
	}
	defer h.forget(host)
	return h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		change := map[string]any{
			"failures": gorm.Expr("hosts.failures + 1"), "last_error": text,
			"state": gorm.Expr("CASE WHEN hosts.state = ? THEN hosts.state WHEN hosts.failures + 1 >= ? THEN ? ELSE ? END",
				Blocked, downAfter, Down, Suspect),
		}
		return h.write(tx, Host{Host: host, State: Suspect, Failures: 1, LastError: text}, change)
	})
}
