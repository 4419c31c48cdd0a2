package report

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Words are those of who says that a decision is wrong: the listener and the artist whom it concerns.
type Words struct {
	Listener string `json:"listener,omitempty"`
	Artist   string `json:"artist,omitempty"`
}

// Value implements [driver.Valuer].
func (w Words) Value() (driver.Value, error) {
	if w == (Words{}) {
		return "", nil
	}
	text, err := json.Marshal(w)
	return string(text), err
}

// Scan implements [database/sql.Scanner].
func (w *Words) Scan(from any) error {
	*w = Words{}
	var text string
	switch v := from.(type) {
	case string:
		text = v
	case []byte:
		text = string(v)
	}
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), w); err != nil {
		return fmt.Errorf("words of an appeal: %w", err)
	}
	return nil
}

// maxWords is how many bytes of somebody's words are kept.
const maxWords = 2000

func cut(words string) string {
	words = strings.TrimSpace(words)
	if len(words) > maxWords {
		words = words[:maxWords]
	}
	return strings.ToValidUTF8(words, "")
}

// Appeal keeps a listener's words against a decision, for who decides. They replace those of before.
func (s *Service) Appeal(ctx context.Context, month royalty.Month, pseudonym, artist, words string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.appeal(ctx, tx, month, tx.Where("pseudonym = ? AND artist = ?", pseudonym, artist), artist, func(w *Words) { w.Listener = cut(words) })
	})
}

// AppealArtist keeps an artist's words against all decisions of a month on plays of the artist. They replace those of
// before. ErrUnknown says that there are none.
func (s *Service) AppealArtist(ctx context.Context, month royalty.Month, artist, words string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.appeal(ctx, tx, month, tx.Where("artist = ?", artist), artist, func(w *Words) { w.Artist = cut(words) })
	})
}

func (s *Service) appeal(ctx context.Context, tx *gorm.DB, month royalty.Month, which *gorm.DB, artist string, change func(w *Words)) error {
	if err := s.notFinal(ctx, month); err != nil {
		return err
	}
	var all []Decision
	if err := which.Where("month = ? AND state <> ?", month, Noted).Find(&all).Error; err != nil {
		return wrap("read decisions", err)
	}
	if len(all) == 0 {
		return fmt.Errorf("%w: nothing of %s is held", ErrUnknown, artist)
	}
	for _, d := range all {
		change(&d.Appeal)
		err := tx.Model(&Decision{}).Where("month = ? AND pseudonym = ? AND artist = ?", d.Month, d.Pseudonym, d.Artist).
			Updates(map[string]any{"appeal": d.Appeal, "updated_at": s.Now().UTC()}).Error
		if err != nil {
			return wrap("write appeal", err)
		}
	}
	return nil
}

// notFinal is an error of the contract's when a month's final statement is made.
func (s *Service) notFinal(ctx context.Context, month royalty.Month) error {
	if _, err := contract.Finally(ctx, s.Book, month, s.config.Node); err == nil {
		return fmt.Errorf("%w: %s is final", contract.ErrLate, month)
	} else if !errors.Is(err, contract.ErrUnknown) {
		return err
	}
	return nil
}

// Wait is what decisions of one kind mean for an artist in a month on this node. Who the listeners are is not said.
type Wait struct {
	Month royalty.Month `json:"month"`
	// Rule of the Policy of that version has marked plays of so many Listeners, of which State became so.
	Rule      string        `json:"rule"`
	Policy    int           `json:"policy"`
	Listeners int           `json:"listeners"`
	State     DecisionState `json:"state"`
	// Evidence are hashes of what the rule looked at, at most five.
	Evidence []string `json:"evidence,omitempty"`
	// Micro is the whole money of these listeners while it waits; the artist's part of it is not known before.
	Micro royalty.Micro `json:"micro"`
	// DecidedBy is who decided, "time" when nobody did; Words are the artist's own. Final says that nothing changes any more.
	DecidedBy string `json:"decidedBy,omitempty"`
	Words     string `json:"words,omitempty"`
	Final     bool   `json:"final"`
}

// waitMonths is for how many months decisions are shown, and shownEvidence how many hashes.
const (
	waitMonths    = 12
	shownEvidence = 5
)

// Waits are the decisions on plays of an artist, added up, the newest month first. What is only noted is not among them: it
// changes nothing.
func (s *Service) Waits(ctx context.Context, artist string) ([]Wait, error) {
	from := royalty.MonthOf(royalty.MonthOf(s.Now()).Start().AddDate(0, -waitMonths, 0))
	var all []Decision
	err := s.DB.Read.WithContext(ctx).Where("artist = ? AND month >= ? AND state <> ?", artist, from, Noted).
		Order("month DESC, rule, state, decided_by, pseudonym").Find(&all).Error
	if err != nil {
		return nil, wrap("read decisions", err)
	}
	final := map[royalty.Month]bool{}
	var out []Wait
	for _, d := range all {
		if _, known := final[d.Month]; !known {
			err := s.notFinal(ctx, d.Month)
			if err != nil && !errors.Is(err, contract.ErrLate) {
				return nil, err
			}
			final[d.Month] = err != nil
		}
		last := len(out) - 1
		if last < 0 || out[last].Month != d.Month || out[last].Rule != d.Rule || out[last].State != d.State || out[last].DecidedBy != d.DecidedBy {
			out = append(out, Wait{Month: d.Month, Rule: d.Rule, Policy: d.Policy, State: d.State, DecidedBy: d.DecidedBy, Words: d.Appeal.Artist, Final: final[d.Month]})
			last++
		}
		w := &out[last]
		w.Listeners++
		if d.State == Held {
			w.Micro += royalty.Pool
		}
		if len(w.Evidence) < shownEvidence && (len(w.Evidence) == 0 || w.Evidence[len(w.Evidence)-1] != d.Evidence) {
			w.Evidence = append(w.Evidence, d.Evidence)
		}
	}
	return out, nil
}
