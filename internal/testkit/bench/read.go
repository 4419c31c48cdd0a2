package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/httpsig"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

const (
	// few and many are how many activities and posts are stored for the comparison.
	fewStored, manyStored = 1_000, 1_000_000
	// chunk is how many are stored in one transaction.
	chunk = 50_000
	// looks is how many pages are read for one figure.
	looks = 200
	// prolific is how many of the followed actors post; as many post whom nobody follows.
	prolific = 8
)

// read measures how fast a running `antiphon serve` answers signed requests for an actor, a track and a page of an
// outbox, and what a page of a timeline and of an outbox costs, that nobody has read before, when a thousand and when a
// million activities are stored. The clients and the server share the machine's cores.
func (b *bench) read(ctx context.Context) (err error) {
	w, err := b.newWorld(ctx, filepath.Join(b.dir, "read"), "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.seedTrack(ctx); err != nil {
		return err
	}
	if err := w.seed(ctx, 0, fewStored); err != nil {
		return err
	}
	for _, one := range []struct {
		name, path string
		floor      float64
	}{
		{"actor", "/users/lin", 10_000}, {"track", "/tracks/bench", 10_000}, {"outbox", "/users/lin/outbox?page=true", 3_000},
	} {
		requests, err := w.signed(one.path, "")
		if err != nil {
			return err
		}
		before := w.used()
		v, err := fireFor(ctx, w.host, requests, manyClients, b.length, "200")
		if err != nil {
			return err
		}
		if err := b.report("read/"+one.name+"-rate", v.rate(), "/s", atLeast(one.floor)); err != nil {
			return err
		}
		if err := b.report("read/"+one.name+"-cpu", perCall(w.used()-before, v.sent), "us", noFloor); err != nil {
			return err
		}
		if err := w.unchanged(ctx, one.path); err != nil {
			return err
		}
	}
	return b.growth(ctx, w)
}

// growth compares what pages cost with few and with many rows.
func (b *bench) growth(ctx context.Context, w *world) error {
	timelineFew, pageFew, err := w.look(ctx, fewStored)
	if err != nil {
		return err
	}
	for from := fewStored; from < manyStored; from += chunk {
		if err := w.seed(ctx, from, min(from+chunk, manyStored)); err != nil {
			return err
		}
		// A busy instance does this by itself, a little at a time.
		if err := w.db.Write.WithContext(ctx).Exec("PRAGMA wal_checkpoint(PASSIVE)").Error; err != nil {
			return err
		}
	}
	timelineMany, pageMany, err := w.look(ctx, manyStored)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name      string
		few, many float64
	}{{"timeline", timelineFew, timelineMany}, {"page", pageFew, pageMany}} {
		if err := b.report("read/"+f.name+"-few", f.few, "ms", noFloor); err != nil {
			return err
		}
		if err := b.report("read/"+f.name+"-growth", f.many/f.few, "x", atMost(1.5)); err != nil {
			return err
		}
	}
	return nil
}

// seedTrack stores the document of a track of usual size.
func (w *world) seedTrack(ctx context.Context) error {
	uri := w.base + "/tracks/bench"
	raw := []byte(`{"@context":["https://www.w3.org/ns/activitystreams"],"id":"` + uri + `","type":["AudioTrack","Audio"],"content":"` + string(bytes.Repeat([]byte("steam "), 500)) + `"}`)
	now := time.Now().UTC().Truncate(time.Second)
	return w.db.Write.WithContext(ctx).Exec(`INSERT INTO objects (uri, kind, owner, local, audience, raw, created_at, updated_at)
		VALUES (?, 'AudioTrack', ?, TRUE, 'public', ?, ?, ?)`, uri, w.listener, raw, now, now).Error
}

