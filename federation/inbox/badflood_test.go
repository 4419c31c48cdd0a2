package inbox_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"antiphon/federation/fedtest"
	"antiphon/federation/inbox"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

func TestBadFloods(t *testing.T) {
	t.Parallel()
	throwaway := func(t *testing.T, g *gate, n int) *http.Request {
		who := *g.bob
		who.URI = g.peer.BaseURL + "/users/throwaway" + strconv.Itoa(n)
		who.KeyID = who.URI + "#main-key"
		return who.Request(t, g.ada.Inbox, g.body(t, &who), g.Clock.Now())
	}
	limited := newGate(t, fedtest.Options{Inbox: inbox.Config{Rate: 1, Burst: 4}})
	testkit.BadInput(t, "E1", func(t *testing.T) {
		for n := range 8 {
			// Three are left after the one that the gate began with; the refused ones are not even looked up.
			limited.refuses(t, strconv.Itoa(n), throwaway(t, limited, n), map[bool]int{true: 401, false: 429}[n < 3])
			if asked := limited.peer.Requests("/users/throwaway" + strconv.Itoa(n)); n >= 3 && asked != 0 {
				t.Errorf("request %d was looked up %d times", n, asked)
			}
		}
		res, err := http.DefaultTransport.RoundTrip(throwaway(t, limited, 9))
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if after, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || after < 1 {
			t.Errorf("Retry-After is %q", res.Header.Get("Retry-After"))
		}
	}, func(t *testing.T) {
		limited.Clock.Advance(2 * time.Second)
		limited.takes(t, limited.knock(t))
	})
	curious := newGate(t, fedtest.Options{Inbox: inbox.Config{Strangers: 0.05}}) // three at once; bob was one
	testkit.BadInput(t, "E2", func(t *testing.T) {
		asked := 0
		for n := range 20 {
			curious.refuses(t, strconv.Itoa(n), throwaway(t, curious, n), map[bool]int{true: 401, false: 429}[n < 2])
			asked += curious.peer.Requests("/users/throwaway" + strconv.Itoa(n))
		}
		if asked > 2 {
			t.Errorf("%d unknown actors were asked for", asked)
		}
	}, func(t *testing.T) {
		curious.takes(t, curious.knock(t)) // who is known is not held up
		curious.Clock.Advance(time.Minute)
		curious.takes(t, curious.eve.Request(t, curious.ada.Inbox, curious.body(t, curious.eve), curious.Clock.Now()))
	})
	slow := newGate(t, fedtest.Options{Inbox: inbox.Config{BodyTime: 200 * time.Millisecond}})
	testkit.BadInput(t, "E3", func(t *testing.T) {
		before := testkit.Rows(t, slow.DB.Read)
		var connections sync.WaitGroup
		for n := range 50 {
			req, want := slow.knock(t), http.StatusBadRequest
			if n%2 == 1 {
				req.Header.Del("Signature")
				want = http.StatusUnauthorized
			}
			connections.Go(func() {
				if status, err := dribble(t.Context(), req, slow.Host); err != nil || status != want {
					t.Errorf("half a body: status %d, %v, want %d", status, err, want)
				}
			})
		}
		connections.Wait()
		testkit.SameRows(t, slow.DB.Read, before)
	}, slow.twin)
	full := newGate(t, fedtest.Options{Inbox: inbox.Config{Flight: 32 << 10}})
	t.Run("too much in flight", func(t *testing.T) {
		padded := func(n int) []byte {
			return append(bytes.TrimSuffix(full.body(t, full.bob), []byte("}")), []byte(`,"x":"`+strings.Repeat("x", n)+`"}`)...)
		}
		full.refuses(t, "too large for what is left", full.bob.Request(t, full.ada.Inbox, padded(100<<10), full.Clock.Now()), 503)
		full.takes(t, full.bob.Request(t, full.ada.Inbox, padded(10<<10), full.Clock.Now()))
		for range 20 { // the room is given back
			full.takes(t, full.knock(t))
		}
	})
}

