package raiden

import (
	"context"
	"fmt"

	"antiphon/payments/eip55"
)

// maxHistory bounds how many lines of history PayOnce looks through before it gives up.
const maxHistory = 1_000_000

// Payer sends a node's outgoing payments one at a time and each of them once. There must be one Payer per node: two
// payments at once stall the light node until it is restarted.
type Payer struct {
	client *Client
	turn   chan struct{}
}

// NewPayer makes the node's payer.
func NewPayer(c *Client) *Payer { return &Payer{client: c, turn: make(chan struct{}, 1)} }

// PayOnce makes a payment unless the node's history shows that it was made already (same token, target, identifier and
// amount, sent by this node); in both cases it returns the payment. It is therefore safe to call again after any
// error, also after a restart. It waits for its turn until the context ends. ErrBusy means that a transfer of this node
// is still pending; ErrUnknownOutcome that this very payment is, or may be: call again later. ErrIdentifierUsed means
// that the identifier was paid with another amount.
func (p *Payer) PayOnce(ctx context.Context, req PayRequest) (Payment, error) {
	done, err := p.wait(ctx)
	if err != nil {
		return Payment{}, err
	}
	defer done()
	own, err := p.client.Address(ctx)
	if err != nil {
		return Payment{}, fmt.Errorf("pay once: %w", err)
	}
	if err := p.idle(ctx, own, req); err != nil {
		return Payment{}, fmt.Errorf("pay once: %w", err)
	}
	made, found, err := p.find(ctx, own, req)
	if err != nil {
		return Payment{}, fmt.Errorf("look for the payment in the history: %w", err)
	}
	if found {
		return made, nil
	}
	return p.client.Pay(ctx, req)
}

// Change runs a change of a channel of a token while no payment of this node is under way, and keeps payments waiting
// until it has ended. It waits for its turn until the context ends; ErrBusy means that change was not called.
func (p *Payer) Change(ctx context.Context, token eip55.Address, change func(context.Context, *Client) (Channel, error)) (Channel, error) {
	done, err := p.wait(ctx)
	if err != nil {
		return Channel{}, err
	}
	defer done()
	own, err := p.client.Address(ctx)
	if err != nil {
		return Channel{}, fmt.Errorf("change channel: %w", err)
	}
	if err := p.idle(ctx, own, PayRequest{Token: token}); err != nil {
		return Channel{}, fmt.Errorf("change channel: %w", err)
	}
	return change(ctx, p.client)
}

// wait waits for the turn to have the node do something; done ends the turn.
func (p *Payer) wait(ctx context.Context) (done func(), err error) {
	select {
	case p.turn <- struct{}{}:
		return func() { <-p.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the node's turn: %w: %w", ErrBusy, ctx.Err())
	}
}

// idle refuses while a transfer that this node began is pending, be it by this process or another.
func (p *Payer) idle(ctx context.Context, own eip55.Address, req PayRequest) error {
	pending, err := p.client.PendingTransfers(ctx, req.Token)
	if err != nil {
		return err
	}
	for _, t := range pending {
		if t.Initiator != own && t.Role != RoleInitiator {
			continue
		}
		if t.Identifier == req.Identifier && t.Target == req.Target {
			return fmt.Errorf("it is pending: %w", ErrUnknownOutcome)
		}
		return ErrBusy
	}
	return nil
}

func (p *Payer) find(ctx context.Context, own eip55.Address, req PayRequest) (Payment, bool, error) {
	dialect, err := p.client.Dialect(ctx)
	if err != nil {
		return Payment{}, false, err
	}
	for from := 0; from < maxHistory; {
		s, err := p.client.settledHistory(ctx, req.Token, own, dialect, from, MaxPage)
		if err != nil {
			return Payment{}, false, err
		}
		if len(s.Unreadable) > 0 {
			// The unreadable line could be this payment.
			return Payment{}, false, fmt.Errorf("line %d of the history: %w", s.Unreadable[0], ErrProtocol)
		}
		for _, e := range s.Events {
			if e.Kind != EventSent || e.Initiator != own || e.Target != req.Target || e.Identifier != req.Identifier {
				continue
			}
			switch {
			case s.underWay[e.Position]:
				return Payment{}, false, fmt.Errorf("it is pending: %w", ErrUnknownOutcome)
			case !s.final[e.Position]:
				continue // expired: the money came back
			case e.Amount != req.Amount:
				return Payment{}, false, ErrIdentifierUsed
			}
			return Payment{
				Initiator: own, Target: e.Target, Token: req.Token, Amount: e.Amount, Identifier: e.Identifier,
				Secret: e.Secret, SecretHash: e.SecretHash,
			}, true, nil
		}
		if s.Next-from < MaxPage {
			return Payment{}, false, nil
		}
		from = s.Next
	}
	return Payment{}, false, fmt.Errorf("history is longer than %d lines: %w", maxHistory, ErrProtocol)
}
