package outbox

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/discover"
)

const (
	// probesEvery is how often hosts are looked for whose next probe is due, choresEvery how often everything else is
	// looked after.
	probesEvery = 250 * time.Millisecond
	choresEvery = 15 * time.Second
	// takenFor and droppedFor are how long a delivery is remembered after its end: the first so that the same activity is
	// not sent twice, the second for the admin.
	takenFor   = 2 * 24 * time.Hour
	droppedFor = 30 * 24 * time.Hour
	// chunk is how many rows one transaction changes, so that none holds SQLite's one writer for long.
	chunk = 500
)

// tended is when the dispatcher last looked after things.
type tended struct{ probes, chores time.Time }

// tend looks after what no delivery brings about by itself.
func (d *dispatcher) tend(ctx context.Context) error {
	d.mu.Lock()
	returned := d.returned
	d.returned = nil
	d.mu.Unlock()
	for _, host := range returned {
		if err := d.outbox.letGo(ctx, host); err != nil {
			return err
		}
	}
	now := time.Now()
	if now.Sub(d.tended.probes) >= probesEvery {
		d.tended.probes = now
		if err := d.probe(ctx); err != nil {
			return fmt.Errorf("try hosts that are down: %w", err)
		}
	}
	if now.Sub(d.tended.chores) >= choresEvery {
		d.tended.chores = now
		if err := d.outbox.chores(ctx); err != nil {
			return fmt.Errorf("look after deliveries: %w", err)
		}
	}
	return nil
}

// probe sends the oldest delivery of each host that is down and whose turn has come.
func (d *dispatcher) probe(ctx context.Context) error {
	o := d.outbox
	var hosts []string
	err := o.db.Read.WithContext(ctx).Raw(`SELECT h.host FROM hosts AS h WHERE h.state = 'down' AND NOT h.paused AND h.probe_at <= ?
		AND EXISTS (SELECT 1 FROM deliveries AS d WHERE d.ended_at IS NULL AND d.host = h.host AND d.state = 'held')
		ORDER BY h.probe_at LIMIT 16`, o.utc()).Scan(&hosts).Error
	if err != nil {
		return err
	}
	for _, host := range hosts {
		mine, err := o.hosts.Probe(ctx, host)
		if err != nil || !mine {
			return err
		}
		var rows []delivery
		err = o.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return tx.Raw(`UPDATE deliveries SET state = 'claimed', due_at = ? WHERE state = 'held' AND id =
				(SELECT id FROM deliveries WHERE ended_at IS NULL AND host = ? AND state = 'held' ORDER BY seq LIMIT 1) RETURNING *`,
				o.now().Add(claim).UnixMilli(), host).Scan(&rows).Error
		})
		if err != nil {
			return err
		}
		letters, err := d.read(ctx, rows)
		if err != nil {
			return err
		}
		for _, row := range rows {
			d.enqueue(parcel{delivery: row, letter: letters[row.Activity], late: true, probe: true}, true)
		}
	}
	return nil
}

// shelve puts aside all that waits for a host: it is held until the host is back or, when the host is gone, given up.
func (o *Outbox) shelve(ctx context.Context, host, state string) error {
	change, which := map[string]any{"state": held}, "state = 'waiting'"
	if state == discover.Gone {
		change = map[string]any{"state": dropped, "error": "the host has not answered on more than 7 days", "ended_at": o.utc()}
		which = "state IN ('waiting', 'held')"
	}
	return o.some(ctx, "ended_at IS NULL AND host = ? AND "+which, []any{host}, change)
}

// letGo lets everything go that is held for a host, in its order.
func (o *Outbox) letGo(ctx context.Context, host string) error {
	defer o.dispatcher.soon()
	return o.some(ctx, "ended_at IS NULL AND host = ? AND state = 'held'", []any{host},
		map[string]any{"state": waiting, "due_at": o.now().UnixMilli()})
}

// some changes all deliveries that a condition holds for, which it must not do any more after the change, a few at a time.
func (o *Outbox) some(ctx context.Context, where string, args []any, change map[string]any) error {
	for {
		var n int64
		err := o.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			few := tx.Session(&gorm.Session{NewDB: true}).Model(&delivery{}).Select("id").Where(where, args...).Order("seq").Limit(chunk)
			done := tx.Model(&delivery{}).Where("id IN (?)", few).Updates(change)
			n = done.RowsAffected
			return done.Error
		})
		if err != nil {
			return fmt.Errorf("change deliveries: %w", err)
		}
		if n < chunk {
			return nil
		}
	}
}

// chores gives up what is too old, forgets what ended long ago, takes back what a killed process had claimed, and lets
// go what is held for a host that is well again: whoever learnt it may have been another process.
func (o *Outbox) chores(ctx context.Context) error {
	now := o.now()
	old := "ended_at IS NULL AND state IN ('waiting', 'held') AND created_at < ?"
	given := map[string]any{"state": dropped, "error": gorm.Expr("CASE WHEN error = '' THEN 'the host was not there for 7 days' ELSE error END"), "ended_at": o.utc()}
	if err := o.some(ctx, old, []any{o.utc().Add(-patience)}, given); err != nil {
		return err
	}
	late := map[string]any{"state": waiting, "due_at": now.UnixMilli()}
	if err := o.some(ctx, "ended_at IS NULL AND state = 'claimed' AND due_at < ?", []any{now.UnixMilli()}, late); err != nil {
		return err
	}
	var hosts []string
	err := o.db.Read.WithContext(ctx).Raw(`SELECT DISTINCT d.host FROM deliveries AS d WHERE d.ended_at IS NULL AND d.state = 'held'
		AND NOT EXISTS (SELECT 1 FROM hosts AS h WHERE h.host = d.host AND (h.paused OR h.state IN ('down', 'gone')))`).Scan(&hosts).Error
	if err != nil {
		return fmt.Errorf("read held deliveries: %w", err)
	}
	for _, host := range hosts {
		if err := o.letGo(ctx, host); err != nil {
			return err
		}
	}
	return o.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		// A job that never came to its end must not keep later activities waiting for ever.
		err := tx.Model(&sent{}).Where("spreading AND created_at < ?", o.utc().Add(-patience)).Update("spreading", false).Error
		if err != nil {
			return fmt.Errorf("write activities: %w", err)
		}
		few := tx.Session(&gorm.Session{NewDB: true}).Model(&delivery{}).Select("id").
			Where("ended_at IS NOT NULL AND (ended_at < ? OR ended_at < ? AND state = ?)", o.utc().Add(-droppedFor), o.utc().Add(-takenFor), delivered).Limit(chunk)
		if err := tx.Where("id IN (?)", few).Delete(&delivery{}).Error; err != nil {
			return fmt.Errorf("forget deliveries: %w", err)
		}
		return nil
	})
}
