package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"antiphon/federation/fedtest"
	"antiphon/federation/httpsig"
	"antiphon/vocab"
)

// An hour of what an instance is sent, at one request a second, as fast as it takes it. ANTIPHON_SOAK_HOURS makes it
// more; make soak plays a day.
const soakRequests = 3600

// TestSoak sends a real instance valid and hostile traffic from many hosts, and looks at what is left: each valid
// activity had its effect once, no hostile one had any, and the process is as small, and holds as little open, as it did
// half-way.
func TestSoak(t *testing.T) {
	t.Parallel()
	hours := 1
	if text := os.Getenv("ANTIPHON_SOAK_HOURS"); text != "" {
		var err error
		if hours, err = strconv.Atoi(text); err != nil || hours < 1 {
			t.Fatalf("ANTIPHON_SOAK_HOURS is %q", text)
		}
	}
	s := newSoak(t)
	began := time.Now()
	s.send(hours * soakRequests / 2)
	s.settle()
	half := s.resident()
	s.send(hours * soakRequests / 2)
	s.settle()
	end := s.resident()
	t.Logf("%d requests in %s: %d valid, %d hostile; resident %d MiB half-way, %d MiB at the end", hours*soakRequests,
		time.Since(began).Round(time.Second), s.valid.Load(), s.hostile.Load(), half>>20, end>>20)
	if end > half+half/4+32<<20 {
		t.Errorf("the process grew from %d to %d MiB", half>>20, end>>20)
	}
	s.eventually("no descriptors are left open", func() bool { return s.descriptors() <= s.idle+8 })
	s.effects()
	s.logged()
	s.goroutines()
}

// soak is an instance whose user ada follows two persons on each of many hosts: bob, who means well, and eve.
type soak struct {
	*instance
	t       *testing.T
	ada     *user
	folk    []*fedtest.Person
	abyss   *httptest.Server
	client  *http.Client
	random  *rand.Rand
	idle    int // descriptors, before anybody had come
	valid   atomic.Int64
	hostile atomic.Int64

	mu sync.Mutex
	// posts is what must be in the timeline, by URI; gone is what must not. arrived are those posts that were answered
	// with 202: what is not there yet is the host's to give to whom it likes.
	posts   map[string]string
	gone    map[string]bool
	arrived map[string]string
	// forged are the ids of hostile activities that are stored; offers among them are answered with a Reject.
	forged map[string]bool
	number int
}

// soakHosts is how many hosts there are, each with two persons.
const soakHosts = 8

