package main

import (
	"bytes"
	"flag"
	"io/fs"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"antiphon/payments"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the moments at which TestKill kills; a new one when 0")

// TestKill kills one instance in every scene of the story, and finds at its end that nothing was lost and nothing was
// done twice.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	for n, victim := range []string{"artists", "home"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			t.Logf("to play this again: go test -run 'TestKill/%s' -seed %d", victim, seed)
			random := rand.New(rand.NewPCG(seed, uint64(n)))
			s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8))
			s.playThrough("start the payment network", "start three instances")
			who := map[string]*instance{"artists": s.artists, "home": s.home}[victim]
			for _, scene := range s.between("sign up", "sealed segments fetched") {
				s.playKilled(scene, who, random)
			}
			s.playThrough("decrypted", "no data folder")
			s.fragmentsHeld()
			s.soldOnce(s.lin, s.home)
			s.booksAgree()
			if paid := s.history("listener", "EventPaymentSentSuccess", s.orderOf(s.lin).Identifier); len(paid) != 1 {
				t.Errorf("the listener's node has paid %d times: %+v", len(paid), paid)
			}
			if n := len(s.orders()); n != 1 {
				s.showOrders()
				t.Errorf("there are %d orders, want 1", n)
			}
		})
	}
}

// playKilled plays a scene in which the victim is killed once and started again at once, on the same port and folder;
// then it plays the scene until it succeeds.
func (s *stage) playKilled(scene scene, victim *instance, random *rand.Rand) {
	s.tb.Helper()
	// From a millisecond to two seconds, the short ones as often as the long ones; at the scene's end at the latest.
	moment := time.Duration(math.Pow(2000, random.Float64()) * float64(time.Millisecond))
	ended, restarted := make(chan struct{}), make(chan error, 1)
	ctx, began := s.within(3*time.Minute), time.Now()
	go func() {
		select {
		case <-time.After(moment):
		case <-ended:
		}
		moment = time.Since(began)
		victim.kill()
		restarted <- victim.open(ctx)
	}()
	err := s.play(ctx, scene)
	close(ended)
	if err := <-restarted; err != nil {
		s.tb.Fatalf("%s does not start after it was killed in %q: %v", victim.name, scene.name, err)
	}
	s.tb.Logf("%s was killed after %s of %q", victim.name, moment.Round(time.Millisecond), scene.name)
	// As long as there is no admin, every start makes a new invitation.
	victim.invite = ""
	err = every(ctx, 100*time.Millisecond, func() (bool, error) {
		if err != nil {
			err = s.play(ctx, scene)
		}
		return err == nil, nil
	})
	if err != nil {
		s.tb.Fatalf("%q does not succeed after %s was killed in it: %v", scene.name, victim.name, err)
	}
}

// kill ends the process as a power failure does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// fragmentsHeld waits until every proxy has taken its fragment of every grant.
func (s *stage) fragmentsHeld() {
	s.tb.Helper()
	s.eventually("every fragment is taken", func() (bool, error) {
		return s.count(s.artists, "kfrags_made", "state <> 'accepted'") == 0, nil
	})
	for _, i := range []*instance{s.artists, s.home, s.proxy} {
		if held, grants := s.count(i, "kfrags_held", "1 = 1"), s.count(s.artists, "grants", "1 = 1"); held != grants {
			s.tb.Errorf("%s holds %d fragments of %d grants", i.name, held, grants)
		}
	}
}

