package outbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"antiphon/federation/discover"
)

// Peer is another server with what waits for it.
type Peer struct {
	discover.Host `gorm:"embedded"`
	// Waiting counts the deliveries that are kept for it, Dropped those that were given up within a month.
	Waiting, Dropped int64
	// First is when the oldest that waits was sent, in nanoseconds since 1970; 0 when none does.
	First int64
	// Trouble is what went wrong last with one that waits.
	Trouble string
}

// Oldest is when the oldest delivery that waits was sent; zero when none does.
func (p Peer) Oldest() time.Time {
	if p.First == 0 {
		return time.Time{}
	}
	return time.Unix(0, p.First).UTC()
}

// Words says what went wrong last, as it was noted; empty when nothing did.
func (p Peer) Words() string {
	if p.LastError != "" {
		return p.LastError
	}
	return p.Trouble
}

// Peers returns the servers whose name contains a text, those with trouble first, then those for which something waits,
// and how many there are.
func (o *Outbox) Peers(ctx context.Context, text string, offset, limit int) (peers []Peer, total int64, err error) {
	all := `(SELECT host FROM hosts UNION SELECT host FROM deliveries WHERE ended_at IS NULL) AS x WHERE x.host LIKE ? ESCAPE '!'`
	like := "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(strings.TrimSpace(text))) + "%"
	read := o.db.Read.WithContext(ctx)
	if err := read.Raw("SELECT COUNT(*) FROM "+all, like).Scan(&total).Error; err != nil {
		return nil, 0, fmt.Errorf("count hosts: %w", err)
	}
	err = read.Raw(`SELECT y.host, COALESCE(h.music, FALSE) AS music, COALESCE(h.software, '') AS software, COALESCE(h.state, 'ok') AS state,
		COALESCE(h.failures, 0) AS failures, COALESCE(h.failed_days, 0) AS failed_days, COALESCE(h.paused, FALSE) AS paused,
		COALESCE(h.last_error, '') AS last_error, COALESCE(h.dialect, '') AS dialect, h.down_since, h.probe_at, h.checked_at,
		(SELECT COUNT(*) FROM deliveries AS d WHERE d.ended_at IS NULL AND d.host = y.host) AS waiting,
		COALESCE((SELECT MIN(d.seq) FROM deliveries AS d WHERE d.ended_at IS NULL AND d.host = y.host), 0) AS first,
		COALESCE((SELECT d.error FROM deliveries AS d WHERE d.ended_at IS NULL AND d.host = y.host AND d.error <> '' ORDER BY d.seq DESC LIMIT 1), '') AS trouble
		FROM (SELECT x.host FROM `+all+`) AS y LEFT JOIN hosts AS h ON h.host = y.host
		ORDER BY CASE WHEN h.state IN ('gone', 'down') OR h.paused THEN 0 WHEN h.state = 'suspect' THEN 1 ELSE 2 END, waiting DESC, y.host
		LIMIT ? OFFSET ?`, like, limit, offset).Scan(&peers).Error
	if err != nil {
		return nil, 0, fmt.Errorf("read hosts: %w", err)
	}
	return peers, total, o.countDropped(ctx, peers)
}

func (o *Outbox) countDropped(ctx context.Context, peers []Peer) error {
	hosts := make([]string, len(peers))
	for i, p := range peers {
		hosts[i] = p.Host.Host
	}
	var counts []struct {
		Host    string
		Dropped int64
	}
	err := o.db.Read.WithContext(ctx).Table("deliveries").Select("host, COUNT(*) AS dropped").
		Where("ended_at IS NOT NULL AND state = ? AND host IN ?", dropped, hosts).Group("host").Scan(&counts).Error
	if err != nil {
		return fmt.Errorf("count deliveries given up: %w", err)
	}
	byHost := map[string]int64{}
	for _, c := range counts {
		byHost[c.Host] = c.Dropped
	}
	for i := range peers {
		peers[i].Dropped = byHost[hosts[i]]
	}
	return nil
}

// RetryNow has what waits for a host tried at once. A host that is down gets one delivery first, and everything when it
// has taken that.
func (o *Outbox) RetryNow(ctx context.Context, host string) error {
	host = discover.Normalize(host)
	if err := o.hosts.Retry(ctx, host); err != nil {
		return err
	}
	defer o.dispatcher.soon()
	return o.some(ctx, "ended_at IS NULL AND host = ? AND state = 'waiting' AND due_at > ?", []any{host, o.now().UnixMilli()},
		map[string]any{"due_at": o.now().UnixMilli()})
}

// Pause keeps what is for a host back, or with paused false lets it go again.
func (o *Outbox) Pause(ctx context.Context, host string, paused bool) error {
	host = discover.Normalize(host)
	if err := o.hosts.Pause(ctx, host, paused); err != nil || paused {
		return err
	}
	standing, err := o.hosts.Standing(ctx, host)
	if err != nil || standing.State == discover.Down || standing.State == discover.Gone {
		return err
	}
	return o.letGo(ctx, host)
}
