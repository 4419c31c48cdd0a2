package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/payments"
	"antiphon/payments/royalty"
)

// Membership is one listener's.
type Membership struct {
	// Listener is the URI of the actor.
	Listener string `gorm:"primaryKey"`
	State    State
	// Month is the last one that was paid; empty before the first.
	Month royalty.Month
	// OrderURI is the demand that waits for its payment, or empty.
	OrderURI string
	// Words tell the listener what is unusual; empty when nothing is.
	Words string
	// Warned is the last reminder, as days before the end of the month, 0 for none.
	Warned    int
	JoinedAt  time.Time
	UpdatedAt time.Time
}

func (Membership) TableName() string { return "pool_members" }

// Paid reports whether the membership is paid for a month.
func (m Membership) Paid(month royalty.Month) bool {
	return m.Month >= month && m.State != Reversed && m.Month != ""
}

// Of returns a listener's membership, or [ErrNotFound].
func (s *Service) Of(ctx context.Context, listener string) (Membership, error) {
	return membership(s.DB.Read.WithContext(ctx), listener)
}

// IsMember reports whether a listener has paid for the present month.
func (s *Service) IsMember(ctx context.Context, listener string) (bool, error) {
	m, err := s.Of(ctx, listener)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && m.Paid(s.Month()), err
}

func membership(tx *gorm.DB, listener string) (Membership, error) {
	var m Membership
	err := tx.Where("listener = ?", listener).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return m, fmt.Errorf("%w: %s", ErrNotFound, listener)
	}
	return m, err
}

// Join makes a listener a member as soon as a month is paid, or takes a cancellation back. Who has credit, pays with it at
// once. Twice is once.
func (s *Service) Join(ctx context.Context, listener string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		m, err := membership(db.Locked(tx), listener)
		if errors.Is(err, ErrNotFound) {
			now := s.utc()
			m = Membership{Listener: listener, State: Asked, JoinedAt: now, UpdatedAt: now}
			if err := tx.Create(&m).Error; err != nil {
				return fmt.Errorf("write membership: %w", err)
			}
			return nil
		}
		if err != nil {
			return err
		}
		next := m.State
		switch m.State {
		case Ending:
			next = Active
		case Lapsed, Ended, Reversed:
			next = Asked
		}
		m.Words = ""
		if err := s.move(tx, &m, next); err != nil {
			return err
		}
		_, err = s.useCredit(ctx, tx, m)
		return err
	})
}

// Cancel ends a membership: what was paid runs to the end of its month, and nothing is asked for any more. Twice is once.
func (s *Service) Cancel(ctx context.Context, listener string) error {
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		m, err := membership(db.Locked(tx), listener)
		if err != nil || m.State == Ending || m.State == Ended {
			return err
		}
		m.Words = ""
		return s.move(tx, &m, m.State.canceled())
	})
}

// Leave removes inside tx the membership of a listener who is going, and what was asked for it. Payments stay, because
// others are owed a part of them, and so does what may have to be given back.
func Leave(ctx context.Context, tx *gorm.DB, listener string) error {
	for _, table := range []any{&Membership{}, &Question{}} {
		if err := tx.WithContext(ctx).Where("listener = ?", listener).Delete(table).Error; err != nil {
			return fmt.Errorf("end membership of %s: %w", listener, err)
		}
	}
	return nil
}

// Invoice is what a listener has to pay now: the demand that is still open, or a new one. ErrState says that nothing is to
// be paid: the month is paid, or was and the payment was
// taken back, or the listener does not want to go on.
func (s *Service) Invoice(ctx context.Context, listener string) (payments.Order, error) {
	m, err := s.Of(ctx, listener)
	if err != nil {
		return payments.Order{}, err
	}
	bought, err := boughtMonth(s.DB.Read.WithContext(ctx), listener, s.Month())
	if err != nil {
		return payments.Order{}, err
	}
	if m.State == Ending || m.State == Ended || bought {
		return payments.Order{}, fmt.Errorf("%w: nothing is to be paid", ErrState)
	}
	if o, ok, err := s.open(ctx, m); err != nil || ok {
		return o, err
	}
	o, err := s.Orders.Demand(ctx, payments.Demand{
		Offer: s.URI() + "/demands/" + newID(), Payee: s.Payee(), Payer: listener, Product: s.URI(), Amount: s.price,
	})
	if err != nil {
		return o, err
	}
	err = s.DB.Write.WithContext(ctx).Model(&Membership{}).Where("listener = ?", listener).
		Updates(map[string]any{"order_uri": o.URI, "updated_at": s.utc()}).Error
	if err != nil {
		return o, fmt.Errorf("note demand: %w", err)
	}
	return o, nil
}

// Demanded is the demand that waits for a listener's payment; false when there is none.
func (s *Service) Demanded(ctx context.Context, m Membership) (payments.Order, bool, error) {
	return s.open(ctx, m)
}

func (s *Service) open(ctx context.Context, m Membership) (payments.Order, bool, error) {
	if m.OrderURI == "" {
		return payments.Order{}, false, nil
	}
	o, err := payments.OrderByURI(ctx, s.DB.Read, m.OrderURI)
	if errors.Is(err, payments.ErrNotFound) {
		return o, false, nil
	}
	// What has come in part stays open; what has expired is asked for anew, and honored all the same if it comes.
	still := o.State == payments.Underpaid || o.State.Open() && s.Now().Before(o.ExpiresAt)
	return o, err == nil && still, err
}

// move changes a membership's state and whatever else was set on it, if that is legal and nobody has moved it meanwhile.
func (s *Service) move(tx *gorm.DB, m *Membership, next State) error {
	from := m.State
	if from != next {
		if err := from.To(next); err != nil {
			return err
		}
	}
	m.State, m.UpdatedAt = next, s.utc()
	result := tx.Model(&Membership{}).Where("listener = ? AND state = ?", m.Listener, from).Select("*").Updates(m)
	if result.Error != nil {
		return fmt.Errorf("move membership: %w", result.Error)
	}
	if result.RowsAffected != 1 {
		return fmt.Errorf("%w: it was moved by someone else", ErrState)
	}
	return nil
}
