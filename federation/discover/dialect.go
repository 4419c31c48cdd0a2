package discover

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/httpsig"
)

const (
	// dialectAge is how long this process believes what it remembers of a host's dialect: another may know better.
	dialectAge = 10 * time.Minute
	// maxDialects bounds how many hosts are remembered; a full memory is emptied.
	maxDialects = 10_000
)

// dialects remembers in memory what the database says, so that it is not asked for every request.
type dialects struct {
	mu    sync.Mutex
	known map[string]heard
}

type heard struct {
	dialect httpsig.Dialect
	at      time.Time
}

// Dialect tells how to sign for a host: httpsig.RFC9421 once the host has used it itself and has not refused it since,
// httpsig.Cavage in every other case.
func (h *Hosts) Dialect(ctx context.Context, host string) (httpsig.Dialect, error) {
	d, err := h.dialect(ctx, Normalize(host))
	if err != nil || d != httpsig.RFC9421 {
		return httpsig.Cavage, err
	}
	return d, nil
}

// Heard records that a host has signed with a dialect, by which it shows that it knows it. What a host has refused stays
// refused, and a host that knows the newer one is not set back by using the older one. It costs nothing when nothing
// changes.
func (h *Hosts) Heard(ctx context.Context, host string, dialect httpsig.Dialect) error {
	host = Normalize(host)
	if dialect != httpsig.RFC9421 {
		return nil
	}
	if have, err := h.dialect(ctx, host); err != nil || have != "" {
		return err
	}
	return h.setDialect(ctx, host, dialect)
}

// Refused records that a host did not take a request signed with httpsig.RFC9421 and took the same one signed with
// httpsig.Cavage: it is the latter from now on.
func (h *Hosts) Refused(ctx context.Context, host string) error {
	return h.setDialect(ctx, Normalize(host), httpsig.Cavage)
}

func (h *Hosts) dialect(ctx context.Context, host string) (httpsig.Dialect, error) {
	h.dialects.mu.Lock()
	have, ok := h.dialects.known[host]
	h.dialects.mu.Unlock()
	if ok && h.now().Sub(have.at) < dialectAge {
		return have.dialect, nil
	}
	var found []httpsig.Dialect
	err := h.db.Read.WithContext(ctx).Model(&Host{}).Where("host = ?", host).Pluck("dialect", &found).Error
	if err != nil {
		return "", fmt.Errorf("read dialect of %s: %w", host, err)
	}
	var d httpsig.Dialect
	if len(found) > 0 {
		d = found[0]
	}
	h.rememberDialect(host, d)
	return d, nil
}

func (h *Hosts) setDialect(ctx context.Context, host string, d httpsig.Dialect) error {
	err := h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := h.write(tx, Host{Host: host}, map[string]any{"dialect": d}); err != nil {
			return err
		}
		// The row may have been written just now, without it.
		return tx.Model(&Host{}).Where("host = ?", host).Update("dialect", d).Error
	})
	if err != nil {
		return fmt.Errorf("write dialect of %s: %w", host, err)
	}
	h.rememberDialect(host, d)
	return nil
}

func (h *Hosts) rememberDialect(host string, d httpsig.Dialect) {
	h.dialects.mu.Lock()
	defer h.dialects.mu.Unlock()
	if h.dialects.known == nil || len(h.dialects.known) >= maxDialects {
		h.dialects.known = map[string]heard{}
	}
	h.dialects.known[host] = heard{d, h.now()}
}
