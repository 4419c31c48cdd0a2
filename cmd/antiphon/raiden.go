package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/purchase"
	"antiphon/payments/raiden"
	"antiphon/payments/raidendev"
	"antiphon/payments/treasury"
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
	symbol   string
}

// money tells the node's amounts.
func (n *raidenNode) money() treasury.Money {
	return treasury.Money{Symbol: n.symbol, Decimals: n.decimals}
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
	return &raidenNode{client: client, payer: raiden.NewPayer(client), token: token, asset: asset, decimals: c.Raiden.Decimals, symbol: symbolOf(c.Raiden.Symbol, asset)}, nil
}

// symbolOf is what a token is called on pages.
func symbolOf(configured string, asset amount.Asset) string {
	if configured == "" && asset.Development() {
		return raidendev.Symbol
	}
	return configured
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

// Lacks implements [purchase.Payer].
func (n *raidenNode) Lacks(ctx context.Context, i purchase.Invoice) string {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	s := treasury.Look(ctx, n.client, n.token)
	if s.Reached != nil || s.ChannelsErr != nil {
		return "This instance's Raiden node does not answer at the moment, so it cannot pay. Start it, or pay by hand."
	}
	most, m := s.CanSend(), n.money()
	switch {
	case len(s.Open()) == 0:
		return "This instance's Raiden node has no open channel, so it cannot pay. Open one, or pay by hand."
	case most.IsZero():
		return "This instance's Raiden node has nothing left to send in its channels. Top one up, or pay by hand."
	case most.Cmp(i.Units) < 0:
		return "This instance's Raiden node can send " + m.Words(most) + " in one payment, and this is " + m.Words(i.Units) + ". Top up a channel, or pay by hand."
	case s.Status.State != raiden.Ready:
		return "This instance's Raiden node is not up to date with its chain yet, so it cannot pay. Wait a little, or pay by hand."
	}
	for _, t := range s.Pending {
		if t.Role == raiden.RoleInitiator || t.Initiator == s.Address {
			return "This instance's Raiden node has another payment under way. It can pay as soon as that has ended."
		}
	}
	return ""
}

// lookTime bounds how long a page waits for the node.
const lookTime = 3 * time.Second

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
