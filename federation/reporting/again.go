package reporting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
)

const (
	// againFor is for how long a record that was refused is tried again: the longest that a step of a dispute may take.
	againFor = 72 * time.Hour
	// againAtOnce bounds how many of one node are tried in one pass: what it has said that is wrong costs others little.
	againAtOnce = 50
)

// crossing are the functions that build on what other nodes have said, or on what the own clock has closed: a vote may be
// heard before the evidence that it is about, evidence before the doubt, and a final statement before the dispute is closed
// here.
func crossing() []string {
	return []string{"open_dispute", "give_evidence", "vote", "appeal", "state_final", "pay_out", "correct", "lapse"}
}

// overtaken reports whether a refusal says nothing about the node: two of three votes decide, and whoever votes at the same
// time is one too many.
func (h heardRow) overtaken(err error) bool {
	return h.Function == "vote" && errors.Is(err, contract.ErrState)
}

// again tries what was refused a short while ago and may only have come too early, until nothing more comes out. What was
// found about a record that does is taken back.
func (s *Service) again(ctx context.Context) error {
	recently := func() *gorm.DB {
		return s.DB.Read.WithContext(ctx).Model(&heardRow{}).
			Where("state = ? AND heard_at > ? AND function IN ?", refused, s.Now().UTC().Add(-againFor), crossing())
	}
	for better := true; better; {
		better = false
		var nodes []string
		if err := recently().Distinct("node").Order("node").Pluck("node", &nodes).Error; err != nil {
			return fmt.Errorf("read refused records: %w", err)
		}
		for _, host := range nodes {
			var rows []heardRow
			if err := recently().Where("node = ?", host).Order("n").Limit(againAtOnce).Find(&rows).Error; err != nil {
				return fmt.Errorf("read refused records of %s: %w", host, err)
			}
			for _, row := range rows {
				out, err := s.tryAgain(ctx, row)
				if err != nil {
					return fmt.Errorf("record %d of %s: %w", row.N, host, err)
				}
				better = better || out
			}
		}
	}
	return nil
}

// tryAgain reports whether a record comes out now.
func (s *Service) tryAgain(ctx context.Context, row heardRow) (bool, error) {
	out := false
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		out = false
		node, err := contract.NodeAt(ctx, s.Book(), row.Node)
		if err != nil {
			return err
		}
		_, err = s.Ledger.PostAs(ctx, tx, node.Caller, contract.Said{Function: row.Function, Args: []byte(row.Args)})
		if err != nil && !errors.Is(err, contract.ErrDuplicate) {
			if isRefusal(err) {
				return nil
			}
			return err
		}
		// Two who try at once have one of them find nothing to do.
		res := tx.Model(&heardRow{}).Where("node = ? AND n = ? AND state = ?", row.Node, row.N, refused).Updates(map[string]any{"state": applied, "words": ""})
		out = res.RowsAffected == 1
		if res.Error != nil {
			return fmt.Errorf("note record: %w", res.Error)
		}
		return tx.Exec("DELETE FROM report_findings WHERE node = ? AND kind = 'refused' AND subject = ?", row.Node, fmt.Sprint(row.N)).Error
	})
	return out, err
}
