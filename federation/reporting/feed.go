package reporting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/inbox"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/vocab"
)

// feedRow is how much of the own ledger was sent, and heardRow a record of another one's.
type feedRow struct {
	Name string `gorm:"primaryKey"`
	N    int64
}

func (feedRow) TableName() string { return "report_feed" }

type heardRow struct {
	Node           string `gorm:"primaryKey"`
	N              int64  `gorm:"primaryKey"`
	Previous       int64
	Function, Args string
	State, Words   string
	HeardAt        time.Time
}

func (heardRow) TableName() string { return "records_heard" }

// The states of what was heard.
const (
	waiting = "waiting"
	applied = "applied"
	refused = "refused"
)

const (
	// looked is the name of the number of the next record to look at, sent that of the last one that was sent.
	looked, sent = "looked", "sent"
	// batchBytes is how much one activity holds of arguments.
	batchBytes = 500_000
	// ahead is for how long a record waits whose time has not come here.
	ahead = 15 * time.Minute
)

// feed sends the records of the own ledger that others need, in batches, each once: what was sent is written down in the
// transaction that queues it.
func (s *Service) feed(ctx context.Context) error {
	if len(s.config.Nodes) == 0 {
		return nil
	}
	for {
		more, err := s.feedSome(ctx)
		if err != nil || !more {
			return err
		}
	}
}

func (s *Service) feedSome(ctx context.Context) (more bool, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var next, previous feedRow
		for _, r := range []struct {
			name string
			row  *feedRow
		}{{looked, &next}, {sent, &previous}} {
			if err := tx.Where("name = ?", r.name).Take(r.row).Error; err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
				return fmt.Errorf("read feed: %w", err)
			}
		}
		calls, err := ledger.Calls(ctx, tx, next.N, vocab.MaxRecords)
		if err != nil || len(calls) == 0 {
			return err
		}
		more = true
		l := vocab.LedgerRecords{AttributedTo: s.Actors.Instance(), Previous: previous.N}
		bytes := 0
		for _, c := range calls {
			if bytes > 0 && bytes+len(c.Args) > batchBytes {
				break
			}
			next.N = c.N + 1
			if c.Caller != s.Ledger.Origin() || !contract.Shared(c.Function) {
				continue
			}
			bytes += len(c.Args)
			l.Records = append(l.Records, vocab.LedgerRecord{Number: c.N + 1, Call: c.Function, Arguments: string(c.Args)})
			previous.N = c.N + 1
		}
		if len(l.Records) > 0 {
			if err := s.send(ctx, tx, l); err != nil {
				return err
			}
		}
		rows := []feedRow{{looked, next.N}, {sent, previous.N}}
		return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"n"})}).Create(&rows).Error
	})
	return more, err
}

func (s *Service) send(ctx context.Context, tx *gorm.DB, l vocab.LedgerRecords) error {
	last := l.Records[len(l.Records)-1].Number
	l.ID = fmt.Sprintf("%s/ledger/records/%d", s.config.BaseURL, last)
	raw, err := s.sign(ctx, l.AttributedTo, l.Object())
	if err != nil {
		return fmt.Errorf("sign records: %w", err)
	}
	var to []string
	for _, host := range s.config.Nodes {
		to = append(to, s.instance(host))
	}
	return s.Outbox.Tell(ctx, tx, vocab.Activity{
		ID: l.ID + "/create", Type: vocab.VerbCreate, Actor: l.AttributedTo, Object: vocab.Ref{ID: l.ID, Raw: raw}, To: to,
	})
}

