package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
	"antiphon/federation/httpsig"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

// A host that fails over a new kind of activity gets it once more and then no more, and is not blamed.
func TestUnreadKind(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{BaseURL: home, Idle: true})
	ada, town := i.User(t, "ada", actor.Artist), fedtest.NewTown(t, 1)
	i.Followers(t, ada.URI, town.Hosts, 1, false)
	to := "http://" + town.Hosts[0] + "/users/p0"
	requests := 0
	town.Answer(func(string, *http.Request) int { requests++; return http.StatusInternalServerError })
	listen := func(id string) {
		t.Helper()
		a := vocab.Activity{ID: home + "/listens/" + id, Type: vocab.VerbListen, Actor: ada.URI, Object: vocab.Ref{ID: home + "/tracks/1"}, To: []string{to}}
		if err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Outbox.Tell(ctx, tx, a) }); err != nil {
			t.Fatal(err)
		}
		turn(t, i)
	}
	listen("1")
	i.Clock.Advance(3 * time.Second)
	turn(t, i)
	if requests != 2 || states(t, i)["dropped"] != 1 {
		t.Errorf("%d requests, %v", requests, states(t, i))
	}
	listen("2")
	if requests != 2 || states(t, i)["dropped"] != 2 {
		t.Errorf("a second one: %d requests, %v", requests, states(t, i))
	}
	if h, err := i.Hosts.Standing(t.Context(), town.Hosts[0]); err != nil || h.Failures != 0 {
		t.Errorf("the host is blamed: %+v, %v", h, err)
	}
	town.Answer(nil)
	tell(t, i, ada, "1", to)
	turn(t, i)
	if got := names(town.Got(town.Hosts[0])); !slices.Equal(got, []string{"1"}) {
		t.Errorf("what it reads: %q", got)
	}
	i.Clock.Advance(31 * 24 * time.Hour)
	listen("3")
	if got := names(town.Got(town.Hosts[0])); !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("a month later: %q", got)
	}
}

// A host that has signed after RFC 9421 gets such signatures, until it refuses one and takes the other kind.
func TestDoubleKnock(t *testing.T) {
	t.Parallel()
	for name, reads := range map[string]bool{"reads it": true, "refuses it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := fedtest.New(t, fedtest.Options{BaseURL: home, Idle: true})
			ada, town := i.User(t, "ada", actor.Artist), fedtest.NewTown(t, 1)
			i.Followers(t, ada.URI, town.Hosts, 1, false)
			id, key, err := i.Actors.HTTPKey(t.Context(), ada.URI)
			if err != nil {
				t.Fatal(err)
			}
			var seen []httpsig.Dialect
			town.Answer(func(_ string, r *http.Request) int {
				dialect := httpsig.DialectOf(r)
				seen = append(seen, dialect)
				if dialect == httpsig.RFC9421 && !reads {
					return http.StatusUnauthorized
				}
				if (r.Header.Get("Digest") != "") != (dialect == httpsig.Cavage) || (r.Header.Get("Content-Digest") != "") != (dialect == httpsig.RFC9421) {
					return http.StatusBadRequest
				}
				return http.StatusAccepted
			})
			to := "http://" + town.Hosts[0] + "/users/p0"
			for n := range 3 {
				if n == 1 {
					if err := i.Hosts.Heard(t.Context(), town.Hosts[0], httpsig.RFC9421); err != nil {
						t.Fatal(err)
					}
				}
				tell(t, i, ada, fmt.Sprint(n), to)
				turn(t, i)
			}
			want := []httpsig.Dialect{httpsig.Cavage, httpsig.RFC9421, httpsig.RFC9421}
			if !reads {
				want = []httpsig.Dialect{httpsig.Cavage, httpsig.RFC9421, httpsig.Cavage, httpsig.Cavage}
			}
			if !slices.Equal(seen, want) || states(t, i)["taken"] != 3 {
				t.Errorf("%v, %v (key %s, %d bits)", seen, states(t, i), id, key.N.BitLen())
			}
		})
	}
}