// TestAway tries what a buyer fears: the seller dies between payment and confirmation, the buyer's own instance is away
// when the grant is sent, and the seller is gone for good after the sale.
func TestAway(t *testing.T) {
	t.Parallel()
	s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8))
	asked := s.withholdPayments()
	s.playThrough("start the payment network", "the listener offers")
	o := s.orderOf(s.lin)

	s.artists.kill()
	s.playThrough("the listener's node pays", "the listener's node pays")
	s.eventually("the payment goes through while the seller is dead", func() (bool, error) {
		return len(s.history("artist", "EventPaymentReceivedSuccess", o.Identifier)) == 1, nil
	})
	if o = s.orderOf(s.lin); o.State != payments.Awaiting || o.GrantURI != "" {
		t.Fatalf("the order is %q with grant %q while its seller is dead", o.State, o.GrantURI)
	}

	// The buyer's instance dies while it waits for its node's answer, and does not know that it has paid.
	s.home.kill()
	if err := s.artists.open(s.within(soon)); err != nil {
		t.Fatal(err)
	}
	s.eventually("the seller finds the payment", func() (bool, error) { return s.orderOf(s.lin).GrantURI != "", nil })
	s.eventually("the seller tries to deliver", func() (bool, error) {
		return s.count(s.artists, "hosts", "host = ? AND failures > 0", host(s.home.base)) == 1, nil
	})
	if n := s.count(s.home, "grants_held", "1 = 1"); n != 0 {
		t.Fatalf("the dead buyer's instance holds %d grants", n)
	}
	if err := s.home.open(s.within(soon)); err != nil {
		t.Fatal(err)
	}
	s.playThrough("the payment is seen", "the payment is seen")
	s.fragmentsHeld()
	s.soldOnce(s.lin, s.home)
	s.booksAgree()
	if paid := s.history("listener", "EventPaymentSentSuccess", o.Identifier); len(paid) != 1 || asked.Load() != 1 {
		t.Errorf("the listener's node was asked %d times to pay, and has paid %+v; want once", asked.Load(), paid)
	}
	// The grant is no weaker for having been made while one of its proxies was away.
	if n := s.count(s.artists, "grants", "threshold = 2"); n != 1 {
		t.Errorf("%d grants need two proxies, want 1", n)
	}

	s.eventually("the buyer's instance has every block", func() (bool, error) {
		return s.count(s.home, "grant_items", "state = 'kept'") == 1, nil
	})
	s.artists.kill()
	s.playThrough("two proxies re-encrypt", "the sound is the one")
	if len(s.renditions) != 4 {
		t.Errorf("%d renditions came from the own instance, want 4", len(s.renditions))
	}
	// The page that it is played from is the own instance's too.
	for _, path := range []string{"/library", s.order} {
		page, err := s.lin.get(t.Context(), path)
		if err != nil || !strings.Contains(string(page), "Antiphon") {
			t.Errorf("GET %s without the seller: %v", path, err)
		}
	}
	if _, err := s.lin.get(t.Context(), "/play/grant?track="+s.artists.base+"/tracks/unknown"); !isStatus(err, http.StatusNotFound) {
		t.Errorf("the grant of a track that was never bought: %v, want 404", err)
	}
	s.tamper()
}

// withholdPayments puts a proxy between the buyer's instance and its node: a payment goes through, but its answer does
// not come until the instance has given up. It counts how often a payment is asked for.
func (s *stage) withholdPayments() *atomic.Int32 {
	asked := new(atomic.Int32)
	s.front = func(i *instance) {
		if i.name != "home" {
			return
		}
		node, err := url.Parse(s.network.Nodes["listener"])
		if err != nil {
			s.tb.Fatal(err)
		}
		between := httptest.NewServer(&httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(node) },
			ModifyResponse: func(resp *http.Response) error {
				if resp.Request.Method == http.MethodPost {
					asked.Add(1)
					<-resp.Request.Context().Done()
				}
				return nil
			},
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		})
		s.tb.Cleanup(func() { between.CloseClientConnections(); between.Close() })
		i.env = append(i.env, "ANTIPHON_RAIDEN_URL="+between.URL)
	}
	return asked
}

// tamper changes what the buyer's own instance holds, and finds that the opening side takes none of it.
func (s *stage) tamper() {
	s.tb.Helper()
	ctx := s.tb.Context()
	for name, block := range map[string][]byte{
		"the last segment": s.renditions[3].segments[0].data, "an init segment": s.renditions[0].init,
	} {
		path := s.blockFile(block)
		wrong := bytes.Clone(block)
		wrong[len(wrong)/2] ^= 1
		if err := os.WriteFile(path, wrong, 0o600); err != nil {
			s.tb.Fatal(err)
		}
		if _, err := s.fetch(ctx, s.master); err == nil {
			s.tb.Errorf("with one bit of %s changed, the track is still played", name)
		}
		if err := os.WriteFile(path, block, 0o600); err != nil {
			s.tb.Fatal(err)
		}
	}
	if _, err := s.fetch(ctx, s.master); err != nil {
		s.tb.Errorf("with every block as it was: %v", err)
	}
	g, err := s.lin.grant(ctx, s.track)
	if err != nil {
		s.tb.Fatal(err)
	}
	for _, member := range []string{"capsule", "ciphertext", "manifest", "delegatingKey", "receivingKey", "threshold"} {
		changed := g
		if changed.Grant = changeMember(g.Grant, member); bytes.Equal(changed.Grant, g.Grant) {
			s.tb.Errorf("the grant has no %s", member)
			continue
		}
		if _, err := checkGrant(changed); err == nil {
			s.tb.Errorf("a grant with another %s is taken", member)
		}
	}
}

// changeMember changes the first letter or digit of the value of every member of a name.
func changeMember(raw []byte, name string) []byte {
	value := regexp.MustCompile(`("` + name + `":\s*[^0-9A-Za-z]*)([0-9A-Za-z])`)
	return value.ReplaceAllFunc(raw, func(b []byte) []byte {
		b = bytes.Clone(b)
		if last := len(b) - 1; b[last] == '3' {
			b[last] = '4'
		} else {
			b[last] = '3'
		}
		return b
	})
}

// blockFile is the file in the home instance's store that holds a block.
func (s *stage) blockFile(block []byte) string {
	s.tb.Helper()
	found := ""
	err := filepath.WalkDir(filepath.Join(s.home.dir, "blocks"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Equal(b, block) {
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		s.tb.Fatalf("the store of %s has no file of %d bytes like that: %v", s.home.name, len(block), err)
	}
	return found
}
