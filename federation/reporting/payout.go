package reporting

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/inbox"
	"antiphon/payments/amount"
	"antiphon/vocab"
)

// Instruct lets a local artist say where to be paid: signed by the artist, kept here, and sent to every node that takes
// part.
func (s *Service) Instruct(ctx context.Context, artist, asset, address string) error {
	if _, err := amount.ParseAsset(asset); err != nil {
		return err
	}
	p := vocab.PayoutInstruction{ID: fmt.Sprintf("%s/payout/%d", artist, s.Now().UnixMilli()), AttributedTo: artist, Asset: asset, Address: address, Published: s.Now()}
	raw, err := s.sign(ctx, artist, p.Object())
	if err != nil {
		return err
	}
	if _, err := vocab.ReadPayoutInstruction(raw); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.Reports.SetAddress(ctx, tx, artist, asset, address, raw); err != nil {
			return err
		}
		var to []string
		for _, host := range s.config.Nodes {
			to = append(to, s.instance(host))
		}
		if len(to) == 0 {
			return nil
		}
		return s.Outbox.Tell(ctx, tx, vocab.Activity{
			ID: p.ID + "/create", Type: vocab.VerbCreate, Actor: artist, Object: vocab.Ref{ID: p.ID, Raw: raw}, To: to,
		})
	})
}

// instructed keeps where an artist of a node that takes part wants to be paid.
func (s *Service) instructed(ctx context.Context, in inbox.Incoming) error {
	host := actor.HostOf(in.Actor.URI)
	if _, known, err := s.nodeOf(ctx, s.instance(host)); err != nil {
		return err
	} else if !known {
		return inbox.Refuse("%s does not take part in the pool", host)
	}
	if err := s.check(ctx, in.Activity.Object.Raw, in.Actor.URI); err != nil {
		return inbox.Refuse("the proof is not good: %v", err)
	}
	p, err := vocab.ReadPayoutInstruction(in.Activity.Object.Raw)
	if err != nil || p.AttributedTo != in.Actor.URI {
		return inbox.Refuse("malformed payout instruction: %v", err)
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.Reports.SetAddress(ctx, tx, p.AttributedTo, p.Asset, p.Address, in.Activity.Object.Raw)
	})
}