// Two processes over one database bring each activity out once, and a host that one of them finds down is down for both.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	town := fedtest.NewTown(t, 50)
	first := fedtest.New(t, fedtest.Options{BaseURL: home, DSN: dsn, Idle: true})
	second := fedtest.New(t, fedtest.Options{BaseURL: home, DSN: dsn, Idle: true, Clock: first.Clock})
	ada := first.User(t, "ada", actor.Artist)
	first.Followers(t, ada.URI, town.Hosts, 50, false)
	for n, host := range town.Hosts {
		for m := range 4 {
			tell(t, first, ada, fmt.Sprintf("%d-%d", n, m), fmt.Sprintf("http://%s/users/p%d", host, n))
		}
	}
	var both sync.WaitGroup
	for _, i := range []*fedtest.Instance{first, second} {
		both.Go(func() {
			if err := i.Outbox.Turn(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if requests, hosts := town.Total(); requests != 200 || hosts != 50 || states(t, first)["taken"] != 200 {
		t.Errorf("%d requests to %d hosts, %v", requests, hosts, states(t, first))
	}
	// What a killed process had in hand is taken up when its claim has run out.
	tell(t, first, ada, "cut off", "http://"+town.Hosts[0]+"/users/p0")
	err := first.DB.Write.Exec("UPDATE deliveries SET state = 'claimed', due_at = ? WHERE state = 'waiting'", first.Clock.Now().Add(3*time.Minute).UnixMilli()).Error
	if err != nil {
		t.Fatal(err)
	}
	turn(t, second)
	if requests, _ := town.Total(); requests != 200 {
		t.Error("another process's claim is not respected")
	}
	first.Clock.Advance(4 * time.Minute)
	turn(t, second)
	if requests, _ := town.Total(); requests != 201 {
		t.Error("a killed process's claim is for ever")
	}
	for range 10 {
		if _, err := first.Hosts.Failed(t.Context(), town.Hosts[1], errors.New("no answer")); err != nil {
			t.Fatal(err)
		}
	}
	first.Clock.Advance(6 * time.Second)
	tell(t, second, ada, "held", "http://"+town.Hosts[1]+"/users/p1")
	turn(t, second)
	if got := states(t, second); got["held"] != 1 {
		t.Errorf("the second process does not see that a host is down: %v", got)
	}
	if err := first.Hosts.Reached(t.Context(), town.Hosts[1]); err != nil {
		t.Fatal(err)
	}
	first.Clock.Advance(6 * time.Second)
	turn(t, second)
	if got := states(t, second); got["taken"] != 202 {
		t.Errorf("the second process does not see that it is back: %v", got)
	}
}

// An admin keeps back what is for a host, lets it go, and has one that is down tried at once.
func TestPauseAndRetry(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{BaseURL: home, DSN: fresh(), Idle: true})
		ada, town := i.User(t, "ada", actor.Artist), fedtest.NewTown(t, 2)
		i.Followers(t, ada.URI, town.Hosts, 2, false)
		host, to := town.Hosts[0], "http://"+town.Hosts[0]+"/users/p0"
		admin := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			turn(t, i)
		}
		admin(i.Outbox.Pause(t.Context(), host, true))
		tell(t, i, ada, "1", to)
		tell(t, i, ada, "2", to)
		tell(t, i, ada, "other", "http://"+town.Hosts[1]+"/users/p1")
		turn(t, i)
		if got := states(t, i); got["held"] != 2 || got["taken"] != 1 {
			t.Errorf("paused: %v", got)
		}
		admin(i.Hosts.Reached(t.Context(), host))
		peers, total, err := i.Outbox.Peers(t.Context(), "", 0, 10)
		if err != nil || total != 1 || peers[0].Host.Host != host || peers[0].Waiting != 2 || !peers[0].Paused || i.Clock.Now().Sub(peers[0].Oldest()).Abs() > time.Second {
			t.Errorf("%d peers, %+v, %v", total, peers, err)
		}
		i.Clock.Advance(2 * time.Minute)
		admin(i.Outbox.Pause(t.Context(), host, false))
		if got := names(town.Got(host)); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("resumed: %q", got)
		}
		town.Answer(func(string, *http.Request) int { return http.StatusServiceUnavailable })
		for range 10 {
			if _, err := i.Hosts.Failed(t.Context(), host, errors.New("no answer")); err != nil {
				t.Fatal(err)
			}
		}
		tell(t, i, ada, "3", to)
		turn(t, i)
		town.Answer(nil)
		turn(t, i)
		if len(town.Got(host)) != 2 {
			t.Error("a host that is down was tried before its time")
		}
		admin(i.Outbox.RetryNow(t.Context(), host))
		if h, err := i.Hosts.Standing(t.Context(), host); err != nil || h.State != discover.OK || len(town.Got(host)) != 3 {
			t.Errorf("tried at once: %+v, %q, %v", h, town.Got(host), err)
		}
		if peers, _, err := i.Outbox.Peers(t.Context(), host[3:], 0, 10); err != nil || len(peers) != 1 || peers[0].Waiting != 0 || !peers[0].Oldest().IsZero() {
			t.Errorf("%+v, %v", peers, err)
		}
	})
}
