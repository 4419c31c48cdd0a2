package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
	"antiphon/federation/outbox"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

// home is where the instances of these tests say that they live.
const home = "http://music.example"

// say sends an activity about a note of ada's, to one actor.
func say(t *testing.T, i *fedtest.Instance, from, to, id string, verb vocab.Verb, note string) {
	t.Helper()
	object := vocab.Ref{ID: i.BaseURL + "/notes/" + note}
	if verb != vocab.VerbDelete {
		built, err := vocab.Note{ID: object.ID, AttributedTo: from, Content: "<p>la</p>", Published: i.Clock.Now().Truncate(time.Second), To: []string{to}}.Build()
		if err != nil {
			t.Fatal(err)
		}
		if object, err = vocab.Embed(built); err != nil {
			t.Fatal(err)
		}
	}
	a := vocab.Activity{ID: i.BaseURL + "/activities/" + id, Type: verb, Actor: from, Object: object, To: []string{to}}
	if err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Outbox.Tell(ctx, tx, a) }); err != nil {
		t.Fatal(err)
	}
}

func turn(t *testing.T, i *fedtest.Instance) {
	t.Helper()
	if err := i.Outbox.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// names are the last parts of URIs.
func names(uris []string) []string {
	out := make([]string, len(uris))
	for i, uri := range uris {
		out[i] = uri[strings.LastIndex(uri, "/")+1:]
	}
	return out
}

// TestSenderProcess is no test by itself: as a process of its own it is the instance that TestBadInput/E7 kills.
func TestSenderProcess(t *testing.T) {
	dsn := os.Getenv("ANTIPHON_TEST_SENDER")
	if dsn == "" {
		return
	}
	i := fedtest.New(t, fedtest.Options{BaseURL: home, DSN: dsn})
	for range time.Tick(10 * time.Millisecond) { // until it is killed
		i.Clock.Set(time.Now())
	}
}

// fanOut posts to a thousand followers on as many hosts, from a process that is killed this often on the way. It returns
// how many requests there were.
func fanOut(t *testing.T, kills int) int {
	const hosts = 1000
	town := fedtest.NewTown(t, hosts)
	dsn := filepath.Join(t.TempDir(), "antiphon.db")
	i := fedtest.New(t, fedtest.Options{BaseURL: home, DSN: dsn, Idle: true})
	ada := i.User(t, "ada", actor.Artist)
	i.Followers(t, ada.URI, town.Hosts, hosts, true)
	tell(t, i, ada, "1", vocab.Public, outbox.Followers(ada.URI))
	for n := range kills + 1 {
		sender := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSenderProcess$", "-test.timeout=5m")
		sender.Env = append(os.Environ(), "ANTIPHON_TEST_SENDER="+dsn)
		if err := sender.Start(); err != nil {
			t.Fatal(err)
		}
		// The first one dies while the deliveries are still being made, the others anywhere.
		enough := hosts * n / (kills + 1) * rand.IntN(100) / 100
		if n == kills {
			enough = hosts
		}
		fedtest.Until(t, fmt.Sprintf("%d hosts have it", enough), func() bool {
			_, have := town.Total()
			return have >= max(enough, min(n, 1))
		})
		if n == kills {
			fedtest.Until(t, "everything is written down", func() bool { return i.Count(t, "deliveries", "ended_at IS NULL") == 0 })
		}
		if err := sender.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := sender.Wait(); err == nil {
			t.Error("the process has ended by itself")
		}
		requests, have := town.Total()
		t.Logf("killed when %d hosts had it, after %d requests", have, requests)
	}
	for _, host := range town.Hosts {
		if got := slices.Compact(town.Got(host)); !slices.Equal(got, []string{home + "/likes/1"}) {
			t.Errorf("%s has %q", host, got)
		}
	}
	requests, _ := town.Total()
	return requests
}

func TestBadInputE7(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "E7",
		func(t *testing.T) {
			const kills = 4
			// What was taken and not yet written down when the process died is sent again, with the same id.
			if requests := fanOut(t, kills); requests > 1000+kills*512 {
				t.Errorf("%d requests for 1,000 inboxes", requests)
			}
		},
		func(t *testing.T) {
			// On a busy machine an answer can come too late, and the request is made again.
			if requests := fanOut(t, 0); requests > 1050 {
				t.Errorf("%d requests for 1,000 inboxes", requests)
			}
		})
}

// refusing is a host that ends every connection at once, and counts them.
type refusing struct {
	host     string
	attempts atomic.Int64
}