func newSoak(t *testing.T) *soak {
	s := &soak{
		t: t, posts: map[string]string{}, gone: map[string]bool{}, arrived: map[string]string{}, forged: map[string]bool{}, random: rand.New(rand.NewPCG(1, 2)),
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
	}
	t.Cleanup(s.client.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var err error
	if s.instance, err = newInstance(t.TempDir(), "soak"); err != nil {
		t.Fatal(err)
	}
	s.binary = filepath.Join(builtProgram(t), "antiphon")
	if err := s.open(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	s.idle = s.descriptors()
	if err := s.firstInvite(ctx); err != nil {
		t.Fatal(err)
	}
	if s.ada, err = newUser(s.base, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := s.ada.signUp(ctx, "Ada", s.invite); err != nil {
		t.Fatal(err)
	}
	s.abyss = httptest.NewServer(http.HandlerFunc(abyss))
	t.Cleanup(func() { s.abyss.CloseClientConnections(); s.abyss.Close() })
	for range soakHosts {
		peer := fedtest.NewPeer(t)
		for _, name := range []string{"bob", "eve"} {
			s.folk = append(s.folk, peer.Person(t, name))
			s.follow(ctx, s.folk[len(s.folk)-1])
		}
	}
	for _, who := range s.folk {
		s.accept(who)
	}
	return s
}

// follow makes ada follow who.
func (s *soak) follow(ctx context.Context, who *fedtest.Person) {
	s.t.Helper()
	resp, err := s.ada.postForm(ctx, "/follow", url.Values{"address": {who.URI}})
	if err != nil || resp.StatusCode >= 400 {
		s.t.Fatalf("follow %s: %v %v", who.URI, resp, err)
	}
	_ = resp.Body.Close()
}

// accept waits for ada's follow, and has who accept it.
func (s *soak) accept(who *fedtest.Person) {
	s.t.Helper()
	var follow vocab.Activity
	s.eventually("the follow is sent", func() bool {
		for _, r := range who.Peer.Received() {
			if a, err := vocab.ParseActivity(r.Body); err == nil && a.Type == vocab.VerbFollow && a.Object.ID == who.URI {
				follow = a
			}
		}
		return follow.ID != ""
	})
	accept := vocab.Activity{ID: who.URI + "/accepts/1", Type: vocab.VerbAccept, Actor: who.URI, To: []string{s.ada.actor}, Object: vocab.Ref{ID: follow.ID}}
	if status := who.Post(s.t, s.ada.actor+"/inbox", fedtest.JSON(s.t, accept), time.Now()); status != http.StatusAccepted {
		s.t.Fatalf("accept: %d", status)
	}
}

// send sends n requests from a few senders at once.
func (s *soak) send(n int) {
	s.t.Helper()
	work := make(chan func() error)
	var group sync.WaitGroup
	var failed atomic.Int64
	for range 8 {
		group.Go(func() {
			for one := range work {
				if err := one(); err != nil && failed.Add(1) < 10 {
					s.t.Error(err)
				}
			}
		})
	}
	for range n {
		if s.random.IntN(2) == 0 {
			s.valid.Add(1)
			work <- s.good()
			continue
		}
		s.hostile.Add(1)
		work <- s.bad()
	}
	close(work)
	group.Wait()
}

// good is something that has an effect, sent once or twice.
func (s *soak) good() func() error {
	bob := s.folk[2*s.random.IntN(soakHosts)]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	n, times := s.number, 1+s.random.IntN(2)
	note := fmt.Sprintf("%s/notes/%d", bob.URI, n)
	switch {
	case n%10 == 0: // what was posted a while ago is deleted
		for uri, owner := range s.arrived {
			if owner == bob.URI {
				delete(s.posts, uri)
				delete(s.arrived, uri)
				s.gone[uri] = true
				body := activity("Delete", bob.URI, n, `"`+uri+`"`)
				return func() error { return s.post(bob, body, times, http.StatusAccepted) }
			}
		}
		fallthrough
	default:
		content := fmt.Sprintf("<p>number %d</p>", n)
		s.posts[note] = content
		body := activity("Create", bob.URI, n, noteJSON(note, bob.URI, content))
		return func() error {
			if err := s.post(bob, body, times, http.StatusAccepted); err != nil {
				return err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.arrived[note] = bob.URI
			return nil
		}
	}
}

// activity is one, as JSON.
func activity(verb, actor string, n int, object string) []byte {
	return fmt.Appendf(nil, `{"@context":"https://www.w3.org/ns/activitystreams","id":"%s/activities/%d","type":"%s","actor":"%s","to":["https://www.w3.org/ns/activitystreams#Public"],"cc":["%s/followers"],"object":%s}`,
		actor, n, verb, actor, actor, object)
}

func noteJSON(id, by, content string) string {
	return fmt.Sprintf(`{"id":"%s","type":"Note","attributedTo":"%s","content":%q,"to":["https://www.w3.org/ns/activitystreams#Public"],"published":"%s"}`,
		id, by, content, time.Now().UTC().Format(time.RFC3339))
}

// half sends half of a request and goes away.
func (s *soak) half() error {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		return err
	}
	_, err = io.WriteString(conn, "POST /inbox HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Type: application/activity+json\r\nX: "+strings.Repeat("y", 4000))
	return errors.Join(err, conn.Close())
}

func (s *soak) request(who *fedtest.Person, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+"/inbox", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", vocab.ActivityType)
	return r, httpsig.Sign(r, body, who.KeyID, who.Key, time.Now())
}

func (s *soak) post(who *fedtest.Person, body []byte, times int, want ...int) error {
	for range times {
		r, err := s.request(who, body)
		if err != nil {
			return err
		}
		if err := s.do(r, want...); err != nil {
			return fmt.Errorf("%w: %.300s", err, body)
		}
	}
	return nil
}

// do sends a request. One that is told to wait is sent again when it may be.
func (s *soak) do(r *http.Request, want ...int) error {
	for {
		began := time.Now()
		resp, err := s.client.Do(r)
		if err != nil {
			return err
		}
		words, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		_ = resp.Body.Close()
		if took := time.Since(began); took > 40*time.Second {
			return fmt.Errorf("%s %s took %s", r.Method, r.URL.Path, took)
		}
		if slices.Contains(want, resp.StatusCode) {
			return nil
		}
		pause, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
		if !busy || err != nil || r.GetBody == nil {
			return fmt.Errorf("%s %.100s: %d %s, want %d", r.Method, r.URL, resp.StatusCode, words, want)
		}
		select {
		case <-time.After(time.Duration(pause) * time.Second):
		case <-s.t.Context().Done():
			return s.t.Context().Err()
		}
		if r.Body, err = r.GetBody(); err != nil {
			return err
		}
	}
}
