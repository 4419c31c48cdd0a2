package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"antiphon/internal/db"
	"antiphon/media/ipfs"
	"antiphon/payments/treasury"
)

// finding is what the doctor says of one part of this machine.
type finding struct {
	part string
	// level is ok, slow, warn or fail; only fail keeps an instance from running.
	level string
	says  string
	// do is what helps; empty when nothing is to be done.
	do string
}

// runDoctor looks at what an instance needs on this machine, and says what is missing or slow and what to do.
func runDoctor(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("doctor", stderr)
	read := withConfig(set)
	if err := parse(set, args); err != nil {
		return err
	}
	c, err := read()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	failed := 0
	for _, look := range []func(context.Context, *config) finding{
		lookMachine, lookData, lookKey, lookDatabase, lookFFmpeg, lookBlocks, lookRaiden, lookERC20, lookFabric, lookAddress,
	} {
		f := look(ctx, c)
		if f.level == "fail" {
			failed++
		}
		fmt.Fprintf(stdout, "%-5s %-16s %s\n", f.level, f.part, f.says)
		if f.do != "" {
			fmt.Fprintf(stdout, "%22s -> %s\n", "", f.do)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d things are to be mended before this instance can run", failed)
	}
	return nil
}

func lookMachine(context.Context, *config) finding {
	f := finding{part: "machine", level: "ok", says: fmt.Sprintf("%d processors, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)}
	if runtime.NumCPU() < 2 {
		f.level, f.do = "slow", "an upload and a visitor share one processor; two are better"
	}
	return f
}

func lookData(_ context.Context, c *config) finding {
	f := finding{part: "data folder", level: "ok", says: c.Server.DataDir}
	if err := makePrivate(c.Server.DataDir); err != nil {
		return finding{part: f.part, level: "fail", says: err.Error(), do: "make it writable for this user, or set server.data_dir"}
	}
	probe := filepath.Join(c.Server.DataDir, ".doctor")
	begin := time.Now()
	if err := writeDurably(probe); err != nil {
		return finding{part: f.part, level: "fail", says: err.Error(), do: "make it writable for this user, or set server.data_dir"}
	}
	took := time.Since(begin)
	free, err := freeBytes(c.Server.DataDir)
	if err == nil {
		f.says += fmt.Sprintf(", %.1f GB free, a durable write takes %s", float64(free)/1e9, took.Round(100*time.Microsecond))
	}
	switch {
	case err == nil && free < uint64(c.Media.DiskLow):
		f.level, f.do = "warn", "uploads are refused below media.disk_low; make room"
	case took > 100*time.Millisecond:
		f.level, f.do = "slow", "every purchase waits for several such writes; use a local SSD"
	}
	return f
}

func writeDurably(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, 4096))
	return errors.Join(err, file.Sync(), file.Close(), os.Remove(path))
}

func lookKey(_ context.Context, c *config) finding {
	f := finding{part: "master key", level: "ok", says: c.masterKey()}
	info, err := os.Stat(c.masterKey())
	switch {
	case errors.Is(err, os.ErrNotExist):
		f.says += ", made at the first start"
	case err != nil:
		return finding{part: f.part, level: "fail", says: err.Error(), do: "let this user read it"}
	case info.Mode().Perm()&0o077 != 0:
		f.level, f.do = "warn", "others can read it: chmod 600"
		return f
	}
	if inside, err := filepath.Rel(c.Server.DataDir, c.masterKey()); err == nil && !strings.HasPrefix(inside, "..") {
		f.level, f.do = "warn", "it lies inside the data folder, so every copy of the folder opens everything; set keys.master to a path outside"
	}
	return f
}

func lookDatabase(ctx context.Context, c *config) finding {
	f := finding{part: "database", level: "ok", says: "SQLite in the data folder"}
	if c.Database.URL == "" {
		return f
	}
	f.says = "PostgreSQL"
	d, err := db.Open(ctx, c.Database.URL, slog.New(slog.DiscardHandler))
	if err != nil {
		return finding{part: f.part, level: "fail", says: "PostgreSQL does not answer", do: "check database.url, and that the server runs"}
	}
	if err := d.Close(); err != nil {
		f.level, f.says = "warn", err.Error()
	}
	return f
}

func lookFFmpeg(_ context.Context, c *config) finding {
	f := finding{part: "ffmpeg", level: "ok"}
	path, err := exec.LookPath("ffmpeg")
	if err == nil {
		_, err = exec.LookPath("ffprobe")
	}
	switch {
	case c.Media.Engine == "embedded":
		f.level, f.says, f.do = "slow", "the one inside this program is used", "it is some four times slower than FFmpeg on PATH; set media.engine to auto"
	case err == nil:
		f.says = path
	case c.Media.Engine == "native":
		return finding{part: f.part, level: "fail", says: "not on PATH", do: "install ffmpeg, or set media.engine to auto"}
	default:
		f.level, f.says, f.do = "slow", "not on PATH: the one inside this program is used", "install ffmpeg; it is some four times faster"
	}
	return f
}

func lookBlocks(ctx context.Context, c *config) finding {
	f := finding{part: "blocks", level: "ok", says: "in the data folder"}
	if c.IPFS.Kubo == "" {
		return f
	}
	store, err := ipfs.OpenKubo(ctx, ipfs.KuboConfig{API: c.IPFS.Kubo})
	if err != nil {
		return finding{part: f.part, level: "fail", says: "Kubo does not answer: " + err.Error(), do: "start `ipfs daemon`, or empty ipfs.kubo"}
	}
	f.says = "Kubo at " + c.IPFS.Kubo
	if err := store.Close(); err != nil {
		f.level, f.says = "warn", err.Error()
	}
	return f
}

func lookRaiden(ctx context.Context, c *config) finding {
	f := finding{part: "raiden", level: "ok"}
	node, err := newRaidenNode(c)
	if err != nil {
		return finding{part: f.part, level: "fail", says: err.Error(), do: "see [raiden] in `antiphon config --defaults`"}
	}
	if node == nil {
		return finding{part: f.part, level: "warn", says: "no node: tracks can only be given away, and nothing bought from here", do: "set raiden.url and raiden.asset"}
	}
	s := treasury.Look(ctx, node.client, node.token)
	if s.Reached != nil {
		return finding{part: f.part, level: "warn", says: s.Findings(node.money())[0].Says, do: "nothing is sold or paid until it does; check raiden.url"}
	}
	f.says = "node " + s.Address.String()
	for _, found := range s.Findings(node.money()) {
		if found.Level == treasury.Fail {
			f.level, f.do = "warn", found.Part+": "+found.Says+"; `antiphon raiden check` tells more"
			break
		}
	}
	return f
}

func lookAddress(_ context.Context, c *config) finding {
	f := finding{part: "address", level: "ok", says: c.Server.BaseURL + ", listening on " + c.Server.Listen}
	listener, err := net.Listen("tcp", c.Server.Listen)
	if err != nil {
		f.level, f.do = "warn", "the port is in use; that is right if the instance runs already"
		return f
	}
	if err := listener.Close(); err != nil {
		f.level, f.do = "warn", err.Error()
		return f
	}
	if c.Server.Development {
		f.level, f.do = "warn", "server.development is for trying things on this machine; set it to false for the world"
	}
	return f
}

// makePrivate makes a folder that only its owner can look into.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	return nil
}
