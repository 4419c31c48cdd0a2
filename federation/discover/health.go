package discover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/db"
)

// The states of a host. Deliveries to one that is Down are held, and one at a time is tried; for one that is Gone
// nothing is kept until it speaks to us.
const (
	OK      = "ok"
	Suspect = "suspect"
	Down    = "down"
	Gone    = "gone"
)

const (
	// downAfter is how many failures in a row make a host Down.
	downAfter = 10
	// goneAfter is on how many days a host can fail, with no success between them, before it is Gone.
	goneAfter = 7
	// The pauses between the probes of a host that is Down are a quarter of the time for which it has been down, within
	// these bounds: it may only have been restarted, and somebody may be waiting.
	firstProbe = 30 * time.Second
	lastProbe  = time.Hour
	// maxError bounds what is kept of an error.
	maxError = 300
)

// Standing tells how a host is for the sake of deliveries. For a host that was asked about lately it costs a look into
// memory; what another process has learnt is seen within seconds.
func (h *Hosts) Standing(ctx context.Context, host string) (Host, error) {
	return h.see(ctx, Normalize(host))
}

// Standings is Standing of many hosts, by the names they are asked by. Those that this process does not remember are read
// in one query.
func (h *Hosts) Standings(ctx context.Context, hosts []string) (map[string]Host, error) {
	out := make(map[string]Host, len(hosts))
	names := map[string][]string{}
	for _, host := range hosts {
		name := Normalize(host)
		if row, ok := h.recall(name); ok {
			out[host] = row
		} else if len(names[name]) == 0 || !slices.Contains(names[name], host) {
			names[name] = append(names[name], host)
		}
	}
	if len(names) == 0 {
		return out, nil
	}
	changes := h.changes()
	var rows []Host
	if err := h.db.Read.WithContext(ctx).Where("host IN ?", slices.Collect(maps.Keys(names))).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read hosts: %w", err)
	}
	found := make(map[string]Host, len(rows))
	for _, row := range rows {
		found[row.Host] = row
	}
	for name, asked := range names {
		row, ok := found[name]
		if !ok {
			row = Host{Host: name, State: OK}
		}
		h.keep(row, changes)
		for _, host := range asked {
			out[host] = row
		}
	}
	return out, nil
}

// Back has f called whenever this process sees that a host which had failed is well, after that was stored. It is set
// once, before deliveries begin, and must not wait.
func (h *Hosts) Back(f func(host string)) { h.back = f }

// Reached records that the host answered, or spoke to us. Of a healthy host it costs a look into memory.
func (h *Hosts) Reached(ctx context.Context, host string) error {
	host = Normalize(host)
	row, err := h.see(ctx, host)
	if err != nil || row.State == OK && row.Failures == 0 {
		return err
	}
	return h.restore(ctx, host)
}

// restore makes a host a healthy one.
func (h *Hosts) restore(ctx context.Context, host string) error {
	err := h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&Host{}).Where("host = ?", host).Updates(map[string]any{
			"state": OK, "failures": 0, "failed_days": 0, "failed_on": "", "last_error": "", "down_since": nil, "probe_at": nil,
		}).Error
	})
	h.forget(host)
	if err != nil {
		return fmt.Errorf("write host %s: %w", host, err)
	}
	if h.back != nil {
		h.back(host)
	}
	return nil
}

// Failed records that the host did not answer as it should, and returns its state after that.
func (h *Hosts) Failed(ctx context.Context, host string, cause error) (string, error) {
	host = Normalize(host)
	text := strings.ToValidUTF8(cause.Error(), "")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "")
	}
	var row Host
	err := h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&Host{Host: host, State: OK}).Error
		if err != nil {
			return err
		}
		if err := db.Locked(tx).Where("host = ?", host).Take(&row).Error; err != nil {
			return err
		}
		row.fail(h.now().UTC().Truncate(time.Second), text)
		return tx.Model(&Host{}).Where("host = ?", host).Updates(map[string]any{
			"state": row.State, "failures": row.Failures, "failed_days": row.FailedDays, "failed_on": row.FailedOn,
			"last_error": row.LastError, "down_since": row.DownSince, "probe_at": row.ProbeAt,
		}).Error
	})
	h.forget(host)
	if err != nil {
		return "", fmt.Errorf("write host %s: %w", host, err)
	}
	return row.State, nil
}

