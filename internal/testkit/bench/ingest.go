package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/ipfs"
	"antiphon/media/seal"
	"antiphon/media/transcode"
)

// piece is real music from Debian's frozen-bubble-data, a little over three minutes.
const piece = "/usr/share/games/frozen-bubble/snd/introzik.ogg"

// ingest takes a four-minute track through the pipeline until it is sealed, and then gives FFmpeg the pipeline's own
// command line to run alone. What the pipeline needs on top is ours.
func (b *bench) ingest(ctx context.Context) error {
	song := filepath.Join(b.dir, "song.ogg")
	loop := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-stream_loop", "1", "-i", piece, "-t", "240", "-c", "copy", "-y", song)
	if out, err := loop.CombinedOutput(); err != nil {
		return fmt.Errorf("make a track of four minutes (it needs ffmpeg and frozen-bubble-data): %w\n%s", err, out)
	}
	native, err := transcode.Open(ctx, transcode.Config{Mode: transcode.ModeNative})
	if err != nil {
		return err
	}
	defer native.Close()
	engine := &listening{Engine: native}
	var whole, alone, ratio []float64
	for i := range b.rounds {
		all, err := b.pipeline(ctx, engine, song, fmt.Sprintf("ingest-%d", i))
		if err != nil {
			return err
		}
		ffmpeg, err := b.again(ctx, engine, song)
		if err != nil {
			return err
		}
		whole, alone = append(whole, all.Seconds()), append(alone, ffmpeg.Seconds())
		ratio = append(ratio, all.Seconds()/ffmpeg.Seconds())
	}
	if err := b.report("ingest/cpu", median(whole), "s", noFloor); err != nil {
		return err
	}
	if err := b.report("ingest/ffmpeg-alone", median(alone), "s", noFloor); err != nil {
		return err
	}
	return b.report("ingest/of-ffmpeg", median(ratio), "x", atMost(1.15))
}

// listening is an engine that keeps the command that makes the renditions.
type listening struct {
	transcode.Engine
	convert transcode.Command
}

// Run implements [transcode.Engine].
func (l *listening) Run(ctx context.Context, c transcode.Command) error {
	if c.Tool == transcode.FFmpeg && c.OutDir != "" {
		l.convert = c
	}
	return l.Engine.Run(ctx, c)
}

// again is the processor time of the last conversion's FFmpeg alone, with everything it makes going to files.
func (b *bench) again(ctx context.Context, l *listening, song string) (time.Duration, error) {
	c := l.convert
	if c.Args == nil {
		return 0, errors.New("the pipeline did not run ffmpeg")
	}
	dir, err := os.MkdirTemp(b.dir, "alone-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	args := c.Args
	c.Input, c.OutDir, c.Stdout, c.Stderr = song, dir, nil, nil
	c.Args = func(in, out string) []string {
		list := args(in, out)
		for i, arg := range list {
			if arg == "pipe:1" {
				list[i] = out + "/pcm"
			}
		}
		return list
	}
	_, before, err := cpu()
	if err != nil {
		return 0, err
	}
	if err := l.Engine.Run(ctx, c); err != nil {
		return 0, err
	}
	_, after, err := cpu()
	return after - before, err
}

// till is a shop that tells the processor time at which a track's content key came to it: everything is sealed then.
type till struct {
	sealed chan time.Duration
}

// Encapsulate implements [media.Shop].
func (t till) Encapsulate(context.Context, media.Track, seal.ContentKey) (func(*gorm.DB) error, error) {
	self, children, err := cpu()
	t.sealed <- self + children
	return func(*gorm.DB) error { return nil }, err
}

// SetOpen implements [media.Shop].
func (till) SetOpen(*gorm.DB, string, string, bool) error { return nil }

// pipeline is the processor time, ours and FFmpeg's, from an upload to its last sealed segment.
func (b *bench) pipeline(ctx context.Context, engine transcode.Engine, song, name string) (_ time.Duration, err error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Join(dir, "uploads"), 0o700); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	upload, err := os.ReadFile(song)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, "uploads", name), upload, 0o600); err != nil {
		return 0, err
	}
	log := slog.New(slog.DiscardHandler)
	database, err := db.Open(ctx, filepath.Join(dir, "antiphon.db"), log)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	keys, err := vault.Load(filepath.Join(dir, "master.key"), true, rand.Reader)
	if err != nil {
		return 0, err
	}
	store, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: filepath.Join(dir, "blocks")})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	queue, shop := jobs.New(database, log), till{make(chan time.Duration, 1)}
	tracks := media.New(media.Config{BaseURL: "https://artist.example", DataDir: dir, UploadDir: filepath.Join(dir, "uploads")}, media.Parts{
		DB: database, Jobs: queue, Vault: keys, Store: store, Engine: engine, Shop: shop, Log: log, Now: time.Now, Rand: rand.Reader,
	})
	tracks.Register(queue)
	if err := queue.Open(); err != nil {
		return 0, err
	}
	if err := queue.Start(ctx); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, queue.Stop(context.WithoutCancel(ctx))) }()

	self, children, err := cpu()
	if err != nil {
		return 0, err
	}
	track, err := tracks.Ingest(ctx, media.Upload{ID: name, Artist: "https://artist.example/users/ada", Filename: "song.ogg", Size: int64(len(upload))})
	if err != nil {
		return 0, err
	}
	failed := time.NewTicker(time.Second)
	defer failed.Stop()
	for {
		select {
		case end := <-shop.sealed:
			return end - self - children, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-failed.C:
			if track, err = media.ByID(ctx, database.Read, track.ID); err != nil {
				return 0, err
			}
			if track.State == media.Failed {
				return 0, errors.New(track.Failure)
			}
		}
	}
}
