package outbox

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"antiphon/federation/discover"
)

const (
	// maxRounds bounds how often one pass looks behind deliveries that cannot be claimed, minRows how few it reads at a
	// time.
	maxRounds = 6
	minRows   = 64
)

// due reads the deliveries that can be claimed now, and the hosts that have some and are not to get them.
func (d *dispatcher) due(ctx context.Context) (found []delivery, fallen map[string]string, err error) {
	d.mu.Lock()
	free := maxClaimed - d.claimed
	suspects := d.suspects
	var full []string
	room := map[string]int{}
	for host, l := range d.lanes {
		room[host] = laneDepth - l.size()
		if room[host] <= 0 || l.alone || l.suspect && suspects >= maxSuspects {
			full = append(full, host)
		}
	}
	unwritten := map[string]bool{}
	for _, out := range d.outcomes {
		unwritten[out.delivery.Host] = true
	}
	d.mu.Unlock()
	fallen = map[string]string{}
	// What cannot be claimed now must not hide what stands behind it.
	for range maxRounds {
		if free <= len(found) {
			break
		}
		limit := max(free-len(found), minRows)
		rows, err := d.ready(ctx, full, suspects >= maxSuspects, limit)
		if err != nil {
			return nil, nil, err
		}
		hosts := hostsOf(rows)
		standings, err := d.outbox.hosts.Standings(ctx, hosts)
		if err != nil {
			return nil, nil, err
		}
		for _, row := range rows {
			host := standings[row.Host]
			if _, ok := room[row.Host]; !ok {
				room[row.Host] = laneDepth
			}
			suspect := host.State == discover.Suspect
			switch {
			case host.Paused || host.State == discover.Down || host.State == discover.Gone:
				fallen[row.Host] = host.State
				continue
			case len(found) >= free, room[row.Host] <= 0, suspect && suspects >= maxSuspects:
				continue
			case !d.outbox.late(row):
				room[row.Host]--
			case room[row.Host] == laneDepth && !unwritten[row.Host]:
				// Late ones go one after the other, each when the one before is written down, and nothing overtakes them.
				room[row.Host] = 0
			default:
				continue
			}
			if suspect {
				suspects++
			}
			found = append(found, row)
		}
		if len(rows) < limit {
			break
		}
		full = append(full, hosts...)
	}
	return found, fallen, nil
}

// ready reads deliveries that are due and not behind another one about the same thing, except those for some hosts.
func (d *dispatcher) ready(ctx context.Context, except []string, noSuspects bool, limit int) ([]delivery, error) {
	q := d.outbox.db.Read.WithContext(ctx).Table("deliveries AS d").
		Where("d.state = 'waiting' AND d.due_at <= ?", d.outbox.now().UnixMilli()).
		Where("NOT EXISTS (SELECT 1 FROM deliveries AS e WHERE e.ended_at IS NULL AND e.inbox = d.inbox AND e.subject = d.subject AND e.seq < d.seq)").
		Where("NOT EXISTS (SELECT 1 FROM outbox AS s WHERE s.spreading AND s.subject = d.subject AND s.seq < d.seq)")
	if len(except) > 0 {
		q = q.Where("d.host NOT IN ?", except)
	}
	if noSuspects {
		q = q.Where("NOT EXISTS (SELECT 1 FROM hosts AS h WHERE h.host = d.host AND h.state = 'suspect')")
	}
	var rows []delivery
	if err := q.Order("d.due_at, d.seq").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return rows, nil
}

// hostsOf are the hosts of these deliveries, each once.
func hostsOf(rows []delivery) []string {
	seen := make(map[string]bool, len(rows))
	for _, row := range rows {
		seen[row.Host] = true
	}
	return slices.Collect(maps.Keys(seen))
}

// write records what has ended and claims what is due, in one transaction, and returns what this process has got.
func (d *dispatcher) write(ctx context.Context, due []delivery) (got []delivery, err error) {
	d.mu.Lock()
	ended := d.outcomes
	d.outcomes = nil
	d.mu.Unlock()
	if len(ended) == 0 && len(due) == 0 {
		return nil, nil
	}
	o := d.outbox
	mine := map[string]bool{}
	err = o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		clear(mine)
		if err := o.record(ctx, tx, ended); err != nil || len(due) == 0 {
			return err
		}
		ids := make([]string, len(due))
		for i, row := range due {
			ids[i] = row.ID
		}
		var claimed []string
		err := tx.Raw("UPDATE deliveries SET state = 'claimed', due_at = ? WHERE id IN ? AND state = 'waiting' RETURNING id",
			o.now().Add(claim).UnixMilli(), ids).Scan(&claimed).Error
		for _, id := range claimed {
			mine[id] = true
		}
		return err
	})
	if err != nil {
		d.mu.Lock()
		d.outcomes = append(ended, d.outcomes...)
		d.mu.Unlock()
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	fallen := map[string]bool{}
	for _, e := range ended {
		if e.fallen && !fallen[e.delivery.Host] {
			fallen[e.delivery.Host] = true
			if err := d.fall(ctx, e.delivery.Host); err != nil {
				o.log.Error("cannot hold deliveries", "host", e.delivery.Host, "error", err)
			}
		}
	}
	for _, row := range due {
		if mine[row.ID] {
			got = append(got, row)
		}
	}
	return got, nil
}

// fall puts aside what else waits for a host that has just been found down.
func (d *dispatcher) fall(ctx context.Context, host string) error {
	standing, err := d.outbox.hosts.Standing(ctx, host)
	if err != nil || standing.State != discover.Down && standing.State != discover.Gone {
		return err
	}
	return d.outbox.shelve(ctx, host, standing.State)
}
