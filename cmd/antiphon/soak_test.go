package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
	"syscall"
	"testing"
	"time"

	"antiphon/federation/fedtest"
	"antiphon/federation/httpsig"
	"antiphon/internal/db"
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

// bad is something that must have no effect: a row of docs/bad-inputs.md.
func (s *soak) bad() func() error {
	at := 2 * s.random.IntN(soakHosts)
	bob, eve := s.folk[at], s.folk[at+1]
	other := s.folk[(at+2)%len(s.folk)]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	n := s.number
	id, mine := fmt.Sprintf("%s/activities/%d", eve.URI, n), fmt.Sprintf("%s/notes/%d", eve.URI, n)
	theirs := s.base + "/notes/none"
	for uri, owner := range s.arrived {
		if owner == bob.URI {
			theirs = uri
			break
		}
	}
	create := activity("Create", eve.URI, n, noteJSON(mine, eve.URI, "<p>forged</p>"))
	s.gone[mine] = true
	signed := func(body []byte, want ...int) func() error {
		return func() error { return s.post(eve, body, 1, want...) }
	}
	stored := func(body []byte) func() error {
		s.forged[id] = true
		return signed(body, http.StatusAccepted)
	}
	changed := func(change func(r *http.Request), want ...int) func() error {
		return func() error {
			r, err := s.request(eve, create)
			if err != nil {
				return err
			}
			change(r)
			return s.do(r, want...)
		}
	}
	claims := func(path string) func() error {
		liar := *eve
		liar.KeyID = s.abyss.URL + path + "#main-key"
		return func() error { return s.post(&liar, create, 1, http.StatusUnauthorized) }
	}
	get := func(path string, want ...int) func() error {
		return func() error {
			r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+path, nil)
			if err != nil {
				return err
			}
			return s.do(r, want...)
		}
	}
	kinds := []func() func() error{
		func() func() error { return changed(func(r *http.Request) { r.Header.Del("Signature") }, 401) },
		func() func() error {
			return changed(func(r *http.Request) { r.Header.Set("Digest", "SHA-256=AAAA") }, 401)
		},
		func() func() error { return changed(func(r *http.Request) { r.Header.Set("Date", "yesterday") }, 401) },
		func() func() error {
			return changed(func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415)
		},
		func() func() error { return changed(func(r *http.Request) { r.Host = "elsewhere.example" }, 401) },
		func() func() error {
			return changed(func(r *http.Request) {
				r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(bytes.ToUpper(create))), nil }
				r.Body, _ = r.GetBody()
			}, 401)
		},
		func() func() error { return changed(func(r *http.Request) { r.URL.Path = "/users/nobody/inbox" }, 404) },
		func() func() error { return signed(activity("Create", bob.URI, n, noteJSON(mine, bob.URI, "x")), 401) },
		func() func() error {
			return signed(activity("Create", s.ada.actor, n, noteJSON(mine, s.ada.actor, "x")), 401, 403)
		},
		func() func() error {
			return signed(bytes.Replace(create, []byte(`"id":"`+id), []byte(`"id":"`+other.URI+"/activities/x"), 1), 401, 403)
		},
		func() func() error { return signed(bytes.Replace(create, []byte(`{`), []byte(`{"id":"x",`), 1), 400) },
		func() func() error { return signed(bytes.Repeat([]byte(`{"a":`), 10_000), 400) },
		func() func() error { return signed(append(create, bytes.Repeat([]byte(" "), 1<<20)...), 413) },
		func() func() error { return signed([]byte("\xef\xbb\xbf{}"), 400) },
		func() func() error {
			return signed(bytes.Replace(create, []byte("<p>forged</p>"), []byte(`\ud800`), 1), 400)
		},
		func() func() error {
			return stored(activity("Create", eve.URI, n, noteJSON(mine, bob.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Create", eve.URI, n, noteJSON(other.URI+"/notes/x", eve.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Create", eve.URI, n, noteJSON(s.base+"/notes/x", eve.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Create", eve.URI, n, noteJSON(theirs, eve.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Update", eve.URI, n, noteJSON(theirs, eve.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Update", eve.URI, n, noteJSON(theirs, bob.URI, "<p>forged</p>")))
		},
		func() func() error { return stored(activity("Delete", eve.URI, n, `"`+theirs+`"`)) },
		func() func() error { return stored(activity("Delete", eve.URI, n, `"`+bob.URI+`"`)) },
		func() func() error {
			return stored(activity("Undo", eve.URI, n, `{"id":"`+bob.URI+`/accepts/1","type":"Accept","actor":"`+bob.URI+`","object":"`+s.ada.actor+`"}`))
		},
		func() func() error { return stored(activity("Accept", eve.URI, n, `"`+s.base+`/follows/none"`)) },
		func() func() error { return stored(activity("Like", eve.URI, n, `"`+s.base+`/notes/none"`)) },
		func() func() error {
			return stored(activity("Announce", eve.URI, n, `"http://169.254.169.254/latest/meta-data"`))
		},
		func() func() error { return stored(activity("Follow", eve.URI, n, `"`+s.base+`/users/nobody"`)) },
		func() func() error {
			return stored(activity("Create", eve.URI, n, `{"id":"`+mine+`","type":["Receipt","Document"],"attributedTo":"`+eve.URI+`"}`))
		},
		func() func() error {
			return stored(activity("Offer", eve.URI, n, `{"type":"Agreement","product":"`+s.base+`/products/none"}`))
		},
		func() func() error { return claims("/none") },
		func() func() error { return claims("/html") },
		func() func() error { return claims("/bomb") },
		func() func() error { return claims("/loop/" + strconv.Itoa(n)) },
		func() func() error { return claims("/large/" + strconv.Itoa(n)) },
		func() func() error { return claims("/private/" + strconv.Itoa(n)) },
		func() func() error { return claims("/back?" + s.base) },
		func() func() error { return get("/.well-known/webfinger?resource="+strings.Repeat("a", 5000), 400) },
		func() func() error { return get("/ipfs/..%2f..%2fetc%2fpasswd", 301, 400, 404) },
		func() func() error {
			return get("/media/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 404)
		},
		func() func() error { return get("/remote/icon?uri="+url.QueryEscape(s.abyss.URL), 303, 401) },
		func() func() error { return get("/users/ada/outbox?page=99999999999999999999", 400, 404) },
		func() func() error { return get("/grants/"+strconv.Itoa(n), 404) },
		func() func() error { return s.half },
	}
	if s.random.IntN(200) == 0 { // each holds a sender for as long as the instance is patient
		return claims("/hang/" + strconv.Itoa(n))
	}
	return kinds[s.random.IntN(len(kinds))]()
}

// abyss answers what nobody wants to hear.
func abyss(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", vocab.ActivityType)
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch kind {
	case "html":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>")
	case "bomb":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range 20 {
			if _, err := z.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
		_ = z.Close()
	case "loop":
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	case "back":
		http.Redirect(w, r, r.URL.RawQuery+"/users/ada", http.StatusFound)
	case "private":
		http.Redirect(w, r, "http://10.0.0.1/", http.StatusFound)
	case "large":
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	case "hang":
		<-r.Context().Done()
	default:
		http.NotFound(w, r)
	}
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

// eventually waits for what has to happen soon.
func (s *soak) eventually(what string, look func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	if err := every(ctx, 50*time.Millisecond, func() (bool, error) { return look(), nil }); err != nil {
		s.t.Fatalf("not in time: %s", what)
	}
}

// read opens the instance's database beside it.
func (s *soak) read(look func(d *db.DB)) {
	s.t.Helper()
	d, err := db.Open(s.t.Context(), filepath.Join(s.dir, "antiphon.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	look(d)
	if err := d.Close(); err != nil {
		s.t.Error(err)
	}
}

// settle waits until every activity was looked at.
func (s *soak) settle() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	s.read(func(d *db.DB) {
		s.eventually("every activity is judged", func() bool {
			var n int64
			err := d.Read.Table("activities").Where("state = 'received'").Count(&n).Error
			return err == nil && n == 0
		})
	})
}

// effects compares the database with what was sent.
func (s *soak) effects() {
	s.t.Helper()
	s.read(func(d *db.DB) {
		var rows []struct{ URI, Content string }
		if err := d.Read.Table("posts").Select("uri, content").Scan(&rows).Error; err != nil {
			s.t.Fatal(err)
		}
		have := map[string]string{}
		for _, row := range rows {
			have[row.URI] = row.Content
			if s.gone[row.URI] {
				s.t.Errorf("%s is in the timeline: %s", row.URI, row.Content)
			}
		}
		if len(rows) != len(have) || !maps.Equal(have, s.posts) {
			s.t.Errorf("%d posts in the timeline, want %d", len(rows), len(s.posts))
		}
		var states []struct{ ID, Type, State, Outcome string }
		if err := d.Read.Table("activities").Select("id, type, state, outcome").Scan(&states).Error; err != nil {
			s.t.Fatal(err)
		}
		tally := map[string]int{}
		for _, row := range states {
			tally[row.State]++
			if s.forged[row.ID] && row.State != "refused" && row.State != "ignored" && row.Type != "Offer" {
				s.t.Errorf("hostile %s %s is %s: %s", row.Type, row.ID, row.State, row.Outcome)
			}
			if !s.forged[row.ID] && row.State != "done" && row.Type != "Delete" {
				s.t.Errorf("valid %s %s is %s: %s", row.Type, row.ID, row.State, row.Outcome)
			}
		}
		s.t.Logf("activities: %v, posts: %d", tally, len(rows))
		for table, want := range map[string]int64{"follows": 2 * soakHosts, "reactions": 0} {
			var n int64
			if err := d.Read.Table(table).Count(&n).Error; err != nil || n != want {
				s.t.Errorf("%d rows in %s, want %d, %v", n, table, want, err)
			}
		}
	})
}

// logged counts the lines of the log: one for each request, and one at most for each refusal beside it.
func (s *soak) logged() {
	s.t.Helper()
	requests, other := s.lines()
	if limit := int(s.hostile.Load()) + 100; other > limit {
		s.t.Errorf("%d lines in the log beside those of requests, for %d refusals", other, s.hostile.Load())
	}
	s.t.Logf("log: %d requests, %d other lines", requests, other)
}

func (s *soak) lines() (requests, other int) {
	f, err := os.Open(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	kinds := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.Contains(lines.Text(), "msg=request ") {
			requests++
			continue
		}
		other++
		_, message, _ := strings.Cut(lines.Text(), "msg=")
		kinds[message[:min(len(message), 40)]]++
	}
	for _, kind := range slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return cmp.Compare(kinds[b], kinds[a]) })[:min(5, len(kinds))] {
		s.t.Logf("%6d %s", kinds[kind], kind)
	}
	return requests, other
}

// resident is the memory of the process.
func (s *soak) resident() int64 {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// descriptors is how many files and connections the process has open.
func (s *soak) descriptors() int {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}

// goroutines ends the process with a dump of its goroutines, and compares their number with that of one that did
// nothing.
func (s *soak) goroutines() {
	s.t.Helper()
	fresh, err := newInstance(s.t.TempDir(), "idle")
	if err != nil {
		s.t.Fatal(err)
	}
	fresh.binary = s.binary
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := fresh.open(ctx); err != nil {
		s.t.Fatal(err)
	}
	defer fresh.stop()
	count := func(i *instance) int {
		if err := i.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
			s.t.Fatal(err)
		}
		<-i.exited
		text, err := os.ReadFile(i.log)
		if err != nil {
			s.t.Fatal(err)
		}
		madeBy := map[string]int{}
		for line := range strings.Lines(string(text)) {
			if what, ok := strings.CutPrefix(line, "created by "); ok {
				what, _, _ = strings.Cut(what, " in goroutine")
				madeBy[strings.TrimSpace(what)]++
			}
		}
		s.t.Logf("%s: %v", i.name, madeBy)
		return bytes.Count(text, []byte("\ngoroutine "))
	}
	idle, now := count(fresh), count(s.instance)
	s.t.Logf("goroutines: %d, and %d of an instance that did nothing", now, idle)
	// Work that begins a while after the start, such as the queue's own upkeep, is no leak.
	if idle == 0 || now > idle+40 {
		s.t.Errorf("%d goroutines, and %d of an instance that did nothing: see %s", now, idle, s.log)
	}
}
