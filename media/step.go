package media

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// The steps of the pipeline, in order, as the progress page names them.
var stepNames = []string{"probe", "convert", "seal", "finish"}

const (
	stepWaiting = "waiting"
	stepRunning = "running"
	stepDone    = "done"
	stepFailed  = "failed"
)

type step struct {
	Track TrackID `gorm:"primaryKey"`
	Name  string  `gorm:"primaryKey"`
	State string
	// Done is in thousandths.
	Done      int64
	Message   string
	StartedAt *time.Time
	EndedAt   *time.Time
}

// Step is one step's progress.
type Step struct {
	// Name is probe, convert, seal or finish; State is waiting, running, done or failed.
	Name, State string
	// Done is from 0 to 1.
	Done float64
	// Message tells a person what is wrong; empty when nothing is.
	Message string
}

// Progress is how far the pipeline is.
type Progress struct {
	State State
	Steps []Step
	// Left is an estimate of the time until the track is ready; 0 when it is not known.
	Left time.Duration
}

// Progress tells how far the pipeline is with a track.
func (s *Service) Progress(ctx context.Context, t Track) (Progress, error) {
	var rows []step
	if err := s.db.Read.WithContext(ctx).Where("track = ?", t.ID).Find(&rows).Error; err != nil {
		return Progress{}, fmt.Errorf("read steps of %s: %w", t.ID, err)
	}
	byName := make(map[string]step, len(rows))
	for _, row := range rows {
		byName[row.Name] = row
	}
	p := Progress{State: t.State}
	for _, name := range stepNames {
		row := byName[name]
		p.Steps = append(p.Steps, Step{Name: name, State: row.State, Done: float64(row.Done) / 1000, Message: row.Message})
		if row.State == stepRunning && row.StartedAt != nil && row.Done > 20 {
			spent := s.utc().Sub(*row.StartedAt)
			p.Left = time.Duration(float64(spent) * (1000 - float64(row.Done)) / float64(row.Done)).Round(time.Second)
		}
	}
	return p, nil
}

// begin marks a step as running.
func (s *Service) begin(ctx context.Context, id TrackID, name string) error {
	return s.setStep(s.db.Write.WithContext(ctx), id, name, map[string]any{"state": stepRunning, "done": 0, "message": "", "started_at": s.utc()})
}

// advance records progress; it is advice for a page, so an error is only logged, and it is written at most four times
// a second.
func (s *Service) advance(ctx context.Context, id TrackID, name string) func(done float64) {
	var last time.Time
	return func(done float64) {
		now := time.Now()
		if now.Sub(last) < 250*time.Millisecond {
			return
		}
		last = now
		err := s.setStep(s.db.Write.WithContext(ctx), id, name, map[string]any{"done": int64(min(max(done, 0), 1) * 1000)})
		if err != nil {
			s.log.Warn("progress not written", "track", id, "step", name, "error", err)
		}
	}
}

// end marks a step as done inside the transaction that ends it.
func (s *Service) end(tx *gorm.DB, id TrackID, name string) error {
	return s.setStep(tx, id, name, map[string]any{"state": stepDone, "done": 1000, "ended_at": s.utc()})
}

func (s *Service) setStep(tx *gorm.DB, id TrackID, name string, values map[string]any) error {
	if err := tx.Model(&step{}).Where("track = ? AND name = ?", id, name).Updates(values).Error; err != nil {
		return fmt.Errorf("write step %s of track %s: %w", name, id, err)
	}
	return nil
}