// fail changes a host as one more failure does.
func (r *Host) fail(now time.Time, text string) {
	r.Failures++
	r.LastError = text
	if today := now.Format(time.DateOnly); r.FailedOn != today {
		r.FailedOn = today
		r.FailedDays++
	}
	switch {
	case r.State == Gone:
		return
	case r.FailedDays > goneAfter:
		r.State, r.ProbeAt = Gone, nil
		return
	case r.State == Down:
	case r.Failures >= downAfter:
		r.State, r.DownSince = Down, &now
	default:
		r.State = Suspect
		return
	}
	if at := r.nextProbe(now); r.ProbeAt == nil || r.ProbeAt.Before(at) {
		r.ProbeAt = &at
	}
}

// nextProbe is when a host that is down, and was tried now, is tried again.
func (r *Host) nextProbe(now time.Time) time.Time {
	down := time.Duration(0)
	if r.DownSince != nil {
		down = now.Sub(*r.DownSince)
	}
	return now.Add(min(max(down/4, firstProbe), lastProbe).Truncate(time.Second))
}

// Probe takes the turn to try a host that is down, and reports whether there is one to take: of all processes one gets
// it, and the next turn comes later.
func (h *Hosts) Probe(ctx context.Context, host string) (bool, error) {
	host = Normalize(host)
	now := h.now().UTC().Truncate(time.Second)
	taken := false
	err := h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var row Host
		err := db.Locked(tx).
			Where("host = ? AND state = ? AND NOT paused AND probe_at IS NOT NULL", host, Down).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && row.ProbeAt.After(now) {
			return nil
		}
		if err != nil {
			return err
		}
		taken = true
		return tx.Model(&Host{}).Where("host = ?", host).Update("probe_at", row.nextProbe(now)).Error
	})
	if err != nil {
		return false, fmt.Errorf("take the turn to try %s: %w", host, err)
	}
	return taken, nil
}

// Retry has a host tried again at once that is Down or Gone, as an admin wishes.
func (h *Hosts) Retry(ctx context.Context, host string) error {
	host = Normalize(host)
	now := h.now().UTC().Truncate(time.Second)
	err := h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&Host{}).Where("host = ? AND state IN ?", host, []string{Down, Gone}).Updates(map[string]any{
			"state": Down, "failed_days": 0, "failed_on": "", "down_since": now, "probe_at": now,
		}).Error
	})
	h.forget(host)
	if err != nil {
		return fmt.Errorf("try host %s again: %w", host, err)
	}
	return nil
}

// Pause keeps deliveries to a host back until an admin resumes it, or with paused false ends that.
func (h *Hosts) Pause(ctx context.Context, host string, paused bool) error {
	host = Normalize(host)
	err := h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return h.write(tx, Host{Host: host, Paused: paused}, map[string]any{"paused": paused})
	})
	h.forget(host)
	if err != nil {
		return fmt.Errorf("pause host %s: %w", host, err)
	}
	return nil
}

// GoneHosts returns those of the hosts for which nothing is kept.
func GoneHosts(ctx context.Context, tx *gorm.DB, hosts []string) (map[string]bool, error) {
	var gone []string
	err := tx.WithContext(ctx).Model(&Host{}).Where("host IN ? AND state = ?", hosts, Gone).Pluck("host", &gone).Error
	if err != nil {
		return nil, fmt.Errorf("read hosts: %w", err)
	}
	out := make(map[string]bool, len(gone))
	for _, host := range gone {
		out[host] = true
	}
	return out, nil
}
