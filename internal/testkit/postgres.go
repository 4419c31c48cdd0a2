package testkit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is started by the first test of the process that asks for a database.
var server = sync.OnceValues(startPostgres)

// started and databases are the process's own, like the server.
var (
	started   atomic.Pointer[postgres]
	databases atomic.Int64
)

// postgres is a running cluster. It lives as long as the pipe hold is open: when this process ends, however it ends,
// the cluster stops and removes its folder.
type postgres struct {
	dir  string
	hold *os.File
	cmd  *exec.Cmd
}

const installPostgres = "these tests need PostgreSQL 14 or later: install it (Debian: apt-get install postgresql) " +
	"or put its initdb and pg_ctl on the PATH"

// Postgres returns the URL of a fresh, empty database on a PostgreSQL server that belongs to this test process. The
// server is started once, listens on a Unix socket only and keeps nothing safe (fsync off). The database is dropped
// when the test ends, with whoever is still connected. A machine without PostgreSQL fails the test.
func Postgres(t testing.TB) string {
	t.Helper()
	pg, err := server()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("t%d", databases.Add(1))
	if err := pg.exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		if err := pg.exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	return pg.url(name)
}

// Main runs the tests and stops the PostgreSQL server, if one was started, before the process ends:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// Without it the server still stops, but a moment after the process has ended.
func Main(m *testing.M) {
	code := m.Run()
	if pg := started.Load(); pg != nil {
		if err := pg.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop postgresql:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// keeper starts the cluster, says so, and waits for the end of its input. It ignores the terminal's signals: the end
// of the test process is what ends it.
const keeper = `trap '' INT TERM HUP
"$1/initdb" -D "$2/data" -U antiphon -A trust -E UTF8 --locale=C -N >"$2/log" 2>&1 &&
"$1/pg_ctl" -D "$2/data" -l "$2/log" -w -t 60 -o "$3" start >>"$2/log" 2>&1 &&
{ echo ready; cat >/dev/null; "$1/pg_ctl" -D "$2/data" -m immediate -w stop >/dev/null 2>&1; rm -rf "$2"; }`

// Durable starts a PostgreSQL server of its own that keeps every commit safe, for measuring, and returns the URL of its
// one database. stop ends it and removes its folder.
func Durable() (url string, stop func() error, err error) {
	pg, err := start("-c synchronous_commit=on", "-c shared_buffers=128MB")
	if err != nil {
		return "", nil, err
	}
	return pg.url("postgres"), pg.stop, nil
}

// startPostgres starts the server of this process's tests.
func startPostgres() (*postgres, error) {
	pg, err := start("-c fsync=off", "-c synchronous_commit=off", "-c full_page_writes=off", "-c shared_buffers=32MB")
	if err == nil {
		started.Store(pg)
	}
	return pg, err
}

func start(settings ...string) (*postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	who, err := postgresUser()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "antiphon-pg-")
	if err != nil {
		return nil, fmt.Errorf("start postgresql: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // others may reach the socket
		return nil, fmt.Errorf("start postgresql: %w", err)
	}
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, fmt.Errorf("start postgresql: %w", err)
		}
	}
	settings = append(settings, "-c listen_addresses=''", "-c unix_socket_directories="+dir, "-c max_connections=200")
	cmd := exec.Command("/bin/sh", "-c", keeper, "sh", bin, dir, strings.Join(settings, " "))
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who}
	in, hold, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start postgresql: %w", err)
	}
	defer in.Close()
	cmd.Stdin = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start postgresql: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start postgresql: %w", err)
	}
	pg := &postgres{dir: dir, hold: hold, cmd: cmd}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		log, _ := os.ReadFile(filepath.Join(dir, "log")) // best effort: the start has failed already
		return nil, errors.Join(fmt.Errorf("start postgresql in %s: %w\n%s", dir, err, log), pg.stop(), os.RemoveAll(dir))
	}
	return pg, nil
}

// stop ends the cluster and waits until it has gone.
func (pg *postgres) stop() error {
	pg.hold.Close()
	return pg.cmd.Wait()
}

func (pg *postgres) url(database string) string {
	q := url.Values{"host": {pg.dir}, "sslmode": {"disable"}}
	return "postgres://antiphon@/" + database + "?" + q.Encode()
}

func (pg *postgres) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, pg.url("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// postgresBin is the folder of the newest server's programs. Debian keeps them off the PATH.
func postgresBin() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.Join(errors.New(installPostgres), err)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // a folder that is no number comes last
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// postgresUser is whom the server runs as: nil for the present user, and for root the user "postgres", because the
// server refuses root.
func postgresUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("the server does not run as root and there is no user postgres to run it: %w; %s", err, installPostgres)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