func newRefusing(t *testing.T) *refusing {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &refusing{host: listener.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.attempts.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return r
}

// A host that is dead for more than a week costs next to nothing, and what waited for it is given up with a record.
func TestBadInputE6(t *testing.T) {
	t.Parallel()
	const step = time.Hour
	testkit.BadInput(t, "E6",
		func(t *testing.T) {
			i := fedtest.New(t, fedtest.Options{BaseURL: home, Idle: true, Clock: testkit.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))})
			ada, dead := i.User(t, "ada", actor.Artist), newRefusing(t)
			i.Followers(t, ada.URI, []string{dead.host}, 1, false)
			to := "http://" + dead.host + "/users/p0"
			err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				for n := range 500 {
					a := vocab.Activity{ID: fmt.Sprintf("%s/likes/%d", home, n), Type: vocab.VerbLike, Actor: ada.URI, Object: vocab.Ref{ID: to}, To: []string{to}}
					if err := i.Outbox.Tell(ctx, tx, a); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for range 8 * 24 * time.Hour / step {
				turn(t, i)
				i.Clock.Advance(step)
			}
			turn(t, i)
			t.Logf("%d connections in 8 days", dead.attempts.Load())
			// Ten to find out, then fewer and fewer, at last one an hour.
			if n := dead.attempts.Load(); n < 7*24 || n > 7*24+40 {
				t.Errorf("%d connections to a dead host", n)
			}
			if got := states(t, i); got["dropped"] != 500 || len(got) != 1 {
				t.Errorf("the deliveries are %v", got)
			}
			for _, d := range deliveries(t, i) {
				if d.Error == "" || d.Attempts > 10 {
					t.Fatalf("given up after %d attempts: %q", d.Attempts, d.Error)
				}
			}
			if n := i.Count(t, "river_job", "1=1"); n != 0 {
				t.Errorf("%d jobs", n)
			}
			if h, err := i.Hosts.Standing(t.Context(), dead.host); err != nil || h.State != discover.Gone {
				t.Errorf("the host is %s, %v", h.State, err)
			}
			tell(t, i, ada, "more", to)
			if n := i.Count(t, "deliveries", "1=1"); n != 500 {
				t.Error("something is kept for a host that is gone")
			}
			// It speaks to us again.
			if err := i.Hosts.Reached(t.Context(), dead.host); err != nil {
				t.Fatal(err)
			}
			tell(t, i, ada, "again", to)
			if n := i.Count(t, "deliveries", "state = 'waiting'"); n != 1 {
				t.Error("nothing is kept for a host that has spoken to us")
			}
		},
		func(t *testing.T) {
			i := fedtest.New(t, fedtest.Options{BaseURL: home, Idle: true, Clock: testkit.NewClock(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))})
			ada, town := i.User(t, "ada", actor.Artist), fedtest.NewTown(t, 1)
			i.Followers(t, ada.URI, town.Hosts, 1, false)
			town.Answer(func(string, *http.Request) int { return http.StatusServiceUnavailable })
			var want []string
			for n := range 6 * 8 {
				want = append(want, fmt.Sprint(n))
				tell(t, i, ada, want[n], "http://"+town.Hosts[0]+"/users/p0")
				turn(t, i)
				i.Clock.Advance(3 * time.Hour)
			}
			town.Answer(nil)
			i.Clock.Advance(time.Hour)
			turn(t, i)
			if got := names(town.Got(town.Hosts[0])); !slices.Equal(got, want) {
				t.Errorf("after six days it has %d of %d: %q", len(got), len(want), got)
			}
		})
}

// A peer that was down for a day has everything afterwards, in order.
func TestDownForADay(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{BaseURL: home, DSN: fresh(), Idle: true})
		ada, town := i.User(t, "ada", actor.Artist), fedtest.NewTown(t, 1)
		i.Followers(t, ada.URI, town.Hosts, 1, false)
		to := "http://" + town.Hosts[0] + "/users/p0"
		hang := func(_ string, r *http.Request) int { panic(http.ErrAbortHandler) }
		town.Answer(hang)
		var want []string
		for n := range 24 {
			for part, verb := range []vocab.Verb{vocab.VerbCreate, vocab.VerbUpdate, vocab.VerbDelete} {
				id := fmt.Sprintf("%d-%d", n, part)
				want = append(want, id)
				say(t, i, ada.URI, to, id, verb, fmt.Sprint(n))
			}
			turn(t, i)
			i.Clock.Advance(time.Hour)
		}
		if got := states(t, i); got["held"] != len(want) {
			t.Errorf("while it is down: %v", got)
		}
		town.Answer(nil)
		i.Clock.Advance(time.Hour)
		turn(t, i)
		if got := names(town.Got(town.Hosts[0])); !slices.Equal(got, want) {
			t.Errorf("it has %q, want %q", got, want)
		}
	})
}

