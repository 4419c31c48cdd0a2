package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/httpsig"
	"antiphon/federation/outbox"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/internal/jobs"
	"antiphon/internal/vault"
	"antiphon/vocab"
)

const (
	// The sizes of the fan-outs, in hosts.
	manyHosts, mostHosts, blackHoles = 1000, 5000, 50
	// crowd is how many followers the largest has.
	crowd = 100_000
)

// delivery measures how fast a post reaches its followers' servers, which are listeners of their own on loopback, and
// answer on the same processors. Signing each request with RSA is what nobody can leave out; everything else, the
// receivers too, is measured against that.
func (b *bench) delivery(ctx context.Context) (err error) {
	w, err := b.newSender(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	peers, err := listenMany(mostHosts)
	if err != nil {
		return err
	}
	defer peers.close()
	holes, err := dig(blackHoles)
	if err != nil {
		return err
	}
	defer holes.close()

	if err := w.follow(ctx, "ada", peers.addresses[:manyHosts], manyHosts); err != nil {
		return err
	}
	// The first thing that somebody waits for: an offer to one host.
	var delays []float64
	for range 20 {
		delay, err := w.post(ctx, "ada", "http://"+peers.addresses[0]+"/users/ada0", peers, 1)
		if err != nil {
			return err
		}
		delays = append(delays, delay.Seconds()*1000)
	}
	if err := b.report("delivery/one", median(delays), "ms", atMost(50)); err != nil {
		return err
	}
	var took, ratios []float64
	for range b.rounds {
		signed, err := w.signatures(ctx, "ada")
		if err != nil {
			return err
		}
		last, err := w.post(ctx, "ada", w.followers("ada"), peers, manyHosts)
		if err != nil {
			return err
		}
		took = append(took, last.Seconds())
		ratios = append(ratios, 100*manyHosts/last.Seconds()/signed)
	}
	if err := b.report("delivery/1000-hosts", median(took), "s", atMost(1.2)); err != nil {
		return err
	}
	if err := b.report("delivery/of-signing", median(ratios), "%", atLeast(60)); err != nil {
		return err
	}

	if err := w.follow(ctx, "lin", append(append([]string{}, holes.addresses...), peers.addresses[:manyHosts-blackHoles]...), manyHosts); err != nil {
		return err
	}
	last, err := w.post(ctx, "lin", w.followers("lin"), peers, manyHosts-blackHoles)
	if err != nil {
		return err
	}
	if err := b.report("delivery/black-holes", last.Seconds(), "s", atMost(2)); err != nil {
		return err
	}

	var grown []float64
	for _, size := range []struct {
		name      string
		followers int
	}{{"few", mostHosts}, {"kim", crowd}} {
		if err := w.follow(ctx, size.name, peers.addresses, size.followers); err != nil {
			return err
		}
		heap := watchHeap()
		last, err := w.post(ctx, size.name, w.followers(size.name), peers, mostHosts)
		grown = append(grown, heap())
		if err != nil {
			return err
		}
		if err := b.report(fmt.Sprintf("delivery/%d-followers", size.followers), last.Seconds(), "s", noFloor); err != nil {
			return err
		}
	}
	if err := b.report("delivery/heap-5000-followers", grown[0], "MB", noFloor); err != nil {
		return err
	}
	if err := b.report("delivery/heap-100000-followers", grown[1], "MB", noFloor); err != nil {
		return err
	}
	return b.report("delivery/heap-growth", grown[1]/grown[0], "x", atMost(1.5))
}

// watchHeap returns what tells, once, by how many megabytes the heap was larger since than at its beginning.
func watchHeap() func() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	begin, peak := m.HeapAlloc, m.HeapAlloc
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
	}()
	return func() float64 {
		close(stop)
		<-done
		return float64(peak-begin) / 1e6
	}
}

// sender is the part of an instance that sends.
type sender struct {
	db     *db.DB
	queue  *jobs.Queue
	http   *httpx.Client
	actors *actor.Registry
	outbox *outbox.Outbox
	posts  int
}

const senderURL = "http://music.example"

