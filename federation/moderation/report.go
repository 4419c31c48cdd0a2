package moderation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/actor"
	"antiphon/vocab"
)

// The states of a report.
const (
	Open     = "open"
	Resolved = "resolved"
	// Dismissed is also what a report becomes that is about nothing here.
	Dismissed = "dismissed"
)

const (
	// maxObjects is how many objects of a report are kept.
	maxObjects = 50
	// maxFlags and maxSiteFlags are how many reports a day are taken of one actor, and of all actors of its host.
	maxFlags     = 50
	maxSiteFlags = 200
	// maxReports is how many reports a day one member may make.
	maxReports = 20
)

// ErrTooMany is returned when somebody reports more than is looked at in a day.
var ErrTooMany = errors.New("too many reports in one day")

// Report is that something was reported.
type Report struct {
	ID string `gorm:"primaryKey"`
	// URI is the Flag activity's.
	URI string
	// Reporter is the actor who reported: a member, or whoever spoke for another server.
	Reporter string
	Local    bool
	// Target is the account that it is about; Objects are URIs of what it made, a JSON list.
	Target  string
	Objects string
	// Words are plain text.
	Words string
	State string
	// Outcome is what came of it, in the admin's words.
	Outcome string
	// Forwarded says that the target's server was told.
	Forwarded bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// About are the URIs of what was reported besides the account.
func (r Report) About() []string {
	var out []string
	_ = json.Unmarshal([]byte(r.Objects), &out) // written by this package
	return out
}

// Note is what an admin wrote about a report, for other admins.
type Note struct {
	ID, Report, Author, Words string
	CreatedAt                 time.Time
}

// TableName is gorm's name for the table.
func (Note) TableName() string { return "report_notes" }

// Flag is a report that another server sent.
type Flag struct {
	// URI is the activity's id, From who signed it.
	URI, From string
	// Target is the local account that it is about; empty when it is about nothing here.
	Target  string
	Objects []string
	Words   string
}

// TakeFlag keeps a report of another server inside tx: once for each activity, cut to what is looked at, and not more
// than a bounded number a day of one actor and of one host, or ErrTooMany. One about nothing here is kept as dismissed.
func TakeFlag(ctx context.Context, tx *gorm.DB, f Flag, now time.Time) error {
	tx = tx.WithContext(ctx)
	now = now.UTC().Truncate(time.Second)
	var have int64
	if err := tx.Model(&Report{}).Where("uri = ?", f.URI).Count(&have).Error; err != nil {
		return fmt.Errorf("look for report %s: %w", f.URI, err)
	}
	if have > 0 {
		return nil
	}
	if err := bounded(tx.Where("reporter = ?", f.From), maxFlags, now); err != nil {
		return err
	}
	there := tx.Table("actors").Select("uri").Where("host = ? AND NOT local", actor.HostOf(f.From))
	if err := bounded(tx.Where("NOT local AND reporter IN (?)", there), maxSiteFlags, now); err != nil {
		return err
	}
	r := Report{
		ID: newID(), URI: f.URI, Reporter: f.From, Target: f.Target, Words: short(f.Words, maxWords), State: Open, CreatedAt: now, UpdatedAt: now,
	}
	if f.Target == "" {
		r.State, r.Outcome, r.Words = Dismissed, "It is about nothing here.", short(f.Words, 200)
		f.Objects = f.Objects[:min(len(f.Objects), 3)]
	}
	return r.write(tx, f.Objects)
}

func bounded(q *gorm.DB, most int64, now time.Time) error {
	var n int64
	if err := q.Model(&Report{}).Where("created_at > ?", now.Add(-24*time.Hour)).Count(&n).Error; err != nil {
		return fmt.Errorf("count reports: %w", err)
	}
	if n >= most {
		return ErrTooMany
	}
	return nil
}

func (r *Report) write(tx *gorm.DB, objects []string) error {
	if objects == nil {
		objects = []string{}
	}
	raw, err := json.Marshal(objects[:min(len(objects), maxObjects)])
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	r.Objects = string(raw)
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(r).Error; err != nil {
		return fmt.Errorf("write report %s: %w", r.URI, err)
	}
	return nil
}

// Complaint is a report that a member makes.
type Complaint struct {
	// From is the member, Target the account that it is about.
	From, Target string
	Objects      []string
	Words        string
	// Forward tells the target's server, in this instance's name and not in the member's.
	Forward bool
}

// Report keeps a member's report, and forwards it if asked to.
func (s *Service) Report(ctx context.Context, c Complaint) (Report, error) {
	target, err := s.Actors.Known(ctx, c.Target)
	if err != nil {
		return Report{}, err
	}
	if target.URI == c.From {
		return Report{}, ErrSelf
	}
	r := Report{
		ID: newID(), Reporter: c.From, Local: true, Target: target.URI, Words: short(c.Words, maxWords), State: Open,
		Forwarded: c.Forward && !target.Local, CreatedAt: s.utc(), UpdatedAt: s.utc(),
	}
	r.URI = s.BaseURL + "/flags/" + r.ID
	return r, s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := bounded(tx.Where("reporter = ?", c.From), maxReports, s.utc()); err != nil {
			return err
		}
		if err := r.write(tx, c.Objects); err != nil {
			return err
		}
		if !r.Forwarded {
			return nil
		}
		others := make([]vocab.Ref, 0, len(c.Objects))
		for _, uri := range r.About() {
			others = append(others, vocab.Ref{ID: uri})
		}
		return s.Outbox.Tell(ctx, tx, vocab.Activity{
			ID: r.URI, Type: vocab.VerbFlag, Actor: s.Actors.Instance(), Object: vocab.Ref{ID: target.URI}, Others: others,
			Content: r.Words, To: []string{target.URI},
		})
	})
}

