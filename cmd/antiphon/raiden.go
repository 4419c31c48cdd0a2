package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/purchase"
	"antiphon/payments/raiden"
)

// historyPage is how many lines of a node's history are looked at in one call.
const historyPage = 200

// raidenNode joins the instance's Raiden node to both sides of a purchase.
type raidenNode struct {
	client   *raiden.Client
	payer    *raiden.Payer
	token    eip55.Address
	asset    amount.Asset
	decimals int
}

// newRaidenNode returns nil when the configuration names no node.
func newRaidenNode(c *config) (*raidenNode, error) {
	if c.Raiden.URL == "" {
		return nil, nil
	}
	asset, err := amount.ParseAsset(c.Raiden.Asset)
	if err != nil {
		return nil, fmt.Errorf("raiden.asset: %w", err)
	}
	token, ok := asset.Contract()
	if !ok {
		return nil, fmt.Errorf("raiden.asset %s names no ERC-20 token", asset)
	}
	if asset.Development() && !c.Server.Development {
		return nil, fmt.Errorf("raiden.asset %s is a development token, worth nothing; it needs server.development", asset)
	}
	cfg := raiden.Config{URL: c.Raiden.URL}
	if user, password, ok := strings.Cut(c.Raiden.Credential, ":"); ok {
		cfg.BasicUser, cfg.BasicPassword = user, raiden.Credential(password)
	} else {
		cfg.Bearer = raiden.Credential(c.Raiden.Credential)
	}
	client, err := raiden.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("raiden node: %w", err)
	}
	return &raidenNode{client: client, payer: raiden.NewPayer(client), token: token, asset: asset, decimals: c.Raiden.Decimals}, nil
}

// Name implements [payments.Provider].
func (n *raidenNode) Name() string { return "raiden" }

// Asset implements [payments.Provider].
func (n *raidenNode) Asset() (amount.Asset, int) { return n.asset, n.decimals }

// Target implements [payments.Provider].
func (n *raidenNode) Target(ctx context.Context, _ string) (string, error) {
	address, err := n.client.Address(ctx)
	return address.String(), err
}

// Received implements [payments.Provider].
func (n *raidenNode) Received(ctx context.Context, cursor string) (payments.Look, error) {
	var all []payments.Payment
	for {
		page, err := n.client.Received(ctx, n.token, raiden.Cursor(cursor), historyPage)
		if errors.Is(err, raiden.ErrCursor) && cursor != "" {
			// The node was restored; what was credited is known by its key, so beginning again credits nothing twice.
			cursor, all = "", nil
			continue
		}
		if err != nil {
			return payments.Look{}, err
		}
		for _, p := range page.Payments {
			all = append(all, payments.Payment{
				Ref: p.Key, Initiator: p.Initiator.String(), Target: p.Target.String(),
				Identifier: strconv.FormatUint(p.Identifier, 10),
				Amount:     amount.Amount{Units: p.Amount, Asset: n.asset}, At: p.Time,
			})
		}
		cursor = string(page.Next)
		if !page.More {
			return payments.Look{Final: all, Next: cursor}, nil
		}
	}
}

// Pays implements [purchase.Payer].
func (n *raidenNode) Pays(asset amount.Asset) bool { return asset == n.asset }

// Pay implements [purchase.Payer].
func (n *raidenNode) Pay(ctx context.Context, i purchase.Invoice) error {
	target, err := eip55.Parse(i.Target)
	if err != nil {
		return &purchase.Refusal{Words: "The seller's address is malformed."}
	}
	identifier, err := strconv.ParseUint(i.Identifier, 10, 64)
	if err != nil {
		return &purchase.Refusal{Words: "The seller's payment identifier is malformed."}
	}
	_, err = n.payer.PayOnce(ctx, raiden.PayRequest{Token: n.token, Target: target, Amount: i.Units, Identifier: identifier})
	switch {
	case errors.Is(err, raiden.ErrInsufficientFunds):
		return &purchase.Refusal{Words: "The node's channels do not hold enough for this payment."}
	case errors.Is(err, raiden.ErrNoRoute):
		return &purchase.Refusal{Words: "There is no route to the seller with enough capacity at the moment."}
	case errors.Is(err, raiden.ErrIdentifierUsed):
		return &purchase.Refusal{Words: "This identifier was paid before with another amount."}
	default:
		return err
	}
}
