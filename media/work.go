package media

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
)

// The pipeline's jobs, one a step; each commits its step and the next one's job together.
type (
	probeJob   struct{ Track TrackID }
	convertJob struct{ Track TrackID }
	sealJob    struct{ Track TrackID }
	finishJob  struct{ Track TrackID }
	previewJob struct {
		Track TrackID
		Start int64
	}
)

func (probeJob) Kind() string   { return "media_probe" }
func (convertJob) Kind() string { return "media_convert" }
func (sealJob) Kind() string    { return "media_seal" }
func (finishJob) Kind() string  { return "media_finish" }
func (previewJob) Kind() string { return "media_preview" }

func (probeJob) Options() jobs.Options {
	return jobs.Options{Queue: jobs.Media, MaxAttempts: maxAttempts}
}
func (convertJob) Options() jobs.Options {
	return jobs.Options{Queue: jobs.Media, MaxAttempts: maxAttempts}
}
func (sealJob) Options() jobs.Options {
	return jobs.Options{Queue: jobs.Media, MaxAttempts: maxAttempts}
}
func (finishJob) Options() jobs.Options {
	return jobs.Options{Queue: jobs.Media, MaxAttempts: maxAttempts}
}
func (previewJob) Options() jobs.Options {
	return jobs.Options{Queue: jobs.Media, MaxAttempts: maxAttempts}
}

const (
	maxAttempts = 5
	// stepTime bounds one step: the embedded FFmpeg takes a while over hours of music.
	stepTime = 6 * time.Hour
)

// Register registers the pipeline's jobs.
func (s *Service) Register(q *jobs.Queue) {
	handle(q, s, "probe", Received, s.probe, func(j probeJob) TrackID { return j.Track })
	handle(q, s, "convert", Probed, s.convert, func(j convertJob) TrackID { return j.Track })
	handle(q, s, "seal", Converted, s.seal, func(j sealJob) TrackID { return j.Track })
	handle(q, s, "finish", Packaged, s.finish, func(j finishJob) TrackID { return j.Track })
	jobs.Handle(q, jobs.Handler[previewJob]{Work: s.remakePreview, Timeout: stepTime, Retry: retry})
	jobs.Handle(q, jobs.Handler[downloadJob]{Work: s.makeDownloads, Timeout: stepTime, Retry: retry})
	jobs.Handle(q, jobs.Handler[dropJob]{Work: s.dropDownload, Timeout: time.Minute})
}

// handle registers a step. A track that has left the step's state is passed over: the step was done before. A refusal
// of the file fails the track at once, with its words; a full disk makes it wait; anything else is tried again and then
// fails it too.
func handle[T jobs.Args](q *jobs.Queue, s *Service, name string, state State, work func(ctx context.Context, t Track) error, id func(T) TrackID) {
	jobs.Handle(q, jobs.Handler[T]{
		Timeout: stepTime, Retry: retry,
		Work: func(ctx context.Context, job T, attempt int) error {
			t, err := ByID(ctx, s.db.Read, id(job))
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil || t.State != state {
				return err
			}
			if err := s.begin(ctx, t.ID, name); err != nil {
				return err
			}
			err = work(ctx, t)
			var refused *Refusal
			switch {
			case err == nil:
				return nil
			case errors.As(err, &refused):
				return s.fail(ctx, t, name, refused.Words)
			case ctx.Err() == nil && full(err):
				return s.wait(ctx, t.ID, name, err)
			case ctx.Err() == nil && attempt >= maxAttempts:
				s.log.Error("pipeline step given up", "track", t.ID, "step", name, "error", err)
				return s.fail(ctx, t, name, "Something went wrong here, and trying again did not help. The admin finds the reason in the log.")
			default:
				return fmt.Errorf("%s track %s: %w", name, t.ID, err)
			}
		},
	})
}

func retry(attempt int) time.Duration { return time.Duration(attempt*attempt) * 2 * time.Second }

// Refusal says why a file cannot become a track, in words for its artist.
type Refusal struct{ Words string }

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Words }

// fail ends a track's way through the pipeline and lets go of its files.
func (s *Service) fail(ctx context.Context, t Track, name, words string) error {
	t.Failure = words
	err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := s.setStep(tx, t.ID, name, map[string]any{"state": stepFailed, "message": words, "ended_at": s.utc()}); err != nil {
			return err
		}
		return move(tx, &t, Failed, s.utc())
	})
	if err != nil {
		return err
	}
	return s.clear(t)
}
