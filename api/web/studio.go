package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"antiphon/media"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/templates"
)

// maxDrafts and maxOrders bound what the studio looks through.
const (
	maxDrafts = 200
	maxOrders = 10_000
)

// Studio is GET /studio: the artist's drafts, tracks and figures.
func (p *Pages) Studio(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	ctx, actor := r.Context(), v.Account.Actor
	view := &templates.Studio{Layout: p.Layout(r)}
	view.NoIndex = true
	if view.Followers, err = p.followers(ctx, actor); err != nil {
		return err
	}
	sales, err := p.sales(ctx, actor, view)
	if err != nil {
		return err
	}
	var drafts []media.Track
	err = p.DB.Read.WithContext(ctx).Where("artist = ? AND state <> ?", actor, media.Published).Order("updated_at DESC").Limit(maxDrafts).Find(&drafts).Error
	if err != nil {
		return fmt.Errorf("read drafts: %w", err)
	}
	total, err := media.CountOf(ctx, p.DB.Read, actor)
	if err != nil {
		return fmt.Errorf("count tracks: %w", err)
	}
	n := pageOf(r, studioRows)
	published, err := media.Of(ctx, p.DB.Read, actor, true, n.offset(), studioRows)
	if err != nil {
		return err
	}
	view.Pager = n.pager("/studio", r.URL.Query(), int(total))
	if view.Drafts, err = p.studioTracks(ctx, drafts, sales); err != nil {
		return err
	}
	if view.Published, err = p.studioTracks(ctx, published, sales); err != nil {
		return err
	}
	if view.Releases, err = p.studioReleases(ctx, actor, sales); err != nil {
		return err
	}
	if view.Owed, err = p.owed(ctx, actor); err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}

func (p *Pages) studioTracks(ctx context.Context, tracks []media.Track, sales map[string]int) ([]templates.StudioTrack, error) {
	views, err := p.localTracks(ctx, tracks, listBars)
	if err != nil {
		return nil, err
	}
	rows := make([]templates.StudioTrack, len(tracks))
	for i, t := range tracks {
		rows[i] = templates.StudioTrack{
			ID: string(t.ID), State: draftState(t.State), Track: views[i], File: t.Filename, EditURL: "/drafts/" + string(t.ID),
			Message: t.Failure, Changed: t.UpdatedAt,
		}
		if t.State == media.Published {
			if p.Grants != nil {
				rows[i].BuyersURL = "/tracks/" + string(t.ID) + "/buyers"
			}
			if product, err := p.Shop.ProductOf(ctx, t.URI); err == nil {
				rows[i].Sales = sales[product.URI]
			}
		}
		if !t.State.Working() {
			continue
		}
		progress, err := p.Tracks.Progress(ctx, t)
		if err != nil {
			return nil, err
		}
		// The step at work, or before it begins the next one.
		for _, s := range progress.Steps {
			if s.State != "done" {
				rows[i].Step, rows[i].Done = stepWord(s.Name), s.Done
				break
			}
		}
	}
	return rows, nil
}

// maxUnusual is how many orders the studio asks its artist to look at.
const maxUnusual = 5

// sales counts what was bought, by product, and fills in the figures. Sums are made here, never by SQL.
func (p *Pages) sales(ctx context.Context, artist string, view *templates.Studio) (map[string]int, error) {
	orders, err := payments.OrdersOf(ctx, p.DB.Read, artist, maxOrders)
	if err != nil {
		return nil, err
	}
	sales := map[string]int{}
	sums, decimals := map[amount.Asset]amount.Amount{}, map[amount.Asset]int{}
	for _, o := range orders {
		if o.Words != "" && len(view.Unusual) < maxUnusual {
			name := o.Product
			if product, err := p.Shop.Product(ctx, o.Product); err == nil {
				name = product.Name
			}
			view.Unusual = append(view.Unusual, templates.UnusualOrder{Product: name, Words: o.Words, Changed: o.UpdatedAt})
		}
		if o.State != payments.Paid && o.State != payments.Granted && o.State != payments.Delivered {
			continue
		}
		sales[o.Product]++
		view.Sales++
		if o.Ground != payments.GroundPayment {
			continue
		}
		sum, ok := sums[o.Asset]
		if !ok {
			sum = amount.New(0, o.Asset)
		}
		if sums[o.Asset], err = sum.Add(o.Amount()); err != nil {
			return nil, fmt.Errorf("add up sales: %w", err)
		}
		decimals[o.Asset] = o.Decimals
	}
	for asset, sum := range sums {
		view.Earned = append(view.Earned, p.money(sum.Units.String(), asset, decimals[asset]))
	}
	slices.SortFunc(view.Earned, func(a, b templates.Money) int { return len(b.Units) - len(a.Units) })
	return sales, nil
}

// owed is what the ledger says that the artist is owed, of each asset.
func (p *Pages) owed(ctx context.Context, payee string) ([]templates.Money, error) {
	var all []templates.Money
	if p.Owed == nil {
		return nil, nil
	}
	for _, asset := range p.Assets {
		sum, err := p.Owed(ctx, payee, asset.ID)
		if err != nil {
			return nil, fmt.Errorf("read what is owed to %s: %w", payee, err)
		}
		if !sum.IsZero() {
			all = append(all, p.priceView(sum, asset.Decimals))
		}
	}
	return all, nil
}