// hear keeps what another node has written down, and works it.
func (s *Service) hear(ctx context.Context, in inbox.Incoming) error {
	node, known, err := s.nodeOf(ctx, in.Actor.URI)
	if err != nil {
		return err
	}
	if !known {
		return inbox.Refuse("%s does not take part in the pool", in.Actor.URI)
	}
	if err := s.check(ctx, in.Activity.Object.Raw, in.Actor.URI); err != nil {
		return inbox.Refuse("the proof is not good: %v", err)
	}
	l, err := vocab.ReadLedgerRecords(in.Activity.Object.Raw)
	if err != nil {
		return inbox.Refuse("malformed records: %v", err)
	}
	var rows []heardRow
	previous := l.Previous
	for _, r := range l.Records {
		if !contract.Shared(r.Call) {
			return inbox.Refuse("%s is not for others", r.Call)
		}
		if !json.Valid([]byte(r.Arguments)) {
			return inbox.Refuse("the arguments of record %d are not JSON", r.Number)
		}
		rows = append(rows, heardRow{node.Host, r.Number, previous, r.Call, r.Arguments, waiting, "", s.Now().UTC()})
		previous = r.Number
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, row := range rows {
			var have heardRow
			err := tx.Where("node = ? AND n = ?", row.Node, row.N).Take(&have).Error
			switch {
			case errors.Is(err, gorm.ErrRecordNotFound):
				err = tx.Create(&row).Error
			case err == nil && (have.Function != row.Function || have.Args != row.Args || have.Previous != row.Previous):
				// Two things under one number: a fork, for everybody to see.
				err = s.find(tx, row.Node, monthOf(row.Args), report.Finding{
					Kind: "fork", Subject: fmt.Sprint(row.N), Words: fmt.Sprintf("It has signed two different records with the number %d: %s and %s.", row.N, have.Function, row.Function),
				})
			}
			if err != nil {
				return fmt.Errorf("keep record: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.apply(ctx)
}

// apply writes what was heard into the own ledger, each node's records in their order. What the contract refuses is kept
// with its words, and the next ones are tried all the same; see again.
func (s *Service) apply(ctx context.Context) error {
	var nodes []string
	if err := s.DB.Read.WithContext(ctx).Model(&heardRow{}).Where("state = ?", waiting).Distinct("node").Order("node").Pluck("node", &nodes).Error; err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	var errs []error
	for _, host := range nodes {
		if err := s.applyOf(ctx, host); err != nil {
			errs = append(errs, fmt.Errorf("records of %s: %w", host, err))
		}
	}
	return errors.Join(append(errs, s.again(ctx))...)
}

func (s *Service) applyOf(ctx context.Context, host string) error {
	for {
		more := false
		err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			more = false
			node, err := contract.NodeAt(ctx, s.Book(), host)
			if err != nil {
				return err
			}
			var row heardRow
			err = tx.Where("node = ? AND state = ?", host, waiting).Order("n").Take(&row).Error
			if errors.Is(err, gorm.ErrRecordNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			if ready, err := s.follows(tx, row); err != nil || !ready {
				return err
			}
			state, words := applied, ""
			_, err = s.Ledger.PostAs(ctx, tx, node.Caller, contract.Said{Function: row.Function, Args: []byte(row.Args)})
			switch {
			case err == nil, errors.Is(err, contract.ErrDuplicate) && row.Function != "report_day" && row.Function != "report_month":
			case errors.Is(err, contract.ErrEarly) && s.Now().Sub(row.HeardAt) < ahead:
				return nil // its clock is ahead of ours
			case !isRefusal(err):
				return err
			default:
				state, words = refused, err.Error()
				if row.overtaken(err) {
					break
				}
				f := report.Finding{Kind: "refused", Subject: fmt.Sprint(row.N), Words: fmt.Sprintf("Its record %d (%s) does not come out: %s.", row.N, row.Function, words)}
				if err := s.find(tx, host, monthOf(row.Args), f); err != nil {
					return err
				}
			}
			more = true
			return tx.Model(&heardRow{}).Where("node = ? AND n = ?", row.Node, row.N).Updates(map[string]any{"state": state, "words": words}).Error
		})
		if err != nil || !more {
			return err
		}
	}
}

// follows reports whether the record before was heard and worked; the first one that is ever heard of a node has none
// before it here.
func (s *Service) follows(tx *gorm.DB, row heardRow) (bool, error) {
	if row.Previous == 0 {
		return true, nil
	}
	var n int64
	err := tx.Model(&heardRow{}).Where("node = ? AND n = ? AND state <> ?", row.Node, row.Previous, waiting).Count(&n).Error
	return n > 0, err
}

func isRefusal(err error) bool {
	_, ok := contract.ParseMessage(contract.Message(err))
	return ok
}

// monthOf is the month that arguments are about, for a list of findings.
func monthOf(args string) string {
	var in struct{ Month, Day string }
	if err := json.Unmarshal([]byte(args), &in); err != nil {
		return ""
	}
	if in.Month == "" && len(in.Day) > 7 {
		in.Month = in.Day[:7]
	}
	return strings.ToValidUTF8(in.Month, "")
}