// Reports returns the reports in a state, or all with "", the oldest open ones first, and how many there are in all.
func Reports(ctx context.Context, tx *gorm.DB, state string, offset, limit int) ([]Report, int64, error) {
	q := func() *gorm.DB {
		q := tx.WithContext(ctx).Model(&Report{})
		if state != "" {
			q = q.Where("state = ?", state)
		}
		return q
	}
	var total int64
	if err := q().Count(&total).Error; err != nil {
		return nil, 0, fmt.Errorf("count reports: %w", err)
	}
	order := "updated_at DESC, id"
	if state == Open {
		order = "created_at, id"
	}
	var rows []Report
	if err := q().Order(order).Offset(offset).Limit(limit).Find(&rows).Error; err != nil {
		return nil, 0, fmt.Errorf("read reports: %w", err)
	}
	return rows, total, nil
}

// ReportByID returns a report with its notes, the oldest first, or ErrNotFound.
func ReportByID(ctx context.Context, tx *gorm.DB, id string) (Report, []Note, error) {
	var r Report
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return r, nil, fmt.Errorf("%w: report %.40s", ErrNotFound, id)
	}
	if err != nil {
		return r, nil, fmt.Errorf("read report: %w", err)
	}
	var notes []Note
	if err := tx.WithContext(ctx).Where("report = ?", id).Order("created_at, id").Limit(500).Find(&notes).Error; err != nil {
		return r, nil, fmt.Errorf("read notes: %w", err)
	}
	return r, notes, nil
}

// AddNote writes an admin's note to a report.
func (s *Service) AddNote(ctx context.Context, admin, id, words string) error {
	words, err := reason(words)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if _, _, err := ReportByID(ctx, tx, id); err != nil {
			return err
		}
		if err := tx.Create(&Note{ID: newID(), Report: id, Author: admin, Words: words, CreatedAt: s.Now().UTC()}).Error; err != nil {
			return fmt.Errorf("write note: %w", err)
		}
		return nil
	})
}

// Close ends a report as Resolved or Dismissed, or takes it up again as Open. The member who made it is told the outcome.
func (s *Service) Close(ctx context.Context, admin, id, state, outcome string) error {
	outcome, err := reason(outcome)
	if err != nil {
		return err
	}
	if state != Open && state != Resolved && state != Dismissed {
		return fmt.Errorf("close report: there is no state %.20q", state)
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		r, _, err := ReportByID(ctx, tx, id)
		if err != nil {
			return err
		}
		change := map[string]any{"state": state, "outcome": outcome, "updated_at": s.utc()}
		if err := tx.Model(&Report{}).Where("id = ?", id).Updates(change).Error; err != nil {
			return fmt.Errorf("close report: %w", err)
		}
		if r.Local && state != Open {
			if err := Tell(ctx, tx, r.Reporter, TidingOutcome, r.Target, outcome, s.utc()); err != nil {
				return err
			}
		}
		return Record(ctx, tx, admin, "report "+state, r.ID+" about "+r.Target, outcome, s.Now())
	})
}
