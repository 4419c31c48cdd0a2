package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/reporting"
	"antiphon/payments/anomaly"
	"antiphon/payments/dispute"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
	reports "antiphon/payments/report"
	"antiphon/payments/royalty"
)

// poolMembers are those who have paid, as reports ask for them.
type poolMembers struct{ pool *pool.Service }

// Members implements reports.Members.
func (p poolMembers) Members(ctx context.Context, month royalty.Month, yield func(listener string) error) error {
	return p.pool.Members(ctx, month, func(m pool.Member) error { return yield(m.Listener) })
}

// openReports joins what is told of the pool, where there is one.
func (h *house) openReports() error {
	if h.pool == nil {
		return nil
	}
	scheme := "https"
	if h.config.Server.Development {
		scheme = "http"
	}
	own := h.config.host()
	h.reporting = reporting.New(reporting.Config{BaseURL: h.config.Server.BaseURL, Scheme: scheme, Nodes: h.config.Pool.Instances}, reporting.Parts{
		DB: h.db, Jobs: h.jobs, Actors: h.actors, Outbox: h.outbox, Fetch: h.fetch, Ledger: h.ledger, Log: h.log, Now: time.Now,
	})
	price, decimals := h.pool.Price()
	made, err := reports.New(reports.Config{Node: own, Asset: price.Asset, Decimals: decimals}, reports.Parts{
		DB: h.db, Jobs: h.jobs, Book: h.forward.Book(), Listens: reporting.Heard(h.listens), Members: poolMembers{h.pool}, Pseudonyms: h.pseudonyms,
		Suspect: reporting.Suspects{Listens: h.listens, Members: poolMembers{h.pool}, Policies: h.policyFor, Facts: h.facts}.Suspect,
		Prove:   h.reporting.Prove, Moved: h.movedTo, Blocked: h.isBlocked, Log: h.log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	disputes, err := dispute.New(dispute.Config{Node: own, Dir: h.path("evidence")}, dispute.Parts{
		Book: h.forward.Book(), Reports: made, Fetch: h.reporting.FetchEvidence, Log: h.log, Now: time.Now,
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

// facts are what is known here of who has paid with what, and of where artists' money goes.
func (h *house) facts(ctx context.Context, month royalty.Month, listeners, artists []string) (anomaly.Facts, error) {
	out := anomaly.Facts{Payout: map[string]string{}, Owned: map[string]bool{}}
	var err error
	if out.Paid, err = h.pool.Instruments(ctx, month, listeners); err != nil {
		return out, err
	}
	for _, artist := range artists {
		_, address, err := h.reporting.Reports.AddressOf(ctx, artist)
		if err != nil {
			return out, err
		}
		out.Payout[artist] = strings.ToLower(address)
	}
	admins, err := h.accounts.Admins(ctx)
	for _, actor := range admins {
		out.Owned[actor] = true
	}
	return out, err
}

// foundReports writes into the ledger who takes part; the first time also the policy.
func (h *house) foundReports(ctx context.Context) error {
	if h.reporting == nil {
		return nil
	}
	// As the pool introduces itself: who runs an instance is named by its address.
	scheme, _, _ := strings.Cut(h.config.Server.BaseURL, "://")
	var nodes []contract.Node
	for _, host := range append([]string{h.config.host()}, h.config.Pool.Instances...) {
		nodes = append(nodes, reporting.NodeOf(host, "", scheme+"://"+host))
	}
	return h.reporting.Found(ctx, contract.DefaultPolicy(royalty.MonthOf(time.Now())), nodes)
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
