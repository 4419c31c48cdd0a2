package discover

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// silence is how long a host that told nothing of itself is not asked again.
const silence = time.Hour

// Speaks reports whether a host reads our vocabulary, by its NodeInfo. What it said is believed for a week; a host that
// is blocked, or does not answer, speaks nothing. It asks the host when need be, so it must not be called inside a
// transaction.
func (h *Hosts) Speaks(ctx context.Context, host string) (bool, error) {
	host = Normalize(host)
	if blocked, err := h.IsBlocked(ctx, host); err != nil || blocked {
		return false, err
	}
	row, err := h.read(ctx, host)
	if err != nil {
		return false, err
	}
	if row.CheckedAt != nil {
		age, believed := h.now().Sub(*row.CheckedAt), known
		if row.Software == "" {
			believed = silence
		}
		if age < believed {
			return row.Music, nil
		}
	}
	info, asked := h.ask(ctx, host)
	if asked != nil {
		h.log.Debug("host tells nothing of itself", "host", host, "error", asked)
		if ctx.Err() != nil {
			return row.Music, ctx.Err()
		}
	} else {
		row.Music, row.Software = info.SpeaksMusic(), info.Software+" "+info.SoftwareVersion
	}
	now := h.now().UTC().Truncate(time.Second)
	row.CheckedAt = &now
	err = h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return h.write(tx, row, map[string]any{"music": row.Music, "software": row.Software, "checked_at": now})
	})
	return row.Music, err
}

// ask reads the NodeInfo of a host: the links, then the document, on the same host.
func (h *Hosts) ask(ctx context.Context, host string) (vocab.NodeInfo, error) {
	base := h.scheme + "://" + host
	raw, err := h.get(ctx, base+"/.well-known/nodeinfo")
	if err != nil {
		return vocab.NodeInfo{}, err
	}
	href, _, err := vocab.ReadNodeInfoLinks(raw)
	if err != nil {
		return vocab.NodeInfo{}, err
	}
	if !vocab.SameOrigin(href, base) {
		return vocab.NodeInfo{}, fmt.Errorf("NodeInfo of %s lies at %.200s", host, href)
	}
	if raw, err = h.get(ctx, href); err != nil {
		return vocab.NodeInfo{}, err
	}
	return vocab.ReadNodeInfo(raw)
}

func (h *Hosts) get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	req.Header.Set("Accept", "application/json")
	answer, err := h.http.Do(ctx, req, jsonld.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("ask %s: status %d", url, answer.Status)
	}
	return answer.Body, nil
}

// Speakers returns those of the hosts that read our vocabulary. It asks those that it does not know, a few at a time and
// for half a minute at most; who does not answer in that time counts as not reading it.
func (h *Hosts) Speakers(ctx context.Context, hosts []string) (map[string]bool, error) {
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	out := map[string]bool{}
	var group errgroup.Group
	group.SetLimit(8)
	for _, host := range hosts {
		group.Go(func() error {
			speaks, err := h.Speaks(limited, host)
			if err != nil && limited.Err() == nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if speaks {
				out[host] = true
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, ctx.Err()
}
