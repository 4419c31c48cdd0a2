package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkPurchase reports grant_p50_ms and grant_max_ms of twenty purchases on running instances: from the answer of
// the listener's payment node until the listener's own instance gives the grant to the player.
func BenchmarkPurchase(b *testing.B) {
	const purchases = 20
	d, answers := openShop(b)
	for b.Loop() {
		var waits []float64
		for range purchases {
			waits = append(waits, float64(d.buy(b, answers).Microseconds())/1000)
		}
		slices.Sort(waits)
		b.Logf("%.0f ms", waits)
		b.ReportMetric((waits[purchases/2-1]+waits[purchases/2])/2, "grant_p50_ms")
		b.ReportMetric(waits[purchases-1], "grant_max_ms")
	}
}

// BenchmarkIdle reports idle_rss_MB and idle_cpu_percent of an instance whose embedded FFmpeg has made a track a minute
// ago, and which has had nothing to do since. It reads them from Linux's /proc.
func BenchmarkIdle(b *testing.B) {
	const idle = time.Minute
	dir := b.TempDir()
	i := openInstance(b, dir, "idle", filepath.Join(builtProgram(b), "antiphon"), "ANTIPHON_MEDIA_ENGINE=embedded")
	ada, err := newUser(i.base, "ada")
	must(b, err)
	must(b, ada.signUp(b.Context(), "Ada", i.invite))
	draft, err := ada.upload(b.Context(), cutTune(b, dir, "ogg", 5))
	must(b, err)
	must(b, ada.ready(b.Context(), draft))
	pid := i.cmd.Process.Pid
	for b.Loop() {
		sleep(b, idle/2)
		before := ticks(b, pid)
		sleep(b, idle/2+5*time.Second)
		spent := float64(ticks(b, pid)-before) / 100
		b.ReportMetric(100*spent/(idle/2+5*time.Second).Seconds(), "idle_cpu_percent")
		b.ReportMetric(resident(b, pid), "idle_rss_MB")
	}
}

// openShop starts the demo's network and instances and signs its people up; answers tells when the listener's payment
// node has answered for a payment.
func openShop(b *testing.B) (d *demo, answers chan time.Time) {
	dir := b.TempDir()
	binary := filepath.Join(builtProgram(b), "antiphon")
	d = &demo{dir: dir, audio: cutTune(b, dir, "ogg", 5), network: newNetwork(dir)}
	d.network.binary = binary
	must(b, d.network.open(b.Context()))
	b.Cleanup(d.network.stop)

	node, err := url.Parse(d.network.Nodes["listener"])
	must(b, err)
	b.Cleanup(func() {
		if b.Failed() {
			(&stage{demo: d, tb: b}).showLogs()
		}
	})
	answers = make(chan time.Time, 1)
	between := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(node) },
		ModifyResponse: func(resp *http.Response) error {
			if resp.Request.Method == http.MethodPost && resp.StatusCode == http.StatusOK {
				answers <- time.Now()
			}
			return nil
		},
	})
	b.Cleanup(between.Close)

	asset := "ANTIPHON_RAIDEN_ASSET=" + d.network.Asset
	d.proxy = openInstance(b, dir, "proxy", binary)
	d.artists = openInstance(b, dir, "artists", binary, asset, "ANTIPHON_RAIDEN_URL="+d.network.Nodes["artist"],
		"ANTIPHON_GRANTS_PROXIES="+d.proxy.base+"/actor")
	d.home = openInstance(b, dir, "home", binary, asset, "ANTIPHON_RAIDEN_URL="+between.URL)
	must(b, d.signUp(b.Context(), map[string]any{}))
	must(b, d.follow(b.Context(), map[string]any{}))
	return d, answers
}

// buy has the artist post a track and the listener pay for it, and returns how long the grant took after the payment.
func (d *demo) buy(b *testing.B, answers chan time.Time) time.Duration {
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	for _, scene := range []func(context.Context, map[string]any) error{
		d.upload, d.waitReady, d.publish, d.waitAnnounced, d.offer, d.pay,
	} {
		must(b, scene(ctx, map[string]any{}))
	}
	var answered time.Time
	select {
	case answered = <-answers:
	case <-ctx.Done():
		b.Fatal("the payment node has not answered")
	}
	must(b, every(ctx, 5*time.Millisecond, func() (bool, error) {
		g, err := d.lin.grant(ctx, d.track)
		return err == nil && len(g.Grant) > 0, ctx.Err()
	}))
	return time.Since(answered)
}

// openInstance starts an instance, which ends with the benchmark.
func openInstance(b *testing.B, dir, name, binary string, settings ...string) *instance {
	i, err := newInstance(dir, name, settings...)
	must(b, err)
	i.binary = binary
	must(b, i.open(b.Context()))
	b.Cleanup(i.stop)
	must(b, i.firstInvite(b.Context()))
	return i
}

func sleep(b *testing.B, d time.Duration) {
	select {
	case <-time.After(d):
	case <-b.Context().Done():
		b.Fatal(b.Context().Err())
	}
}

// ticks is the processor time of a process in hundredths of a second: fields 14 and 15 of its stat.
func ticks(b *testing.B, pid int) (sum int64) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(b, err)
	_, fields, _ := strings.Cut(string(stat), ") ")
	for _, field := range strings.Fields(fields)[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		must(b, err)
		sum += n
	}
	return sum
}

// resident is how much memory of a process lies in RAM, in MB.
func resident(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	_, after, ok := strings.Cut(string(status), "VmRSS:")
	if !ok {
		b.Fatal("the process has ended")
	}
	kib, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	must(b, err)
	return kib * 1024 / 1e6
}
