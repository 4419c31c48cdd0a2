// Package jobs is the durable queue: River, with its rows in the instance's own database.
//
// A job is inserted in the transaction that made it necessary, so that a state and what follows from it commit
// together. Kinds and arguments are declared by the package that states the fact; who works them is registered in
// cmd. Begin with [New], [Handle] for every kind, then [Queue.Start]. Not for work whose loss nobody would notice.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/migrations"
)

// The queues. Media has one worker, because one FFmpeg is enough for a small machine.
const (
	Default = river.QueueDefault
	Media   = "media"
	// Inbox is for what other servers send, so that a flood of it does not hold up what happens here.
	Inbox = "inbox"
)

// poll is how long a committed job may lie before it is seen; neither database driver wakes the workers.
const poll = 50 * time.Millisecond

// slowPoll is the same for Media, whose work takes seconds anyway, and for Inbox, which is a second way: an idle instance is
// to be quiet.
const slowPoll = 500 * time.Millisecond

// Args are the arguments of one kind of job; they are stored as JSON and hold no secret.
type Args interface{ Kind() string }

// Options say how a job is kept; the zero value is the default queue, 25 attempts, at once.
type Options struct {
	// Queue is one of Default, Media and Inbox.
	Queue string
	// MaxAttempts is how often it is tried before it is given up; 25 when 0.
	MaxAttempts int
	// At is when it is tried first; now when zero.
	At time.Time
	// After is how long after it was inserted it is tried first.
	After time.Duration
	// Once makes a second insert with the same arguments do nothing, also for a day after the first has ended.
	Once bool
}

// Optioned is what arguments implement that differ from the default.
type Optioned interface{ Options() Options }

// Handler says how one kind is worked.
type Handler[T Args] struct {
	// Work does the job. It may run again after a crash, so it must be idempotent.
	Work func(ctx context.Context, args T, attempt int) error
	// Timeout bounds one attempt; 1 minute when 0.
	Timeout time.Duration
	// Retry is the pause after the given attempt, counted from 1; River's own schedule (attempt^4 s) when nil.
	Retry func(attempt int) time.Duration
}

// Queue inserts and works jobs.
type Queue struct {
	db      *db.DB
	log     *slog.Logger
	workers *river.Workers
	client  *river.Client[*sql.Tx]

	loops []func(ctx context.Context)
	// endLoops ends the loops that run, and looping waits for them.
	endLoops context.CancelFunc
	looping  sync.WaitGroup
}

// New makes a queue over d without workers. Kinds are added by [Handle] before [Queue.Start].
func New(d *db.DB, log *slog.Logger) *Queue {
	return &Queue{db: d, log: log, workers: river.NewWorkers()}
}

// Handle registers the handler of T's kind. A second handler of one kind is an error at start.
func Handle[T Args](q *Queue, h Handler[T]) {
	river.AddWorker(q.workers, &worker[T]{handler: h})
}

type worker[T Args] struct {
	river.WorkerDefaults[T]
	handler Handler[T]
}

func (w *worker[T]) Work(ctx context.Context, job *river.Job[T]) error {
	return w.handler.Work(ctx, job.Args, job.Attempt)
}

func (w *worker[T]) Timeout(*river.Job[T]) time.Duration {
	if w.handler.Timeout > 0 {
		return w.handler.Timeout
	}
	return time.Minute
}

func (w *worker[T]) NextRetry(job *river.Job[T]) time.Time {
	if w.handler.Retry == nil {
		return time.Time{}
	}
	return time.Now().Add(w.handler.Retry(job.Attempt))
}

// Cancel marks err as final: the job is not tried again.
func Cancel(err error) error { return river.JobCancel(err) }

// Later puts the job back for d without counting the attempt.
func Later(d time.Duration) error { return river.JobSnooze(d) }

