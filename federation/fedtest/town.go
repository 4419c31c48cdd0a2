package fedtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/vocab"
)

// Town is many small servers on loopback, each at an address of its own, which take what they are sent.
type Town struct {
	// Hosts are the servers' hosts: addresses with ports.
	Hosts []string

	mu     sync.Mutex
	got    map[string][]string
	bodies map[string]string
	total  int
	busy   map[string]int
	most   map[string]int
	answer func(host string, r *http.Request) int
}

// NewTown starts n servers that end with the test. Every one takes what comes, with 202.
func NewTown(t testing.TB, n int) *Town {
	t.Helper()
	town := &Town{got: map[string][]string{}, bodies: map[string]string{}, busy: map[string]int{}, most: map[string]int{}}
	server := &http.Server{Handler: town, ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	for i := range n {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.9.%d.%d:0", i/250, 1+i%250))
		if err != nil {
			t.Fatal(err)
		}
		town.Hosts = append(town.Hosts, listener.Addr().String())
		serving.Go(func() {
			if err := server.Serve(listener); err != http.ErrServerClosed {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return town
}

// Answer lets f say what a server answers; it may wait, until the request is given up. Nil takes everything again.
func (o *Town) Answer(f func(host string, r *http.Request) int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = f
}

// ServeHTTP takes an activity.
func (o *Town) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has gone
	}
	o.mu.Lock()
	o.busy[r.Host]++
	o.most[r.Host] = max(o.most[r.Host], o.busy[r.Host])
	answer := o.answer
	o.mu.Unlock()
	status := http.StatusAccepted
	if answer != nil {
		status = answer(r.Host, r)
	}
	a, err := vocab.ParseActivity(body)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy[r.Host]--
	if err != nil || status >= 300 {
		w.WriteHeader(max(status, http.StatusBadRequest))
		return
	}
	o.total++
	o.got[r.Host] = append(o.got[r.Host], a.ID)
	if before, ok := o.bodies[a.ID]; ok && before != string(body) {
		o.got[r.Host] = append(o.got[r.Host], a.ID+" with other bytes")
	}
	o.bodies[a.ID] = string(body)
	w.WriteHeader(status)
}

// Got returns the ids of what a host has taken, in order.
func (o *Town) Got(host string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.got[host]...)
}

// Total counts what all hosts have taken, and how many hosts have taken something.
func (o *Town) Total() (requests, hosts int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total, len(o.got)
}

// Most is how many requests a host has had at one time.
func (o *Town) Most(host string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.most[host]
}

// Followers makes people at these hosts, one after the other in turn, who follow a local actor; shared gives each host
// one inbox for all.
func (i *Instance) Followers(t testing.TB, followed string, hosts []string, people int, shared bool) {
	t.Helper()
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		for begin := 0; begin < people; begin += 500 {
			var who, follows []string
			var whoArgs, followArgs []any
			for n := begin; n < min(begin+500, people); n++ {
				host := hosts[n%len(hosts)]
				uri, box := fmt.Sprintf("http://%s/users/p%d", host, n), ""
				if shared {
					box = "http://" + host + "/inbox"
				}
				who = append(who, "(?, FALSE, ?, ?, 'Person', 'P', ?, ?, ?)")
				whoArgs = append(whoArgs, uri, fmt.Sprint("p", n), host, uri+"/inbox", box, i.Clock.Now())
				follows = append(follows, "(?, ?, ?, ?, ?)")
				followArgs = append(followArgs, uri, followed, uri+"#f", actor.Accepted, i.Clock.Now())
			}
			err := tx.Exec("INSERT INTO actors (uri, local, name, host, kind, display, inbox, shared_inbox, created_at) VALUES "+
				strings.Join(who, ", "), whoArgs...).Error
			if err != nil {
				return err
			}
			err = tx.Exec("INSERT INTO follows (follower, followed, uri, state, created_at) VALUES "+strings.Join(follows, ", "), followArgs...).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
