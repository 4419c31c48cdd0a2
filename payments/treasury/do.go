package treasury

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
)

// tries bounds how often an act waits for its turn before it is given up; each time for a few seconds.
const tries = 30

// changeChannel has the node do an act.
type changeChannel struct {
	Act string `json:"act"`
}

// Kind names the job.
func (changeChannel) Kind() string { return "change_channel" }

// Options keep an admin's word from being carried out hours later.
func (changeChannel) Options() jobs.Options { return jobs.Options{MaxAttempts: tries} }

// Register registers this room's jobs.
func (s *Service) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[changeChannel]{
		Work: s.do, Timeout: 4 * time.Minute, Retry: func(int) time.Duration { return 4 * time.Second },
	})
}

// do gives an act to the node. It can be killed at any point: what was given to the node is never given to it again.
func (s *Service) do(ctx context.Context, job changeChannel, attempt int) error {
	var a Act
	err := s.DB.Read.WithContext(ctx).Where("id = ?", job.Act).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch a.State {
	case Waiting:
	case Doing:
		return s.after(ctx, a)
	default:
		return nil
	}
	partner, err := eip55.Parse(a.Partner)
	if err != nil {
		return s.move(ctx, a, Refused, "The partner's address cannot be read.")
	}
	_, err = s.Payer.Change(ctx, s.Token, func(ctx context.Context, node *raiden.Client) (raiden.Channel, error) {
		// This is written first: whoever finds it after a crash looks, and sends nothing.
		if err := s.move(ctx, a, Doing, ""); err != nil {
			return raiden.Channel{}, err
		}
		a.State = Doing
		switch a.Kind {
		case Open:
			return node.OpenChannel(ctx, raiden.OpenRequest{Token: s.Token, Partner: partner, TotalDeposit: a.Total})
		case Deposit:
			return node.Deposit(ctx, s.Token, partner, a.Total)
		default:
			return node.Close(ctx, s.Token, partner)
		}
	})
	// What came of it is written also when the time is up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return s.ended(ctx, a, err, attempt)
}

// ended writes what came of an act.
func (s *Service) ended(ctx context.Context, a Act, err error, attempt int) error {
	if err == nil {
		return s.move(ctx, a, Done, "")
	}
	if a.State == Waiting {
		// The node was not told: a payment is under way, or the node does not answer.
		if attempt < tries {
			return fmt.Errorf("act %s waits: %w", a.ID, err)
		}
		return s.move(ctx, a, Refused, "The node was busy or away for too long. Nothing was done.")
	}
	s.Log.Warn("channel not changed", "act", a.ID, "kind", a.Kind, "partner", a.Partner, "error", err)
	switch {
	case errors.Is(err, raiden.ErrInsufficientFunds):
		return s.move(ctx, a, Refused, "The node's account does not hold enough tokens, or too little to pay the chain with.")
	case errors.Is(err, raiden.ErrConflict), errors.Is(err, raiden.ErrBadRequest), errors.Is(err, raiden.ErrNotFound):
		return s.move(ctx, a, Refused, "The node refused it. Its log and that of this server say why.")
	case errors.Is(err, raiden.ErrUnauthorized):
		return s.move(ctx, a, Refused, "The proxy in front of the node refused the credential.")
	case errors.Is(err, raiden.ErrUnavailable):
		return s.move(ctx, a, Refused, "The node could not be asked. Nothing was done.")
	default:
		return s.move(ctx, a, Unknown, "The node has not said in time whether it did this. It may be done, or may still be: look again before anything else.")
	}
}

// after looks what became of an act that a process gave to the node before it was killed.
func (s *Service) after(ctx context.Context, a Act) error {
	done, err := s.happened(ctx, a)
	if err == nil && done {
		return s.move(ctx, a, Done, "")
	}
	return s.move(ctx, a, Unknown, "This server was stopped before the node had answered. It may be done, or may still be: look again before anything else.")
}

// happened reports whether what an act wants is so.
func (s *Service) happened(ctx context.Context, a Act) (bool, error) {
	partner, err := eip55.Parse(a.Partner)
	if err != nil {
		return false, err
	}
	c, found, err := s.channel(ctx, partner)
	if err != nil {
		return false, err
	}
	open := found && c.Open()
	if a.Kind == Close {
		return !open, nil
	}
	return open && c.TotalDeposit.Cmp(a.Total) >= 0, nil
}