// Open prepares the queue for inserts; work begins with [Queue.Start].
func (q *Queue) Open() error {
	var driver riverdriver.Driver[*sql.Tx] = riversqlite.New(q.db.SQL())
	if q.db.Dialect == migrations.Postgres {
		driver = riverdatabasesql.New(q.db.SQL())
	}
	client, err := river.NewClient(driver, &river.Config{
		Logger:            slog.New(quiet{q.log.Handler()}),
		Workers:           q.workers,
		FetchCooldown:     poll / 2,
		FetchPollInterval: poll,
		PollOnly:          true,
		// Jobs that a killed process left running are taken up again after this long; a graceful stop leaves none.
		RescueStuckJobsAfter: 2 * time.Hour,
		JobTimeout:           -1,
		Queues: map[string]river.QueueConfig{
			Default: {MaxWorkers: 16}, Media: {MaxWorkers: 1, FetchPollInterval: slowPoll}, Inbox: {MaxWorkers: 4, FetchPollInterval: slowPoll},
		},
	})
	if err != nil {
		return fmt.Errorf("open job queue: %w", err)
	}
	q.client = client
	return nil
}

// Start takes up what a killed process left running, then works jobs until [Queue.Stop].
// Only one process may work a SQLite database, and it owns all of its jobs.
func (q *Queue) Start(ctx context.Context) error {
	if q.db.Dialect == migrations.SQLite {
		err := q.db.Write.WithContext(ctx).Exec("UPDATE river_job SET state = 'available' WHERE state = 'running'").Error
		if err != nil {
			return fmt.Errorf("take up left jobs: %w", err)
		}
	}
	if err := q.client.Start(ctx); err != nil {
		return fmt.Errorf("start job queue: %w", err)
	}
	loops, end := context.WithCancel(ctx)
	q.endLoops = end
	for _, run := range q.loops {
		q.looping.Go(func() { run(loops) })
	}
	return nil
}

// Loop adds work that is no job but has the same hours: run is called by [Queue.Start], in a goroutine of its own, and
// [Queue.Stop] ends its context and waits until it has returned, which must be within seconds.
func (q *Queue) Loop(run func(ctx context.Context)) { q.loops = append(q.loops, run) }

// Stop waits for the running jobs; when ctx ends first they are cancelled and stay in the queue. Twice is safe.
func (q *Queue) Stop(ctx context.Context) error {
	if q.client == nil {
		return nil
	}
	if q.endLoops != nil {
		q.endLoops()
		defer q.looping.Wait()
	}
	err := q.client.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return q.client.StopAndCancel(hard)
	}
	return err
}

// Insert adds a job inside tx; it becomes visible to the workers when tx commits.
func (q *Queue) Insert(ctx context.Context, tx *gorm.DB, args Args) error {
	opts := &river.InsertOpts{}
	if o, ok := args.(Optioned); ok {
		options := o.Options()
		opts.Queue, opts.MaxAttempts, opts.ScheduledAt = options.Queue, options.MaxAttempts, options.At
		if options.After > 0 {
			opts.ScheduledAt = time.Now().Add(options.After)
		}
		if options.Once {
			opts.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()}
		}
	}
	pool := tx.Statement.ConnPool
	if prepared, ok := pool.(*gorm.PreparedStmtTX); ok {
		pool = prepared.Tx
	}
	handle, ok := pool.(*sql.Tx)
	if !ok {
		return fmt.Errorf("insert job %s: not inside a transaction", args.Kind())
	}
	if _, err := q.client.InsertTx(ctx, handle, args, opts); err != nil {
		return fmt.Errorf("insert job %s: %w", args.Kind(), err)
	}
	return nil
}

// quiet lowers River's routine messages, which come several times a minute, to debug.
type quiet struct{ slog.Handler }

func (h quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == slog.LevelInfo {
		if !h.Handler.Enabled(ctx, slog.LevelDebug) {
			return nil
		}
		r.Level = slog.LevelDebug
	}
	return h.Handler.Handle(ctx, r)
}

func (h quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{h.Handler.WithAttrs(attrs)} }

func (h quiet) WithGroup(name string) slog.Handler { return quiet{h.Handler.WithGroup(name)} }
