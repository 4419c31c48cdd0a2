package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
)

type ring struct {
	Bell string `json:"bell"`
}

func (ring) Kind() string { return "ring" }

type ringOnce struct {
	Bell string `json:"bell"`
}

func (ringOnce) Kind() string          { return "ring_once" }
func (ringOnce) Options() jobs.Options { return jobs.Options{Once: true} }

func open(t *testing.T) (*db.DB, *jobs.Queue) {
	t.Helper()
	d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "antiphon.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, jobs.New(d, slog.New(slog.DiscardHandler))
}

func start(t *testing.T, q *jobs.Queue) {
	t.Helper()
	if err := q.Open(); err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestJobRunsOnlyWhenItsTransactionCommits(t *testing.T) {
	t.Parallel()
	d, q := open(t)
	rung := make(chan string, 4)
	jobs.Handle(q, jobs.Handler[ring]{Work: func(_ context.Context, a ring, _ int) error { rung <- a.Bell; return nil }})
	start(t, q)
	undo := errors.New("undo")
	err := d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		if err := q.Insert(ctx, tx, ring{Bell: "lost"}); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatalf("transaction ended with %v", err)
	}
	err = d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return q.Insert(ctx, tx, ring{Bell: "kept"}) })
	if err != nil {
		t.Fatal(err)
	}
	if got := <-rung; got != "kept" {
		t.Fatalf("worked %q, want the committed job alone", got)
	}
}

func TestOnceIsOnce(t *testing.T) {
	t.Parallel()
	d, q := open(t)
	rung := make(chan string, 4)
	jobs.Handle(q, jobs.Handler[ringOnce]{Work: func(_ context.Context, a ringOnce, _ int) error { rung <- a.Bell; return nil }})
	start(t, q)
	for _, bell := range []string{"a", "a", "b"} {
		err := d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return q.Insert(ctx, tx, ringOnce{Bell: bell}) })
		if err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]int{}
	for got["a"] == 0 || got["b"] == 0 {
		got[<-rung]++
	}
	if err := q.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got["a"]+len(rung) != 1 || got["b"] != 1 {
		t.Fatalf("worked %v and %d more, want each once", got, len(rung))
	}
}

func TestLoopHasTheHoursOfTheQueue(t *testing.T) {
	t.Parallel()
	_, q := open(t)
	jobs.Handle(q, jobs.Handler[ring]{Work: func(context.Context, ring, int) error { return nil }})
	began, ended := make(chan struct{}), false
	q.Loop(func(ctx context.Context) {
		close(began)
		<-ctx.Done()
		ended = true
	})
	select {
	case <-began:
		t.Error("the loop runs before the queue is started")
	default:
	}
	start(t, q)
	<-began
	for range 2 {
		if err := q.Stop(t.Context()); err != nil || !ended {
			t.Errorf("after Stop the loop has ended: %t, %v", ended, err)
		}
	}
}

func TestNestedTransactionIsRefused(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	err := d.Tx(t.Context(), func(ctx context.Context, _ *gorm.DB) error {
		return d.Tx(ctx, func(context.Context, *gorm.DB) error { return nil })
	})
	if !errors.Is(err, db.ErrNested) {
		t.Fatalf("nested transaction: %v", err)
	}
}
