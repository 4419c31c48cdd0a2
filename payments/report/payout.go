package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// PayoutState is where a line of the list of payouts is.
type PayoutState string

// The states.
const (
	// Ready can be sent.
	Ready PayoutState = "ready"
	// Small is below the minimum and adds up.
	Small PayoutState = "small"
	// Unclaimed has no address: it is owed for as long as the policy says.
	Unclaimed PayoutState = "unclaimed"
	// Blocked is of an artist whose instance is blocked or gone: it is owed all the same.
	Blocked PayoutState = "blocked"
	// Sent was sent, and is on the ledger.
	Sent PayoutState = "sent"
)

// PayoutLine is what this instance owes one artist on a month's final statement, with what was left of earlier ones.
type PayoutLine struct {
	Month royalty.Month `gorm:"primaryKey" json:"month"`
	// Artist is who earned it, Payee where that one has moved to, if at all.
	Artist string        `gorm:"primaryKey" json:"artist"`
	Payee  string        `json:"payee"`
	Micro  royalty.Micro `json:"micro"`
	// Units are the smallest units of Asset that it comes to, Address is where the payee wants them.
	Units   string      `json:"units"`
	Asset   string      `json:"asset"`
	Address string      `json:"address"`
	State   PayoutState `json:"state"`
	// Remark says what is unusual, in words.
	Remark   string     `json:"remark"`
	Provider string     `json:"provider,omitempty"`
	Ref      string     `json:"ref,omitempty"`
	SentAt   *time.Time `json:"sentAt,omitempty"`
}

// TableName is gorm's name for the table.
func (PayoutLine) TableName() string { return "payout_lines" }

func listName(month royalty.Month) string { return "payouts/" + string(month) }

// ListPayouts lists who is to be paid on a month's final statement. It may be called again: what was sent stays, and the
// rest is listed anew.
func (s *Service) ListPayouts(ctx context.Context, month royalty.Month) error {
	if _, err := contract.Finally(ctx, s.Book, month, s.config.Node); err != nil {
		return fmt.Errorf("list payouts of %s: %w", month, err)
	}
	policy, err := contract.PolicyFor(ctx, s.Book, royalty.MonthOf(s.Now()))
	if err != nil {
		return err
	}
	artists, err := s.paidEver(ctx, month)
	if err != nil {
		return err
	}
	var lines []PayoutLine
	for _, artist := range artists {
		line, err := s.line(ctx, month, artist, policy)
		if err != nil {
			return fmt.Errorf("payout of %s: %w", artist, err)
		}
		if line.Micro > 0 {
			lines = append(lines, line)
		}
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Where("month = ? AND state <> ?", month, Sent).Delete(&PayoutLine{}).Error; err != nil {
			return wrap("clear list", err)
		}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(lines, pageLines/10).Error; err != nil {
			return wrap("write list", err)
		}
		return note(tx, listName(month), len(lines))
	})
}

// line is what one artist is owed, and whether it can be sent.
func (s *Service) line(ctx context.Context, month royalty.Month, artist string, policy contract.Policy) (PayoutLine, error) {
	l := PayoutLine{Month: month, Artist: artist, Payee: artist, Asset: string(s.config.Asset)}
	var err error
	if l.Micro, err = s.Owed(ctx, artist); err != nil || l.Micro <= 0 {
		return l, err
	}
	if s.Moved != nil {
		if l.Payee, err = s.Moved(ctx, artist); err != nil {
			return l, err
		}
		if l.Payee != artist {
			l.Remark = "the artist has moved"
		}
	}
	if s.config.Asset != "" {
		units, err := l.Micro.Tokens(s.config.Decimals)
		if err != nil {
			return l, err
		}
		l.Units = units.String()
	}
	if l.Address, err = s.address(ctx, l.Payee, royalty.MonthOf(s.Now()).Day(addressBefore)); err != nil {
		return l, err
	}
	blocked := false
	if s.Blocked != nil {
		if blocked, err = s.Blocked(ctx, l.Payee); err != nil {
			return l, err
		}
	}
	switch {
	case l.Micro < policy.Minimum:
		l.State, l.Remark = Small, fmt.Sprintf("less than %s is not sent; it adds up", policy.Minimum)
		if l.Address == "" && !blocked {
			var kept string
			kept, err = s.until(ctx, artist, l.Micro)
			l.Remark += "; " + kept
		}
	case blocked:
		l.State, l.Remark = Blocked, "the artist's instance is blocked or gone; the money is owed all the same"
	case l.Address == "":
		l.State = Unclaimed
		l.Remark, err = s.until(ctx, artist, l.Micro)
	default:
		l.State = Ready
	}
	return l, err
}

// until says for how long what an artist without an address is owed is kept.
func (s *Service) until(ctx context.Context, artist string, owed royalty.Micro) (string, error) {
	var earned []Earned
	err := s.DB.Read.WithContext(ctx).Model(&totalRow{}).Where("stage = ? AND artist = ?", Final, artist).Order("month DESC").Find(&earned).Error
	if err != nil {
		return "", wrap("read months", err)
	}
	const words = "no address was given before the 23rd"
	oldest := OldestOwed(owed, earned)
	if oldest == "" {
		return words, nil // a correction gave it
	}
	at, err := contract.LapsesAt(ctx, s.Book, oldest)
	return words + "; the oldest of it is kept until " + at.Format(time.DateOnly), err
}

// Payouts is the list of a month, in the order of the artists.
func (s *Service) Payouts(ctx context.Context, month royalty.Month) ([]PayoutLine, error) {
	var out []PayoutLine
	err := s.DB.Read.WithContext(ctx).Where("month = ?", month).Order("artist").Find(&out).Error
	return out, wrap("read list", err)
}

// Transfer says that an artist was sent what the list has.
type Transfer struct{ Artist, Provider, Ref string }

// Sent records transfers on the ledger, which refuses to count one twice. Nothing here sends money.
func (s *Service) Sent(ctx context.Context, month royalty.Month, transfers []Transfer) error {
	for chunk := range slices.Chunk(transfers, contract.MaxLines) {
		batch := contract.Payouts{Node: s.config.Node, Month: month}
		for _, t := range chunk {
			var l PayoutLine
			err := s.DB.Read.WithContext(ctx).Where("month = ? AND artist = ?", month, t.Artist).Take(&l).Error
			if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && l.State != Ready {
				return fmt.Errorf("%w: %s is not ready to be paid for %s", ErrUnknown, t.Artist, month)
			}
			if err != nil {
				return wrap("read list", err)
			}
			sent, err := amount.Parse(l.Units, l.Asset)
			if err != nil {
				return err
			}
			proofs, err := s.proofs(ctx, t.Artist)
			if err != nil {
				return err
			}
			batch.Lines = append(batch.Lines, contract.Payout{
				Artist: contract.Digest("payee", t.Artist), Micro: l.Micro, Sent: sent, Provider: t.Provider, Ref: t.Ref, Totals: proofs,
			})
		}
		if err := s.Book.Submit(ctx, batch); err != nil {
			return err
		}
		now := s.Now().UTC()
		err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			for _, t := range chunk {
				err := tx.Model(&PayoutLine{}).Where("month = ? AND artist = ?", month, t.Artist).
					Updates(map[string]any{"state": Sent, "provider": t.Provider, "ref": t.Ref, "sent_at": now}).Error
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return wrap("write transfers", err)
		}
	}
	return nil
}
