package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gorm.io/gorm"

	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/templates"
)

// pricing is what a form says of a price.
type pricing struct {
	price, asset, suggested, shares string
	flexible                        bool
}

func readPricing(r *http.Request) pricing {
	return pricing{
		price: strings.TrimSpace(r.PostFormValue("price")), asset: r.PostFormValue("asset"),
		suggested: strings.TrimSpace(r.PostFormValue("suggested")), shares: strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("shares"), "\r\n", "\n")),
		flexible: r.PostFormValue("flexible") != "",
	}
}

// view gives back what was typed.
func (f pricing) view(assets []templates.Choice) templates.Pricing {
	for i := range assets {
		assets[i].Selected = assets[i].Value == f.asset
	}
	return templates.Pricing{Price: f.price, Assets: assets, Flexible: f.flexible, Suggested: f.suggested, Shares: f.shares}
}

// checkPricing returns what sets the price and its parts for an artist's product, or nil where all stays as it is; what
// is wrong goes into wrong.
func (p *Pages) checkPricing(ctx context.Context, artist string, f pricing, wrong map[string]string) func(tx *gorm.DB, product string) error {
	if f.price == "" {
		f.price = "0"
	}
	if len(p.Assets) == 0 {
		if strings.Trim(f.price, "0.") != "" {
			wrong["price"] = "This server has no way to be paid yet: the price can only be 0."
		}
		return nil
	}
	asset, ok := p.asset(f.asset)
	if !ok && f.asset == "" {
		asset, ok = p.Assets[0], true
	}
	if !ok {
		wrong["asset"] = "Please choose one of these."
		return nil
	}
	units, err := amount.ParseDecimal(f.price, asset.Decimals)
	if err != nil {
		wrong["price"] = numberWords(asset.Decimals)
		return nil
	}
	price := access.Price{Units: units.String(), Asset: string(asset.ID), Decimals: asset.Decimals, Flexible: f.flexible}
	if f.flexible && f.suggested != "" {
		suggested, err := amount.ParseDecimal(f.suggested, asset.Decimals)
		switch {
		case err != nil:
			wrong["suggested"] = numberWords(asset.Decimals)
		case suggested.Cmp(units) < 0:
			wrong["suggested"] = "This is less than the price above."
		default:
			price.Suggested = suggested.String()
		}
	}
	splits := p.readShares(ctx, artist, f.shares, wrong)
	return func(tx *gorm.DB, product string) error {
		if err := p.Shop.SetProductPrice(tx, product, price); err != nil {
			return err
		}
		return payments.SetSplits(ctx, tx, product, splits)
	}
}

func numberWords(decimals int) string {
	return fmt.Sprintf("Write a number such as 3 or 3.50, with at most %d digits behind the point.", decimals)
}

// readShares reads other people's parts, a line for each: address, percent, role. The artist has the rest.
func (p *Pages) readShares(ctx context.Context, artist, text string, wrong map[string]string) payments.Splits {
	if text == "" {
		return nil
	}
	who, err := p.actor(ctx, artist)
	if err != nil {
		wrong["shares"] = "Your own account could not be read. Try again."
		return nil
	}
	var others payments.Splits
	rest := payments.Whole
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) < 2 || len(others) == payments.MaxSplits-1 {
			wrong["shares"] = fmt.Sprintf("Write an address and a percentage on each line, such as @moe@music.example 25, for at most %d people.", payments.MaxSplits-1)
			return nil
		}
		points, err := amount.ParseDecimal(strings.TrimSuffix(words[1], "%"), 2)
		if err != nil || points.Cmp(amount.NewUnits(payments.Whole)) > 0 || points.IsZero() {
			wrong["shares"] = fmt.Sprintf("%q is not a percentage such as 25 or 12.5.", words[1])
			return nil
		}
		payee, err := p.payee(ctx, words[0])
		if err != nil {
			wrong["shares"] = fmt.Sprintf("%q was not found. Check the spelling.", words[0])
			return nil
		}
		part := payments.Split{Payee: payee.URI, Name: payee.Display, Role: strings.Join(words[2:], " "), BasisPoints: int(points.Big().Int64())}
		if payee.URI == artist {
			wrong["shares"] = "You have what is left; write down the others alone."
			return nil
		}
		rest -= part.BasisPoints
		others = append(others, part)
	}
	if len(others) == 0 {
		return nil
	}
	if rest < 0 {
		wrong["shares"] = "These are more than 100 percent."
		return nil
	}
	if rest > 0 {
		others = append(payments.Splits{{Payee: artist, Name: who.Display, BasisPoints: rest}}, others...)
	}
	if err := others.Check(); err != nil {
		wrong["shares"] = "Each person stands here once, with a role of at most 100 characters."
		return nil
	}
	return others
}

// payee is who is behind an address: of this server, or of another one.
func (p *Pages) payee(ctx context.Context, address string) (actorRow, error) {
	name := strings.TrimPrefix(address, "@")
	if local, host, ok := strings.Cut(name, "@"); !ok || host == p.host {
		return p.actor(ctx, p.Auth.ActorURI(local))
	}
	if p.Finder == nil {
		return actorRow{}, ErrNotFound
	}
	uri, err := p.Finder.Lookup(ctx, "@"+name)
	if err != nil {
		return actorRow{}, err
	}
	return p.actor(ctx, uri)
}

// pricingOf is what a product costs, as a form shows it; product may be none.
func (p *Pages) pricingOf(ctx context.Context, uri string) (templates.Pricing, error) {
	view := templates.Pricing{Price: "0"}
	product, err := p.Shop.Product(ctx, uri)
	if err != nil && !errors.Is(err, access.ErrUnknownProduct) {
		return view, fmt.Errorf("look up product %s: %w", uri, err)
	}
	if price, parseErr := amount.Parse(product.Units, product.Asset); err == nil && parseErr == nil {
		view.Price, view.Flexible = price.Decimal(product.Decimals), product.Flexible
		if suggested, err := amount.ParseUnits(product.Suggested); err == nil && product.Flexible {
			view.Suggested = suggested.Decimal(product.Decimals)
		}
	}
	for _, a := range p.Assets {
		view.Assets = append(view.Assets, templates.Choice{Value: string(a.ID), Label: a.Symbol, Selected: string(a.ID) == product.Asset})
	}
	splits, err := payments.SplitsOf(ctx, p.DB.Read, uri)
	if err != nil {
		return view, err
	}
	var lines []string
	for _, part := range splits {
		if part.Payee != product.Artist {
			line := p.nameOf(ctx, part.Payee) + " " + amount.NewUnits(uint64(part.BasisPoints)).Decimal(2)
			lines = append(lines, strings.TrimSpace(line+" "+part.Role))
		}
	}
	view.Shares = strings.Join(lines, "\n")
	return view, nil
}
