package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
	"antiphon/internal/db"
	"antiphon/vocab"
)

// authors are the actors of the other server, all of them followed by one listener here.
const authors = 64

// world is a running instance with a listener, and another server whose actors post.
type world struct {
	base, host, listener string
	key                  *rsa.PrivateKey
	peer                 *httptest.Server
	documents            map[string][]byte
	db                   *db.DB
	serve                *exec.Cmd
	made                 int
	log                  string
}

func (b *bench) newWorld(ctx context.Context, dir, dsn string) (*world, error) {
	program, err := b.program(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &world{host: listener.Addr().String(), documents: map[string][]byte{}, log: filepath.Join(dir, "log")}
	if err := listener.Close(); err != nil {
		return nil, err
	}
	w.base = "http://" + w.host
	w.listener = w.base + "/users/lin"
	if w.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	w.peer = httptest.NewServer(w)
	if err := w.settle(ctx, dir, dsn); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if err := w.start(ctx, program, dir, dsn); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// ServeHTTP is the other server.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	document, ok := w.documents[r.URL.Path]
	if !ok {
		http.NotFound(rw, r)
		return
	}
	rw.Header().Set("Content-Type", vocab.ActivityType)
	_, _ = rw.Write(document)
}

// settle writes the listener and whom it follows, and makes these.
func (w *world) settle(ctx context.Context, dir, dsn string) (err error) {
	if dsn == "" {
		dsn = filepath.Join(dir, "antiphon.db")
	}
	if w.db, err = db.Open(ctx, dsn, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	pem, err := httpsig.FormatPublicKey(&w.key.PublicKey)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	err = w.db.Write.Exec(`INSERT INTO actors (uri, local, name, host, kind, display, inbox, shared_inbox, created_at)
		VALUES (?, TRUE, 'lin', ?, 'listener', 'Lin', ?, ?, ?)`, w.listener, w.host, w.listener+"/inbox", w.base+"/inbox", now).Error
	if err != nil {
		return err
	}
	for n := range authors {
		uri := w.author(n)
		document, err := vocab.Actor{
			ID: uri, Type: vocab.Person, PreferredUsername: "p" + strconv.Itoa(n), Inbox: uri + "/inbox", Followers: uri + "/followers",
			SharedInbox: w.peer.URL + "/inbox", PublicKey: vocab.PublicKey{ID: uri + "#main-key", PEM: pem},
		}.Build()
		if err != nil {
			return err
		}
		if w.documents["/users/p"+strconv.Itoa(n)], err = json.Marshal(document); err != nil {
			return err
		}
		f := actor.Follow{Follower: w.listener, Followed: uri, URI: uri + "/follow", State: actor.Accepted, CreatedAt: now}
		if err := actor.SetFollow(ctx, w.db.Write, f); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) author(n int) string {
	return w.peer.URL + "/users/p" + strconv.Itoa(n%authors)
}

func (w *world) start(ctx context.Context, program, dir, dsn string) error {
	log, err := os.Create(w.log)
	if err != nil {
		return err
	}
	defer log.Close()
	w.serve = exec.CommandContext(ctx, program, "serve", "--config", filepath.Join(dir, "none.toml"))
	w.serve.Stderr = log
	w.serve.Env = append(os.Environ(), "ANTIPHON_SERVER_BASE_URL="+w.base, "ANTIPHON_SERVER_LISTEN="+w.host, "ANTIPHON_SERVER_DATA_DIR="+dir,
		"ANTIPHON_SERVER_DEVELOPMENT=true", "ANTIPHON_DATABASE_URL="+dsn, "ANTIPHON_FEDERATION_INBOX_RATE=1000000")
	if err := os.WriteFile(filepath.Join(dir, "none.toml"), nil, 0o600); err != nil {
		return err
	}
	if err := w.serve.Start(); err != nil {
		return err
	}
	for range 600 {
		resp, err := http.Get(w.base + "/healthz")
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("the instance does not answer; its log is %s", w.log)
}

// close ends the world.
func (w *world) close() error {
	w.peer.Close()
	var err error
	if w.serve != nil && w.serve.Process != nil {
		_ = w.serve.Process.Signal(syscall.SIGTERM)
		err = w.serve.Wait()
	}
	if w.db != nil {
		err = errors.Join(err, w.db.Close())
	}
	return err
}

// used is the processor time that the server has taken so far.
func (w *world) used() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.serve.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11]) // the kernel writes digits, in ticks of 10 ms
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peak is the most memory that the server has had, in MB.
func (w *world) peak() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.serve.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.ParseFloat(strings.Fields(rest + " -")[0], 64)
	return kb / 1000, err
}

// sign makes n requests, on all cores, with bodies that make gives.
func (w *world) sign(n int, make_ func(n int, author string) string) ([][]byte, error) {
	out := make([][]byte, n)
	first := w.made
	w.made += n
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for i := range n {
		group.Go(func() error {
			author := w.author(i)
			body := []byte(make_(first+i, author))
			req, err := http.NewRequest(http.MethodPost, w.base+"/inbox", bytes.NewReader(body))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", vocab.ActivityType)
			req.Header.Set("User-Agent", "bench")
			if err := httpsig.Sign(req, body, author+"#main-key", w.key, time.Now()); err != nil {
				return err
			}
			var b bytes.Buffer
			if err := req.Write(&b); err != nil {
				return err
			}
			out[i] = b.Bytes()
			return nil
		})
	}
	return out, group.Wait()
}

// view is an activity without effect.
func (w *world) view(n int, author string) string {
	return fmt.Sprintf(`{"@context":"https://www.w3.org/ns/activitystreams","id":"%s/views/%d","type":"View","actor":"%s","object":"%s/tracks/1","to":["%s"]}`,
		author, n, author, w.base, w.base+"/users/ada")
}

// post is a status as Mastodon sends it.
func (w *world) post(n int, author string) string {
	id := fmt.Sprintf("%s/statuses/%d", author, n)
	return fmt.Sprintf(`{"@context":["https://www.w3.org/ns/activitystreams",{"ostatus":"http://ostatus.org#","atomUri":"ostatus:atomUri","inReplyToAtomUri":"ostatus:inReplyToAtomUri",
"conversation":"ostatus:conversation","sensitive":"as:sensitive","toot":"http://joinmastodon.org/ns#","votersCount":"toot:votersCount"}],
"id":"%[1]s/activity","type":"Create","actor":"%[2]s","published":"%[3]s","to":["https://www.w3.org/ns/activitystreams#Public"],"cc":["%[2]s/followers"],
"object":{"id":"%[1]s","type":"Note","summary":null,"inReplyTo":null,"published":"%[3]s","url":"%[1]s/page","attributedTo":"%[2]s",
"to":["https://www.w3.org/ns/activitystreams#Public"],"cc":["%[2]s/followers"],"sensitive":false,"atomUri":"%[1]s","inReplyToAtomUri":null,
"conversation":"tag:peer.example,2026:objectId=%[4]d:objectType=Conversation","content":"<p>The boiler sings again: number %[4]d. <a href=\"https://peer.example/tags/steam\" class=\"mention hashtag\" rel=\"tag\">#<span>steam</span></a></p>",
"contentMap":{"en":"<p>The boiler sings again: number %[4]d. <a href=\"https://peer.example/tags/steam\" class=\"mention hashtag\" rel=\"tag\">#<span>steam</span></a></p>"},
"attachment":[],"tag":[{"type":"Hashtag","href":"https://peer.example/tags/steam","name":"#steam"}],
"replies":{"id":"%[1]s/replies","type":"Collection","first":{"type":"CollectionPage","next":"%[1]s/replies?page=true","partOf":"%[1]s/replies","items":[]}}}}`,
		id, author, time.Now().UTC().Format(time.RFC3339), n)
}

// shown waits until n posts stand in the listener's timeline, and returns how long that took.
func (w *world) shown(ctx context.Context, n int) (time.Duration, error) {
	begin := time.Now()
	for {
		var have int64
		err := w.db.Read.WithContext(ctx).Table("posts").
			Where("actor IN (SELECT followed FROM follows WHERE follower = ? AND state = 'accepted')", w.listener).Count(&have).Error
		if err != nil {
			return 0, err
		}
		if have == int64(n) {
			return time.Since(begin), nil
		}
		if have > int64(n) || time.Since(begin) > time.Minute {
			return 0, fmt.Errorf("%d posts are shown of %d that were taken", have, n)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
