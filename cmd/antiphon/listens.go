package main

import (
	"context"
	"errors"

	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/listen"
	"antiphon/payments"
	"antiphon/payments/anomaly"
)

// members have their plays recorded; guests, who have no page to look at them or to remove them, do not.
type members struct{ house *house }

// Ticket implements [play.Listens].
func (m members) Ticket(ctx context.Context, listener, artist, track string, seconds int64) (string, error) {
	if !m.house.actors.Own(listener) {
		return "", nil
	}
	return m.house.listens.Ticket(ctx, listener, artist, track, seconds)
}

// pooled reports whether a track is in the listening pool, by what its artist says.
func (h *house) pooled(ctx context.Context, uri string) (bool, error) {
	if h.actors.Own(uri) {
		t, err := media.ByURI(ctx, h.db.Read, uri)
		if errors.Is(err, media.ErrNotFound) {
			return false, nil
		}
		return t.Pooled, err
	}
	t, err := (&remoteTracks{house: h}).Track(ctx, uri, false)
	if err != nil {
		// Nothing is known of it, so nothing is known of a wish to be in the pool.
		return false, nil
	}
	return t.Pooled, nil
}

// credits are the artists of a track of this instance that share what it earns. What others share is theirs to divide.
func (h *house) credits(ctx context.Context, uri string) ([]listen.Credit, error) {
	if !h.actors.Own(uri) {
		return nil, nil
	}
	product, err := h.access.ProductOf(ctx, uri)
	if errors.Is(err, access.ErrUnknownProduct) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	splits, err := payments.SplitsOf(ctx, h.db.Read, product.URI)
	if err != nil {
		return nil, err
	}
	var out []listen.Credit
	for _, part := range splits {
		out = append(out, listen.Credit{Artist: part.Payee, Share: int64(part.BasisPoints)})
	}
	return out, nil
}

// judge lets the rules of payments say which plays do not count.
type judge struct{ policy anomaly.Policy }

// Listener implements [listen.Judge].
func (j judge) Listener(plays []listen.Play) ([]listen.Mark, error) {
	typed := make([]anomaly.Play, len(plays))
	for i, p := range plays {
		typed[i] = anomaly.Play{
			Listener: p.Listener, Artist: p.Artist, Track: p.Track, Start: p.Start, Seconds: p.Seconds, Length: p.Length, Session: p.Session,
			Network: p.Network, Agent: p.Agent,
		}
	}
	verdicts, err := anomaly.JudgeListener(j.policy, typed)
	if err != nil {
		return nil, err
	}
	marks := make([]listen.Mark, len(verdicts))
	for i, v := range verdicts {
		marks[i] = listen.Mark{State: string(v.State), Rule: string(v.Rule), Pays: j.policy.Pays(v), Policy: v.Policy, Evidence: v.Evidence[:]}
	}
	return marks, nil
}

// Outlier implements [listen.Judge].
func (j judge) Outlier(daily []int64) (listen.Mark, bool) {
	v, held := anomaly.JudgeDay(j.policy, daily)
	return listen.Mark{State: string(v.State), Rule: string(v.Rule), Pays: j.policy.Pays(v), Policy: v.Policy, Evidence: v.Evidence[:]}, held
}

// Many implements [listen.Judge].
func (j judge) Many() int64 { return j.policy.OutlierPlays }

// Days implements [listen.Judge].
func (j judge) Days() int { return int(j.policy.OutlierDays) }
