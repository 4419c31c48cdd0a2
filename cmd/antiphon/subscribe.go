package main

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/fetch"
	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/payments/subscription"
	"antiphon/vocab"
)

// restockEvery is the pause between two looks for tracks that subscribers are to have.
const restockEvery = 30 * time.Second

// restock brings new tracks to subscribers until ctx ends.
func (h *house) restock(ctx context.Context) {
	for {
		if err := h.access.Restock(ctx, int(subscription.PeriodOf(time.Now()))); err != nil && ctx.Err() == nil {
			h.log.Error("tiers not restocked", "error", err)
		}
		if h.pool != nil {
			if err := h.trade.RestockPool(ctx); err != nil && ctx.Err() == nil {
				h.log.Error("pool not restocked", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(restockEvery):
		}
	}
}

// listenerKeys are the public keys that a listener's next month is granted to; a guest's are kept here.
func (h *house) listenerKeys(ctx context.Context, listener string) (receiving, requesting string, err error) {
	if !h.actors.Own(listener) {
		keys, err := h.accounts.KeysOfGuest(ctx, listener)
		return keys.ReceivingKey, keys.RequestingKey, err
	}
	who, err := h.actors.Local(ctx, listener)
	return who.ReceivingKey, who.RequestingKey, err
}

// remind tells a member that a subscription ends, inside tx.
func remind(ctx context.Context, tx *gorm.DB, s subscription.Held, days int, words string) error {
	return moderation.Tell(ctx, tx, s.Listener, moderation.TidingSubscription, s.Name, s.Reminder(days, words), time.Now())
}

// remindWords is the message to a guest whose subscription ends.
func (h *house) remindWords(s subscription.Held, days int, words string) string {
	page := h.config.Server.BaseURL + "/subscribe?tier=" + url.QueryEscape(s.Tier)
	return fmt.Sprintf(`<p>Your subscription “%s”: %s</p><p><a href="%s">%s</a></p>`,
		html.EscapeString(s.Name), html.EscapeString(s.Reminder(days, words)), html.EscapeString(page), html.EscapeString(page))
}

// tierLinks are the links of an artist's actor to the tiers that take subscribers.
func (h *house) tierLinks(ctx context.Context, artist string) ([]vocab.PaymentLink, error) {
	tiers, err := h.access.TiersOf(ctx, artist)
	if err != nil {
		return nil, err
	}
	var links []vocab.PaymentLink
	for _, t := range tiers {
		if t.Open {
			links = append(links, vocab.PaymentLink{Name: t.Name, Proposal: outbox.ProposalURI(t.URI)})
		}
	}
	return links, nil
}

// sellers asks other servers what they sell.
type sellers struct{ fetch *fetch.Fetcher }

// maxRemoteTiers bounds how many tiers of one artist are asked for.
const maxRemoteTiers = 20

// Proposal implements [web.Sellers].
func (s sellers) Proposal(ctx context.Context, product string) (vocab.Proposal, error) {
	return s.proposal(ctx, outbox.ProposalURI(product))
}

func (s sellers) proposal(ctx context.Context, uri string) (vocab.Proposal, error) {
	document, err := s.fetch.Get(ctx, uri)
	if err != nil {
		return vocab.Proposal{}, err
	}
	x, err := vocab.ReadProposal(document.Raw)
	if err == nil && x.ID != uri {
		err = fmt.Errorf("%s answers for %s", x.ID, uri)
	}
	return x, err
}

// Tiers implements [web.Sellers].
func (s sellers) Tiers(ctx context.Context, artist string) ([]vocab.Proposal, error) {
	document, err := s.fetch.Get(ctx, artist)
	if err != nil {
		return nil, err
	}
	a, err := vocab.ReadActor(document.Raw)
	if err != nil {
		return nil, err
	}
	var tiers []vocab.Proposal
	for _, link := range a.Payments[:min(len(a.Payments), maxRemoteTiers)] {
		x, err := s.proposal(ctx, link.Proposal)
		if err != nil || !x.Monthly || x.AttributedTo != artist {
			continue // a link to something else
		}
		tiers = append(tiers, x)
	}
	return tiers, nil
}
