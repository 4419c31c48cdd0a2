package report

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/anomaly"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// DecisionState is what becomes of plays that a rule has marked.
type DecisionState string

// The states. A rule that only tells makes a note; one that is applied holds.
const (
	Noted   DecisionState = "noted"
	Held    DecisionState = "held"
	Paid    DecisionState = "paid"
	Removed DecisionState = "removed"
)

// Decision is on one listener's plays of one artist in a month.
type Decision struct {
	Month     royalty.Month `gorm:"primaryKey"`
	Pseudonym string        `gorm:"primaryKey"`
	Artist    string        `gorm:"primaryKey"`
	// Rule is such as "R6", of the Policy of that version; Evidence is the hash of what it looked at.
	Rule     string
	Policy   int
	Evidence string
	State    DecisionState
	// Appeal are the words of those who say that it is wrong.
	Appeal Words
	// DecidedBy is the name of who decided, "time" when nobody did before the final statement, empty before.
	DecidedBy string
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
}

// TableName is gorm's name for the table.
func (Decision) TableName() string { return "report_decisions" }

// suspect is a decision to make, or a note, as the policy says of the rule.
func (s *Service) suspect(policy contract.Policy, month royalty.Month, pseudonym, artist, rule, evidence string) Decision {
	d := Decision{
		Month: month, Pseudonym: pseudonym, Artist: artist, Rule: rule, Policy: policy.Version, Evidence: evidence, State: Held, UpdatedAt: s.Now().UTC(),
	}
	if Rules(policy).Tells(anomaly.Rule(rule)) {
		d.State = Noted
	}
	return d
}

// suspectAll writes what the rules that look at a whole month say. What was decided before stays decided.
func (s *Service) suspectAll(ctx context.Context, month royalty.Month, policy contract.Policy) error {
	if s.Suspect == nil {
		return nil
	}
	var all []Suspicion
	err := s.Suspect(ctx, month, func(x Suspicion) error {
		if slices.Contains(policy.Rules, x.Rule) {
			all = append(all, x)
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var decisions []Decision
		for _, x := range all {
			pseudonym, err := s.Pseudonyms.Of(ctx, tx, month, x.Listener)
			if err != nil {
				return err
			}
			decisions = append(decisions, s.suspect(policy, month, pseudonym, x.Artist, x.Rule, x.Evidence))
		}
		return writeDecisions(tx, decisions)
	})
}

// writeDecisions writes what rules say of pairs. The first rule that held a pair in a month is the one that is looked at;
// a note gives way to it, and what people have decided stays.
func writeDecisions(tx *gorm.DB, decisions []Decision) error {
	first := map[Pair]int{}
	var rows []Decision
	for _, d := range decisions {
		pair := Pair{d.Pseudonym, d.Artist}
		if at, known := first[pair]; !known {
			first[pair] = len(rows)
			rows = append(rows, d)
		} else if rows[at].State == Noted && d.State == Held {
			rows[at] = d
		}
	}
	err := tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "month"}, {Name: "pseudonym"}, {Name: "artist"}},
		DoUpdates: clause.AssignmentColumns([]string{"rule", "policy", "evidence", "state", "updated_at"}),
		Where:     clause.Where{Exprs: []clause.Expression{gorm.Expr("report_decisions.state = ? AND excluded.state = ?", Noted, Held)}},
	}).CreateInBatches(rows, pageLines/4).Error
	return wrap("write decisions", err)
}

// Decisions are those of a month, in order; only those in the given states when there are any.
func (s *Service) Decisions(ctx context.Context, month royalty.Month, states ...DecisionState) ([]Decision, error) {
	q := s.DB.Read.WithContext(ctx).Where("month = ?", month)
	if len(states) > 0 {
		q = q.Where("state IN ?", states)
	}
	var out []Decision
	if err := q.Order("pseudonym, artist").Find(&out).Error; err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	return out, nil
}

// Decide pays or removes what was held, by somebody's decision. It can be changed until the final statement is made,
// and then is [ErrNotYet] no longer but an error of the contract's; see ErrLate there.
func (s *Service) Decide(ctx context.Context, month royalty.Month, pseudonym, artist string, state DecisionState, by string) error {
	if state != Paid && state != Removed && state != Held {
		return fmt.Errorf("%w: to %q", ErrUnknown, state)
	}
	if err := s.notFinal(ctx, month); err != nil {
		return err
	}
	res := s.DB.Write.WithContext(ctx).Model(&Decision{}).
		Where("month = ? AND pseudonym = ? AND artist = ? AND state <> ?", month, pseudonym, artist, Noted).
		Updates(map[string]any{"state": state, "decided_by": by, "updated_at": s.Now().UTC()})
	if res.Error != nil {
		return fmt.Errorf("write decision: %w", res.Error)
	}
	if res.RowsAffected == 0 {
		return fmt.Errorf("%w: nothing of %s is held", ErrUnknown, artist)
	}
	return nil
}