// A Delete waits for its Create, also when that was refused at first, and for nothing else.
func TestDeleteWaitsForCreate(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{BaseURL: home, DSN: fresh(), Idle: true})
		ada, town := i.User(t, "ada", actor.Artist), fedtest.NewTown(t, 1)
		i.Followers(t, ada.URI, town.Hosts, 1, false)
		to := "http://" + town.Hosts[0] + "/users/p0"
		town.Answer(func(string, *http.Request) int { return http.StatusServiceUnavailable })
		say(t, i, ada.URI, to, "create", vocab.VerbCreate, "a")
		turn(t, i)
		town.Answer(nil)
		say(t, i, ada.URI, to, "delete", vocab.VerbDelete, "a")
		say(t, i, ada.URI, to, "other", vocab.VerbCreate, "b")
		turn(t, i)
		if got := names(town.Got(town.Hosts[0])); !slices.Equal(got, []string{"other"}) {
			t.Errorf("before the second attempt: %q", got)
		}
		i.Clock.Advance(3 * time.Second)
		turn(t, i)
		if got := names(town.Got(town.Hosts[0])); !slices.Equal(got, []string{"other", "create", "delete"}) {
			t.Errorf("after it: %q", got)
		}
		// One that will never be taken keeps nothing back.
		town.Answer(func(string, *http.Request) int { return http.StatusNotFound })
		say(t, i, ada.URI, to, "create-c", vocab.VerbCreate, "c")
		turn(t, i)
		town.Answer(nil)
		say(t, i, ada.URI, to, "delete-c", vocab.VerbDelete, "c")
		turn(t, i)
		if got := names(town.Got(town.Hosts[0])); got[len(got)-1] != "delete-c" {
			t.Errorf("after a refusal: %q", got)
		}
		// While the deliveries of the Create are still being made, the Delete waits for them.
		say(t, i, ada.URI, to, "create-d", vocab.VerbCreate, "d")
		if err := i.DB.Write.Exec("UPDATE outbox SET spreading = TRUE WHERE uri LIKE '%/create-d'").Error; err != nil {
			t.Fatal(err)
		}
		turn(t, i)
		say(t, i, ada.URI, to, "delete-d", vocab.VerbDelete, "d")
		turn(t, i)
		if got := names(town.Got(town.Hosts[0])); got[len(got)-1] != "create-d" {
			t.Errorf("while followers are spread to: %q", got)
		}
	})
}

// One slow host with more waiting for it than can be on its way at all does not keep a thousand others waiting.
func TestBadInputE4(t *testing.T) {
	t.Parallel()
	const hosts = 1000
	run := func(t *testing.T, slow bool) {
		town := fedtest.NewTown(t, hosts)
		i := fedtest.New(t, fedtest.Options{BaseURL: home})
		ada := i.User(t, "ada", actor.Artist)
		i.Followers(t, ada.URI, town.Hosts, hosts, true)
		stalled := town.Hosts[0]
		if slow {
			town.Answer(func(host string, r *http.Request) int {
				if host == stalled {
					<-r.Context().Done() // the sender has given up
					return http.StatusServiceUnavailable
				}
				return http.StatusAccepted
			})
		}
		waiting := 600
		if !slow {
			waiting = 10
		}
		for n := range waiting {
			tell(t, i, ada, fmt.Sprint("for-one-", n), "http://"+stalled+"/users/p0")
		}
		tell(t, i, ada, "for-all", vocab.Public, outbox.Followers(ada.URI))
		fedtest.Until(t, "everybody else has it", func() bool { _, have := town.Total(); return have >= hosts-1 }, i)
		if n := town.Most(stalled); n > 4 {
			t.Errorf("%d requests at a time to the slow host", n)
		}
		if !slow {
			fedtest.Until(t, "the host has everything", func() bool { return len(town.Got(stalled)) == waiting+1 }, i)
		} else if got := town.Got(stalled); len(got) != 0 {
			t.Errorf("the slow host has %q", got)
		}
	}
	testkit.BadInput(t, "E4", func(t *testing.T) { run(t, true) }, func(t *testing.T) { run(t, false) })
}

// One activity is not brought to any number of inboxes that somebody invents on one host.
func TestBadInputC12(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, people, want int) {
		i := fedtest.New(t, fedtest.Options{BaseURL: home})
		ada := i.User(t, "ada", actor.Artist)
		hosts := []string{"many.invalid", "one.invalid"}
		i.Followers(t, ada.URI, hosts[:1], people, false)
		if err := i.Outbox.Pause(t.Context(), hosts[0], true); err != nil {
			t.Fatal(err)
		}
		tell(t, i, ada, "1", vocab.Public, outbox.Followers(ada.URI))
		fedtest.Until(t, "spread to all", func() bool { return i.Count(t, "outbox", "spreading") == 0 }, i)
		if n := i.Count(t, "deliveries", "host = ?", hosts[0]); n != int64(want) {
			t.Errorf("%d inboxes of one host get it, want %d", n, want)
		}
	}
	testkit.BadInput(t, "C12", func(t *testing.T) { run(t, 1300, 1000) }, func(t *testing.T) { run(t, 900, 900) })
}
