package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"antiphon/internal/db"
)

// eventually waits for what has to happen soon.
func (s *soak) eventually(what string, look func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	if err := every(ctx, 50*time.Millisecond, func() (bool, error) { return look(), nil }); err != nil {
		s.t.Fatalf("not in time: %s", what)
	}
}

// read opens the instance's database beside it.
func (s *soak) read(look func(d *db.DB)) {
	s.t.Helper()
	d, err := db.Open(s.t.Context(), filepath.Join(s.dir, "antiphon.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	look(d)
	if err := d.Close(); err != nil {
		s.t.Error(err)
	}
}

// settle waits until every activity was looked at.
func (s *soak) settle() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	s.read(func(d *db.DB) {
		s.eventually("every activity is judged", func() bool {
			var n int64
			err := d.Read.Table("activities").Where("state = 'received'").Count(&n).Error
			return err == nil && n == 0
		})
	})
}

// effects compares the database with what was sent.
func (s *soak) effects() {
	s.t.Helper()
	s.read(func(d *db.DB) {
		var rows []struct{ URI, Content string }
		if err := d.Read.Table("posts").Select("uri, content").Scan(&rows).Error; err != nil {
			s.t.Fatal(err)
		}
		have := map[string]string{}
		for _, row := range rows {
			have[row.URI] = row.Content
			if s.gone[row.URI] {
				s.t.Errorf("%s is in the timeline: %s", row.URI, row.Content)
			}
		}
		if len(rows) != len(have) || !maps.Equal(have, s.posts) {
			s.t.Errorf("%d posts in the timeline, want %d", len(rows), len(s.posts))
		}
		var states []struct{ ID, Type, State, Outcome string }
		if err := d.Read.Table("activities").Select("id, type, state, outcome").Scan(&states).Error; err != nil {
			s.t.Fatal(err)
		}
		tally := map[string]int{}
		for _, row := range states {
			tally[row.State]++
			if s.forged[row.ID] && row.State != "refused" && row.State != "ignored" && row.Type != "Offer" {
				s.t.Errorf("hostile %s %s is %s: %s", row.Type, row.ID, row.State, row.Outcome)
			}
			if !s.forged[row.ID] && row.State != "done" && row.Type != "Delete" {
				s.t.Errorf("valid %s %s is %s: %s", row.Type, row.ID, row.State, row.Outcome)
			}
		}
		s.t.Logf("activities: %v, posts: %d", tally, len(rows))
		for table, want := range map[string]int64{"follows": 2 * soakHosts, "reactions": 0} {
			var n int64
			if err := d.Read.Table(table).Count(&n).Error; err != nil || n != want {
				s.t.Errorf("%d rows in %s, want %d, %v", n, table, want, err)
			}
		}
	})
}

// logged counts the lines of the log: one for each request, and one at most for each refusal beside it.
func (s *soak) logged() {
	s.t.Helper()
	requests, other := s.lines()
	if limit := int(s.hostile.Load()) + 100; other > limit {
		s.t.Errorf("%d lines in the log beside those of requests, for %d refusals", other, s.hostile.Load())
	}
	s.t.Logf("log: %d requests, %d other lines", requests, other)
}

func (s *soak) lines() (requests, other int) {
	f, err := os.Open(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	kinds := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.Contains(lines.Text(), "msg=request ") {
			requests++
			continue
		}
		other++
		_, message, _ := strings.Cut(lines.Text(), "msg=")
		kinds[message[:min(len(message), 40)]]++
	}
	for _, kind := range slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return cmp.Compare(kinds[b], kinds[a]) })[:min(5, len(kinds))] {
		s.t.Logf("%6d %s", kinds[kind], kind)
	}
	return requests, other
}

// resident is the memory of the process.
func (s *soak) resident() int64 {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// descriptors is how many files and connections the process has open.
func (s *soak) descriptors() int {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}

// goroutines ends the process with a dump of its goroutines, and compares their number with that of one that did
// nothing.
func (s *soak) goroutines() {
	s.t.Helper()
	fresh, err := newInstance(s.t.TempDir(), "idle")
	if err != nil {
		s.t.Fatal(err)
	}
	fresh.binary = s.binary
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := fresh.open(ctx); err != nil {
		s.t.Fatal(err)
	}
	defer fresh.stop()
	count := func(i *instance) int {
		if err := i.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
			s.t.Fatal(err)
		}
		<-i.exited
		text, err := os.ReadFile(i.log)
		if err != nil {
			s.t.Fatal(err)
		}
		madeBy := map[string]int{}
		for line := range strings.Lines(string(text)) {
			if what, ok := strings.CutPrefix(line, "created by "); ok {
				what, _, _ = strings.Cut(what, " in goroutine")
				madeBy[strings.TrimSpace(what)]++
			}
		}
		s.t.Logf("%s: %v", i.name, madeBy)
		return bytes.Count(text, []byte("\ngoroutine "))
	}
	idle, now := count(fresh), count(s.instance)
	s.t.Logf("goroutines: %d, and %d of an instance that did nothing", now, idle)
	// Work that begins a while after the start, such as the queue's own upkeep, is no leak.
	if idle == 0 || now > idle+40 {
		s.t.Errorf("%d goroutines, and %d of an instance that did nothing: see %s", now, idle, s.log)
	}
}