// seed stores activities of the listener, and posts of actors, half of whom the listener follows, up to a number. Each
// has a second of its own.
func (w *world) seed(ctx context.Context, from, to int) error {
	const numbers = "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) "
	const when = "strftime('%Y-%m-%d %H:%M:%S+00:00', 1700000000 + i, 'unixepoch')"
	return w.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		raw := `{"@context":"https://www.w3.org/ns/activitystreams","type":"Create","actor":"` + w.listener + `","to":["` + vocab.Public + `"],"published":"2026-11-20T10:00:00Z",` +
			`"object":{"type":"Note","content":"<p>The boiler sings again, and again, and once more before the night is over.</p>","attributedTo":"` + w.listener + `","id":"` + w.base + `/notes/`
		err := tx.Exec(numbers+`INSERT INTO outbox (uri, actor, public, raw, created_at) SELECT ? || i, ?, TRUE, CAST(? || i || '"},"id":"' || ? || i || '"}' AS BLOB), `+when+` FROM n`,
			from, to, w.base+"/creates/", w.listener, raw, w.base+"/creates/").Error
		if err != nil {
			return fmt.Errorf("seed outbox: %w", err)
		}
		err = tx.Exec(numbers+`INSERT INTO posts (uri, actor, content, url, published_at, created_at)
			SELECT ? || i, ? || (? + i % ?), '<p>The boiler sings again.</p>', '', `+when+`, `+when+` FROM n`,
			from, to, w.peer.URL+"/seeded/", w.peer.URL+"/users/p", authors-prolific, 2*prolific).Error
		if err != nil {
			return fmt.Errorf("seed posts: %w", err)
		}
		return tx.Exec("INSERT INTO tallies (actor, sent) VALUES (?, ?) ON CONFLICT (actor) DO UPDATE SET sent = excluded.sent", w.listener, to).Error
	})
}

// signed are requests for a path, signed by the authors; etag, if any, is what the asker has.
func (w *world) signed(path, etag string) ([][]byte, error) {
	out := make([][]byte, views)
	for i := range out {
		req, err := http.NewRequest(http.MethodGet, w.base+path, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", vocab.ActivityType)
		if etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		if err := httpsig.Sign(req, nil, w.author(i)+"#main-key", w.key, time.Now()); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := req.Write(&b); err != nil {
			return nil, err
		}
		out[i] = b.Bytes()
	}
	return out, nil
}

// unchanged asks for a document that the asker has.
func (w *world) unchanged(ctx context.Context, path string) error {
	etag, err := w.get(ctx, path, "", http.StatusOK)
	if err != nil {
		return err
	}
	_, err = w.get(ctx, path, etag, http.StatusNotModified)
	return err
}

func (w *world) get(ctx context.Context, path, etag string, want int) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", vocab.ActivityType)
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return "", err
	}
	if err := resp.Body.Close(); err != nil {
		return "", err
	}
	if resp.StatusCode != want {
		return "", fmt.Errorf("%s answered %d and not %d", path, resp.StatusCode, want)
	}
	return resp.Header.Get("Etag"), nil
}

// look is the median time, in milliseconds, of a page of the listener's timeline, from the database, and of a page of the
// outbox, over HTTP: each from another position, spread over all that is stored.
func (w *world) look(ctx context.Context, stored int) (timeline, page float64, err error) {
	var timelines, pages []float64
	for n := range looks {
		i := stored - 1 - n*(stored/looks/2)
		after := outbox.Position{At: time.Unix(1_700_000_000+int64(i), 0).UTC()}
		took, err := wall(func() error {
			after.URI = w.peer.URL + "/seeded/"
			posts, err := outbox.Timeline(ctx, w.db.Read, w.listener, after, 8)
			if err == nil && len(posts) != 8 {
				err = fmt.Errorf("a page of the timeline has %d posts", len(posts))
			}
			return err
		})
		if err != nil {
			return 0, 0, err
		}
		timelines = append(timelines, took.Seconds()*1000)
		took, err = wall(func() error {
			after.URI = w.base + "/creates/"
			_, err := w.get(ctx, "/users/lin/outbox?page=true&after="+after.String(), "", http.StatusOK)
			return err
		})
		if err != nil {
			return 0, 0, err
		}
		pages = append(pages, took.Seconds()*1000)
	}
	return median(timelines), median(pages), nil
}