func (b *bench) newSender(ctx context.Context) (*sender, error) {
	log := slog.New(slog.DiscardHandler)
	w := &sender{http: httpx.New(httpx.Config{AllowLoopback: true})}
	var err error
	if w.db, err = db.Open(ctx, filepath.Join(b.dir, "delivery.db"), log); err != nil {
		return nil, err
	}
	secrets, err := vault.New(make([]byte, 32), rand.Reader)
	if err != nil {
		return nil, err
	}
	w.actors = actor.New(actor.Config{BaseURL: senderURL, Name: "Bench"}, actor.Parts{DB: w.db, Vault: secrets, Log: log, Now: time.Now, Rand: rand.Reader})
	w.queue = jobs.New(w.db, log)
	w.outbox = outbox.New(outbox.Config{BaseURL: senderURL}, outbox.Parts{
		DB: w.db, Jobs: w.queue, Actors: w.actors, HTTP: w.http, Log: log, Now: time.Now,
		Hosts: discover.NewHosts(discover.HostsConfig{Scheme: "http"}, w.db, w.http, log, time.Now),
	})
	w.outbox.Register(w.queue)
	if err := w.queue.Open(); err != nil {
		return nil, err
	}
	return w, w.queue.Start(ctx)
}

func (w *sender) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := w.queue.Stop(ctx)
	w.http.Close()
	return errors.Join(err, w.db.Close())
}

// follow makes a local artist with followers at these addresses in turn; each address is one host with a shared inbox.
func (w *sender) follow(ctx context.Context, artist string, addresses []string, followers int) error {
	keys, err := w.actors.NewKeys()
	if err != nil {
		return err
	}
	return w.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		made, err := w.actors.CreateLocal(ctx, tx, actor.Local{Name: artist, Kind: actor.Artist, Display: artist, Keys: keys})
		if err != nil {
			return err
		}
		insert := func(table string, values []string, args []any) error {
			return tx.Exec("INSERT INTO "+table+" VALUES "+strings.Join(values, ", "), args...).Error
		}
		for begin := 0; begin < followers; begin += 1000 {
			var people, follows []string
			var personArgs, followArgs []any
			for n := begin; n < min(begin+1000, followers); n++ {
				base := "http://" + addresses[n%len(addresses)]
				uri := fmt.Sprintf("%s/users/%s%d", base, artist, n)
				people, personArgs = append(people, "(?, FALSE, ?, ?, 'Person', 'A', ?, ?, ?)"),
					append(personArgs, uri, fmt.Sprint(artist, n), addresses[n%len(addresses)], uri+"/inbox", base+"/inbox", time.Now())
				follows, followArgs = append(follows, "(?, ?, ?, 'accepted', ?)"), append(followArgs, uri, made.URI, uri+"#f", time.Now())
			}
			if err := insert("actors (uri, local, name, host, kind, display, inbox, shared_inbox, created_at)", people, personArgs); err != nil {
				return err
			}
			if err := insert("follows (follower, followed, uri, state, created_at)", follows, followArgs); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *sender) followers(artist string) string {
	return outbox.Followers(senderURL + "/users/" + artist)
}

// post sends a note by an artist and tells how long it is from the commit until so many hosts have it.
func (w *sender) post(ctx context.Context, artist, to string, peers *listeners, hosts int) (time.Duration, error) {
	w.posts++
	id := fmt.Sprintf("%s/notes/%d", senderURL, w.posts)
	from := senderURL + "/users/" + artist
	note, err := vocab.Note{
		ID: id, AttributedTo: from, Content: "<p>" + strings.Repeat("la ", 300) + "</p>", Published: time.Now().UTC().Truncate(time.Second),
		To: []string{to},
	}.Build()
	if err != nil {
		return 0, err
	}
	object, err := vocab.Embed(note)
	if err != nil {
		return 0, err
	}
	all := peers.expect(hosts)
	err = w.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return w.outbox.Tell(ctx, tx, vocab.Activity{
			ID: id + "/create", Type: vocab.VerbCreate, Actor: from, Object: object, To: []string{to},
		})
	})
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	select {
	case <-all:
		return time.Since(begin), nil
	case <-time.After(2 * time.Minute):
		return 0, fmt.Errorf("%d of %d hosts have nothing after two minutes", peers.left.Load(), hosts)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// signatures is how many requests a second can be signed and no more, on all processors.
func (w *sender) signatures(ctx context.Context, artist string) (float64, error) {
	id, key, err := w.actors.HTTPKey(ctx, senderURL+"/users/"+artist)
	if err != nil {
		return 0, err
	}
	body := []byte(strings.Repeat("la ", 400))
	digest := httpsig.Digest(body)
	begin, made := time.Now(), atomic.Int64{}
	var group sync.WaitGroup
	failed := make(chan error, runtime.GOMAXPROCS(0))
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for time.Since(begin) < time.Second {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://peer.example/inbox", nil)
				if err == nil {
					req.Header.Set("Digest", digest)
					err = httpsig.Sign(req, body, id, key, time.Now())
				}
				if err != nil {
					failed <- err
					return
				}
				made.Add(1)
			}
		})
	}
	group.Wait()
	took := time.Since(begin)
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(made.Load()) / took.Seconds(), nil
	}
}
