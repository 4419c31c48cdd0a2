package media_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/testkit"
	"antiphon/media"
	"antiphon/media/ipfs"
)

// TestFullDisk runs in a process of its own, in which no file grows beyond a bound: to a program that is a full disk,
// and it takes neither rights nor a file system to make one.
func TestFullDisk(t *testing.T) {
	if os.Getenv("ANTIPHON_TEST_FULL_DISK") == "" {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), "ANTIPHON_TEST_FULL_DISK=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFullDisk/D9/twin") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	room := func(bytes uint64) {
		t.Helper()
		var now syscall.Rlimit
		must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now))
		must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: min(bytes, now.Max), Max: now.Max}))
	}
	h := openWith(t, t.TempDir(), media.Config{FullPause: time.Second})
	block := make([]byte, ipfs.MaxBlock)
	if _, err := rand.Read(block); err != nil {
		t.Fatal(err)
	}
	cid := ipfs.CIDOf(block)
	upload := h.put(t, "upload-1", song)
	write := func() error {
		return h.db.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec("CREATE TABLE IF NOT EXISTS large (bytes BLOB); INSERT INTO large VALUES (zeroblob(16777216))").Error
		})
	}
	var track media.Track
	little := uint64(upload.Size) - 64<<10
	step := func() (message string) {
		h.db.Read.Table("steps").Where("track = ? AND message <> ''", track.ID).Pluck("message", &message)
		return message
	}
	testkit.BadInput(t, "D9", func(t *testing.T) {
		// There is some room, but not for the master, which is as large as the recording.
		must(t, h.db.Write.Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error)
		room(little)
		if err := write(); err == nil {
			t.Error("16 MiB were written where there is room for 2")
		}
		var n int64
		if err := h.db.Read.Table("sqlite_master").Where("name = 'large'").Count(&n).Error; err != nil || n != 0 {
			t.Errorf("after a write that failed: %d tables, %v", n, err)
		}
		var err error
		track, err = h.Ingest(t.Context(), upload)
		must(t, err)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !strings.Contains(step(), "disk of this server is full") {
			select {
			case <-tick.C:
			case <-t.Context().Done():
			}
			if now, err := media.ByID(t.Context(), h.db.Read, track.ID); err != nil || now.State == media.Failed || now.State == media.Ready {
				t.Fatalf("the track is %s (%s), %v", now.State, now.Failure, err)
			}
		}
		if _, err := os.Stat(h.dir + "/uploads/upload-1"); err != nil {
			t.Errorf("the upload is gone: %v", err)
		}
		// The store has no room for a block at all.
		room(256 << 10)
		if _, err := h.store.Put(t.Context(), block); err == nil {
			t.Error("a block of 1 MiB was stored where there is room for 256 KiB")
		}
		if has, err := h.store.Has(t.Context(), cid); err != nil || has {
			t.Errorf("after that: there %t, %v", has, err)
		}
		if b, err := h.store.Get(t.Context(), cid); err == nil {
			t.Errorf("a block that was not stored is read: %d bytes", len(b))
		}
		room(little)
	}, func(t *testing.T) {
		room(^uint64(0))
		if _, err := h.store.Put(t.Context(), block); err != nil {
			t.Error(err)
		}
		if b, err := h.store.Get(t.Context(), cid); err != nil || !bytes.Equal(b, block) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		if err := write(); err != nil {
			t.Error(err)
		}
		if done := h.until(t, track.ID, media.Ready, media.Failed); done.State != media.Ready {
			t.Errorf("with room again the track is %s: %s", done.State, done.Failure)
		}
		if left := step(); left != "" {
			t.Errorf("the step still says %q", left)
		}
	})
}
