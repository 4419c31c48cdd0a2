package play_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"antiphon/media/access"
	"antiphon/media/pre/hpke"
	"antiphon/media/pre/umbral"
	"antiphon/vocab/multikey"
)

// threesome is a network with two more proxies.
type threesome struct {
	alone
	others []access.Proxy
}

func (n threesome) Proxies(context.Context, []string, string) ([]access.Proxy, error) {
	return n.others, nil
}

// spent is the processor time of this program. Other load on the machine hardly changes it.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGrant reports, in processor time, issue_cpu_ms of a 2-of-3 grant with all its fragments sealed and written,
// reencrypt_cpu_ms of a proxy's whole answer for one capsule (signature, nonce, database and all), umbral_cpu_ms of the
// re-encryption in it, and reencrypt_per_s while 32 asked at once.
func BenchmarkGrant(b *testing.B) {
	const grants, requests, atOnce = 64, 50, 32
	var network threesome
	for i := range 2 {
		key, err := hpke.GenerateKey(rand.Reader)
		must(b, err)
		actor := fmt.Sprintf("https://p%d.example/actor", i)
		network.others = append(network.others, access.Proxy{Actor: actor, Reencrypt: actor + "/reencrypt", SealingKeyID: actor + "#sealing-1", SealingKey: key.PublicKey()})
	}
	p := openProxy(b, network)
	product, err := p.room.ProductOf(b.Context(), base+"/tracks/t1")
	must(b, err)
	var keys [grants][2]string
	var secrets [grants]ed25519.PrivateKey
	for i := range keys {
		receiving, err := umbral.GenerateSecretKey(rand.Reader)
		must(b, err)
		keys[i][0], err = multikey.EncodeSecp256k1(receiving.PublicKey().Bytes())
		must(b, err)
		var public ed25519.PublicKey
		public, secrets[i], err = ed25519.GenerateKey(rand.Reader)
		must(b, err)
		keys[i][1], err = multikey.EncodeEd25519(public)
		must(b, err)
	}
	for b.Loop() {
		var all []*http.Request
		before := spent(b)
		var issued [grants]string
		for i, k := range keys {
			issued[i] = p.issue(b, product, base+"/users/buyer-"+rand.Text(), k[0], k[1])
		}
		b.ReportMetric((spent(b)-before).Seconds()*1000/grants, "issue_cpu_ms")
		if p.grant.Threshold != 2 || len(p.grant.Proxies) != 3 {
			b.Fatalf("the grant is %d of %d", p.grant.Threshold, len(p.grant.Proxies))
		}
		for i, grant := range issued {
			for range requests {
				a := p.good()
				a.grant, a.key = grant, secrets[i]
				_, err := rand.Read(a.nonce[:])
				must(b, err)
				all = append(all, p.request(b, a))
			}
		}
		before, began := spent(b), time.Now()
		var next, failed atomic.Int64
		var wg sync.WaitGroup
		for range atOnce {
			wg.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= len(all) {
						return
					}
					w := httptest.NewRecorder()
					if p.handler.ServeHTTP(w, all[i]); w.Code != http.StatusOK {
						failed.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if n := failed.Load(); n > 0 {
			b.Fatalf("%d of %d requests were refused", n, len(all))
		}
		b.ReportMetric(float64(len(all))/time.Since(began).Seconds(), "reencrypt_per_s")
		b.ReportMetric((spent(b)-before).Seconds()*1000/float64(len(all)), "reencrypt_cpu_ms")
		b.ReportMetric(reencryption(b, p), "umbral_cpu_ms")
		b.ReportMetric(0, "ns/op")
	}
}

// reencryption is the processor time of one re-encryption and nothing else.
func reencryption(b *testing.B, p *proxy) float64 {
	b.Helper()
	delegating, err := umbral.GenerateSecretKey(rand.Reader)
	must(b, err)
	kfrags, err := umbral.GenerateKeyFrags(rand.Reader, umbral.KeyFragParams{
		Delegating: delegating, Receiving: p.receiving.PublicKey(), Signing: secret(b), Threshold: 1, Shares: 1,
	})
	must(b, err)
	capsule, _, err := umbral.Encrypt(rand.Reader, delegating.PublicKey(), make([]byte, 32))
	must(b, err)
	const n = 500
	before := spent(b)
	for range n {
		_, err := umbral.Reencrypt(rand.Reader, capsule, kfrags[0])
		must(b, err)
	}
	return (spent(b) - before).Seconds() * 1000 / n
}

func secret(b *testing.B) *umbral.SecretKey {
	b.Helper()
	k, err := umbral.GenerateSecretKey(rand.Reader)
	must(b, err)
	return k
}