// dribble sends the head of a request and half of its body, and waits for the end.
func dribble(ctx context.Context, req *http.Request, host string) (int, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return 0, err
	}
	var head strings.Builder
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", req.URL.RequestURI(), host, len(body))
	if err := req.Header.Write(&head); err != nil {
		return 0, err
	}
	if _, err := conn.Write(append([]byte(head.String()+"\r\n"), body[:len(body)/2]...)); err != nil {
		return 0, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// journal keeps what is logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(words string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), words)
}

func TestBadClock(t *testing.T) {
	t.Parallel()
	const alarm = "the clock of this machine seems to be wrong"
	said := &journal{}
	g := newGate(t, fedtest.Options{Log: slog.New(slog.NewTextHandler(said, nil))})
	people := make([]*fedtest.Person, 4)
	for n := range people {
		people[n] = fedtest.NewPeer(t).Person(t, "lin")
	}
	testkit.BadInput(t, "E9", func(t *testing.T) {
		right := g.Clock.Now()
		g.Clock.Advance(2 * time.Hour) // it is ours that is wrong
		for range 3 {
			for _, who := range people {
				g.refuses(t, "by a clock two hours ahead", who.Request(t, g.ada.Inbox, g.body(t, who), right), 401)
			}
		}
		if n := said.count(alarm); n != 1 {
			t.Errorf("%d alarms, want one an hour", n)
		}
	}, func(t *testing.T) {
		g.Clock.Advance(2 * time.Hour)
		for _, who := range people {
			g.takes(t, who.Request(t, g.ada.Inbox, g.body(t, who), g.Clock.Now()))
		}
		// One that is wrong itself is no cause for alarm.
		g.refuses(t, "a peer with a wrong clock", people[0].Request(t, g.ada.Inbox, g.body(t, people[0]), g.Clock.Now().Add(-3*time.Hour)), 401)
		if n := said.count(alarm); n != 1 {
			t.Errorf("%d alarms after the clock was set", n)
		}
	})
}

// Among others that arrive with it, one that fails is tried again alone, and keeps nobody back.
func TestPoison(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{Idle: true})
	var mu sync.Mutex
	tries := map[string]int{}
	y.Inbox.Handle(vocab.VerbOffer, "Thing", func(_ context.Context, in inbox.Incoming) error {
		mu.Lock()
		defer mu.Unlock()
		tries[in.Activity.ID]++
		n := tries[in.Activity.ID]
		switch {
		case strings.HasSuffix(in.Activity.ID, "/panic") && n < 3:
			panic("on purpose")
		case strings.HasSuffix(in.Activity.ID, "/fails") && n < 3:
			return errors.New("on purpose")
		}
		return nil
	})
	ids := make([]string, 0, 40)
	for n := range 38 {
		ids = append(ids, y.bob.URI+"/offers/"+strconv.Itoa(n))
	}
	ids = append(ids, y.bob.URI+"/offers/panic", y.bob.URI+"/offers/fails")
	y.Start(t)
	thing := embed(t, map[string]any{"type": "Thing"})
	var senders sync.WaitGroup
	for _, id := range ids {
		body := fedtest.JSON(t, vocab.Activity{ID: id, Type: vocab.VerbOffer, Actor: y.bob.URI, Object: thing})
		req := y.bob.Request(t, y.BaseURL+"/inbox", body, y.Clock.Now())
		senders.Go(func() {
			if got := fedtest.Do(t, req); got != http.StatusAccepted {
				t.Errorf("%s: status %d", id, got)
			}
		})
	}
	senders.Wait()
	fedtest.Until(t, "all are done", func() bool { return y.Count(t, "activities", "state = 'done'") == int64(len(ids)) }, y.Instance)
	mu.Lock()
	defer mu.Unlock()
	for _, id := range ids {
		want := 1
		if strings.HasSuffix(id, "/panic") || strings.HasSuffix(id, "/fails") {
			want = 3
		}
		if tries[id] != want {
			t.Errorf("%s was tried %d times, want %d", id, tries[id], want)
		}
	}
}
