package main

import (
	"context"
	"fmt"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/reporting"
	"antiphon/media/listen"
	"antiphon/payments/amount"
	"antiphon/payments/dispute"
	"antiphon/payments/ledger/contract"
	reports "antiphon/payments/report"
	"antiphon/payments/royalty"
)

// pooling is what reports need of the listening pool.
type pooling struct {
	members reports.Members
	names   reports.Pseudonyms
	// instances are the hosts of the others that take part.
	instances []string
	asset     amount.Asset
	decimals  int
}

// openReports joins what is told of the pool, where there is one.
func (h *house) openReports() error {
	if h.pooling == nil {
		return nil
	}
	scheme := "https"
	if h.config.Server.Development {
		scheme = "http"
	}
	own := h.config.host()
	h.reporting = reporting.New(reporting.Config{BaseURL: h.config.Server.BaseURL, Scheme: scheme, Nodes: h.pooling.instances}, reporting.Parts{
		DB: h.db, Jobs: h.jobs, Actors: h.actors, Outbox: h.outbox, Fetch: h.fetch, Ledger: h.ledger, Log: h.log, Now: time.Now,
	})
	made, err := reports.New(reports.Config{Node: own, Asset: h.pooling.asset, Decimals: h.pooling.decimals}, reports.Parts{
		DB: h.db, Jobs: h.jobs, Book: h.reporting.Book(), Listens: heardHere{h}, Members: h.pooling.members, Pseudonyms: h.pooling.names,
		Prove: h.reporting.Prove, Moved: h.movedTo, Blocked: h.isBlocked, Log: h.log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	disputes, err := dispute.New(dispute.Config{Node: own, Dir: h.path("evidence")}, dispute.Parts{
		Book: h.reporting.Book(), Reports: made, Fetch: h.reporting.FetchEvidence, Log: h.log, Now: time.Now,
		Head: func(ctx context.Context) (string, error) {
			_, root, err := h.ledger.Head(ctx, h.db.Read)
			return root, err
		},
	})
	if err != nil {
		return err
	}
	made.Register(h.jobs)
	disputes.Register(h.jobs)
	h.reporting.Join(made, disputes)
	h.reporting.Register(h.jobs)
	h.reporting.Receive(h.inbox)
	return nil
}

// foundReports writes into the ledger who takes part; the first time also the policy.
func (h *house) foundReports(ctx context.Context) error {
	if h.reporting == nil {
		return nil
	}
	nodes := []contract.Node{reporting.NodeOf(h.config.host(), "", "")}
	for _, host := range h.pooling.instances {
		nodes = append(nodes, reporting.NodeOf(host, "", ""))
	}
	return h.reporting.Found(ctx, contract.DefaultPolicy(royalty.MonthOf(time.Now())), nodes)
}

// heardHere gives what was heard to reports.
type heardHere struct{ house *house }

// Lines implements reports.ListenSource.
func (s heardHere) Lines(ctx context.Context, day time.Time, yield func(reports.Heard) error) error {
	return s.house.listens.Lines(ctx, day, func(l listen.Line) error {
		h := reports.Heard{
			Listener: l.Listener, Track: l.Track, Plays: l.Plays, Seconds: l.Seconds, Dropped: l.Dropped, Artists: []royalty.Share{{Artist: l.Artist, Points: 10_000}},
		}
		if len(l.Artists) > 0 {
			h.Artists = nil
			for _, c := range l.Artists {
				h.Artists = append(h.Artists, royalty.Share{Artist: c.Artist, Points: c.Share})
			}
		}
		return yield(h)
	})
}

// movedTo is where an artist has moved to, one step, as both say; the artist otherwise.
func (h *house) movedTo(ctx context.Context, artist string) (string, error) {
	who, err := h.actors.Find(ctx, artist, false)
	if err != nil || who.MovedTo == "" {
		return artist, nil // whose server is silent has not moved
	}
	to, err := h.actors.Find(ctx, who.MovedTo, false)
	if err != nil {
		return artist, nil
	}
	for _, alias := range to.AlsoKnownAs {
		if alias == artist {
			return to.URI, nil
		}
	}
	return artist, nil
}

// isBlocked says that nothing is sent to an artist's instance.
func (h *house) isBlocked(ctx context.Context, artist string) (bool, error) {
	blocked, err := h.hosts.IsBlocked(ctx, actor.HostOf(artist))
	if err != nil {
		return false, fmt.Errorf("host of %s: %w", artist, err)
	}
	return blocked, nil
}
