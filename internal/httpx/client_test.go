package httpx_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"antiphon/internal/httpx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPublic(t *testing.T) {
	t.Parallel()
	closed := []string{
		"127.0.0.1", "127.255.255.254", "::1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1", "172.31.255.255",
		"192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "198.18.0.1", "198.19.255.255", "192.0.0.1",
		"192.0.2.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"fc00::1", "fd12::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00::1", "2002:808:808::1", "2001::1",
		"2001:0:53aa:64c:0:0:80ff:fffe", "2001:db8::1", "3fff::1", "100::1", "fec0::1", "5f00::1", "192.88.99.1",
	}
	for _, s := range closed {
		if httpx.Public(netip.MustParseAddr(s)) {
			t.Errorf("%s counts as public", s)
		}
	}
	open := []string{"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "198.20.0.1", "::ffff:8.8.8.8",
		"64:ff9b::808:808", "2606:4700:4700::1111", "2a01:4f8::1"}
	for _, s := range open {
		if !httpx.Public(netip.MustParseAddr(s)) {
			t.Errorf("%s does not count as public", s)
		}
	}
	if httpx.Public(netip.MustParseAddr("2606:4700::1%eth0")) || httpx.Public(netip.Addr{}) {
		t.Error("a zone or the zero address counts as public")
	}
}

func setup(t *testing.T, cfg httpx.Config, h http.HandlerFunc) (*httpx.Client, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(h)
	c := httpx.New(cfg)
	t.Cleanup(func() { c.Close(); srv.CloseClientConnections(); srv.Close() })
	return c, srv
}

func get(t *testing.T, c *httpx.Client, url string, limit int64, hooks ...httpx.Hook) (*httpx.Response, error) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(t.Context(), req, limit, hooks...)
}

func TestDo(t *testing.T) {
	t.Parallel()
	c, srv := setup(t, httpx.Config{AllowLoopback: true, UserAgent: "Antiphon/test"}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Method, r.UserAgent())
	})
	got, err := get(t, c, srv.URL+"/a", 100)
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 200 || string(got.Body) != "GET Antiphon/test" || got.URL.Path != "/a" {
		t.Errorf("got %d %q %s", got.Status, got.Body, got.URL)
	}
	if _, err := get(t, c, srv.URL, int64(len("GET Antiphon/test"))); err != nil {
		t.Errorf("a body of exactly the limit: %v", err)
	}
	if _, err := get(t, c, srv.URL, int64(len("GET Antiphon/test"))-1); !errors.Is(err, httpx.ErrTooLarge) {
		t.Errorf("one byte more than the limit: %v", err)
	}
}

func TestForbidden(t *testing.T) {
	t.Parallel()
	reached := false
	_, srv := setup(t, httpx.Config{}, func(http.ResponseWriter, *http.Request) { reached = true })
	port := srv.Listener.Addr().(*net.TCPAddr).Port
	strict := httpx.New(httpx.Config{})
	dev := httpx.New(httpx.Config{AllowLoopback: true})
	t.Cleanup(func() { strict.Close(); dev.Close() })
	cases := []struct {
		name, url string
		c         *httpx.Client
		want      error
	}{
		{"plain http", "http://example.com/", strict, httpx.ErrForbiddenURL},
		{"file", "file:///etc/passwd", strict, httpx.ErrForbiddenURL},
		{"gopher", "gopher://example.com/", strict, httpx.ErrForbiddenURL},
		{"data", "data:text/plain,hi", strict, httpx.ErrForbiddenURL},
		{"user name", "https://user@example.com/", strict, httpx.ErrForbiddenURL},
		{"no host", "https:///x", strict, httpx.ErrForbiddenURL},
		{"port only", "https://:443/x", strict, httpx.ErrForbiddenURL},
		{"loopback", fmt.Sprintf("https://127.0.0.1:%d/", port), strict, httpx.ErrForbiddenAddress},
		{"localhost", fmt.Sprintf("https://localhost:%d/", port), strict, httpx.ErrForbiddenAddress},
		{"loopback v6", fmt.Sprintf("https://[::1]:%d/", port), strict, httpx.ErrForbiddenAddress},
		{"mapped", fmt.Sprintf("https://[::ffff:127.0.0.1]:%d/", port), strict, httpx.ErrForbiddenAddress},
		{"unspecified", fmt.Sprintf("https://0.0.0.0:%d/", port), strict, httpx.ErrForbiddenAddress},
		{"metadata", "https://169.254.169.254/latest", strict, httpx.ErrForbiddenAddress},
		{"private with loopback allowed", "http://10.0.0.1/", dev, httpx.ErrForbiddenAddress},
		{"metadata with loopback allowed", "http://169.254.169.254/", dev, httpx.ErrForbiddenAddress},
		{"unspecified with loopback allowed", fmt.Sprintf("http://0.0.0.0:%d/", port), dev, httpx.ErrForbiddenAddress},
		{"nat64 with loopback allowed", "http://[64:ff9b::7f00:1]/", dev, httpx.ErrForbiddenAddress},
	}
	for _, tc := range cases {
		if _, err := get(t, tc.c, tc.url, 10); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
	if reached {
		t.Error("a refused request reached the server")
	}
}

// nameServer answers every question with the addresses that next gives: what a name resolves to is the attacker's choice,
// and may change from one question to the next.
func nameServer(next func() []netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			buf := make([]byte, 2+1500)
			if _, err := io.ReadFull(server, buf[:2]); err != nil {
				return
			}
			n := int(buf[0])<<8 | int(buf[1])
			if _, err := io.ReadFull(server, buf[2:2+n]); err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[2:2+n]) != nil {
				return
			}
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true}, Questions: q.Questions}
			for _, addr := range next() {
				r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Type: q.Questions[0].Type, Class: dnsmessage.ClassINET}}
				switch {
				case addr.Is4() && q.Questions[0].Type == dnsmessage.TypeA:
					r.Body = &dnsmessage.AResource{A: addr.As4()}
				case addr.Is6() && q.Questions[0].Type == dnsmessage.TypeAAAA:
					r.Body = &dnsmessage.AAAAResource{AAAA: addr.As16()}
				default:
					continue
				}
				answer.Answers = append(answer.Answers, r)
			}
			out, err := answer.Pack()
			if err != nil {
				return
			}
			server.Write(append([]byte{byte(len(out) >> 8), byte(len(out))}, out...))
		}()
		return client, nil
	}}
}

// always is a name's one address.
func always(addr string) *net.Resolver {
	return nameServer(func() []netip.Addr { return []netip.Addr{netip.MustParseAddr(addr)} })
}

func TestResolvedAddress(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1", "10.0.0.7", "169.254.169.254", "100.64.1.1"} {
		c := httpx.New(httpx.Config{Resolver: always(addr)})
		if _, err := get(t, c, "https://music.example/", 10); !errors.Is(err, httpx.ErrForbiddenAddress) {
			t.Errorf("a name that resolves to %s: %v", addr, err)
		}
		c.Close()
	}
	c, srv := setup(t, httpx.Config{AllowLoopback: true, Resolver: always("127.0.0.1")},
		func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	got, err := get(t, c, strings.Replace(srv.URL, "127.0.0.1", "music.example", 1), 100)
	if err != nil || !strings.HasPrefix(string(got.Body), "music.example:") {
		t.Errorf("the same name where it is allowed: %v %v", got, err)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var seen []string
	var srv *httptest.Server
	c, srv := setup(t, httpx.Config{AllowLoopback: true}, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Path+" "+r.Header.Get("Signature")+r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/once":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusMovedPermanently)
		case "/private":
			http.Redirect(w, r, "http://10.0.0.1/", http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/nowhere":
			w.WriteHeader(http.StatusFound)
		case "/inbox":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		default:
			io.WriteString(w, "end")
		}
	})
	hop := 0
	got, err := get(t, c, srv.URL+"/once", 10, func(r *http.Request) error {
		hop++
		if r.Header.Get("Signature") != "" {
			t.Error("the signature of the first hop is still there")
		}
		r.Header.Set("Signature", fmt.Sprint("hop", hop))
		return nil
	})
	if err != nil || got.URL.Path != "/end" || string(got.Body) != "end" {
		t.Fatalf("one redirect: %v %v", got, err)
	}
	if want := []string{"/once hop1", "/end hop2"}; fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("server saw %q, want %q", seen, want)
	}
	seen = nil
	if _, err := get(t, c, srv.URL+"/loop", 10); !errors.Is(err, httpx.ErrTooManyRedirects) || len(seen) != 4 {
		t.Errorf("loop: %v after %d requests", err, len(seen))
	}
	if _, err := get(t, c, srv.URL+"/private", 10); !errors.Is(err, httpx.ErrForbiddenAddress) {
		t.Errorf("to a private address: %v", err)
	}
	if _, err := get(t, c, srv.URL+"/file", 10); !errors.Is(err, httpx.ErrForbiddenURL) {
		t.Errorf("to a file: %v", err)
	}
	if _, err := get(t, c, srv.URL+"/nowhere", 10); !errors.Is(err, httpx.ErrForbiddenURL) {
		t.Errorf("without a location: %v", err)
	}
	stop := errors.New("own host")
	seen = nil
	if _, err := get(t, c, srv.URL+"/once", 10, func(r *http.Request) error {
		if r.URL.Path == "/end" {
			return stop
		}
		return nil
	}); !errors.Is(err, stop) || len(seen) != 1 {
		t.Errorf("a hook that refuses the second hop: %v after %d requests", err, len(seen))
	}
	req, _ := http.NewRequest(http.MethodPost, srv.URL+"/inbox", strings.NewReader("{}"))
	seen = nil
	if got, err := c.Do(t.Context(), req, 1000); err != nil || got.Status != http.StatusTemporaryRedirect || len(seen) != 1 {
		t.Errorf("POST that is redirected: %v %v after %d requests", got, err, len(seen))
	}
}

func TestDowngrade(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached over http") }))
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL, http.StatusFound)
	}))
	c := httpx.New(httpx.Config{AllowLoopback: true})
	httpx.Trust(c, secure.Certificate())
	t.Cleanup(func() { c.Close(); plain.Close(); secure.Close() })
	if _, err := get(t, c, secure.URL, 10); !errors.Is(err, httpx.ErrForbiddenURL) {
		t.Errorf("https to http: %v", err)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	forever := func(w http.ResponseWriter, chunk []byte) {
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}
	cases := []struct {
		name string
		h    http.HandlerFunc
		want error
	}{
		{"infinite chunked", func(w http.ResponseWriter, r *http.Request) { forever(w, make([]byte, 4096)) }, httpx.ErrTooLarge},
		{"announced too long", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "100000000") }, httpx.ErrTooLarge},
		{"gzip bomb", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			zeros := make([]byte, 1<<20)
			for range 64 {
				if _, err := z.Write(zeros); err != nil {
					return
				}
			}
			z.Close()
		}, httpx.ErrTooLarge},
		{"brotli", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.Write([]byte{1})
		}, httpx.ErrEncoding},
		{"silent", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, context.DeadlineExceeded},
		{"slow body", func(w http.ResponseWriter, r *http.Request) {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-r.Context().Done():
					return
				case <-tick.C:
					w.Write([]byte{'x'})
					w.(http.Flusher).Flush()
				}
			}
		}, context.DeadlineExceeded},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			// What is bounded by its size must not need the clock, however busy the machine is.
			c, srv := setup(t, httpx.Config{AllowLoopback: true, Timeout: 2 * time.Minute}, tc.h)
			if tc.want == context.DeadlineExceeded {
				c = httpx.New(httpx.Config{AllowLoopback: true, Timeout: 150 * time.Millisecond})
				t.Cleanup(c.Close)
			}
			if _, err := get(t, c, srv.URL, 1<<20); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	t.Run("header flood", func(t *testing.T) {
		t.Parallel()
		c, srv := setup(t, httpx.Config{AllowLoopback: true}, func(w http.ResponseWriter, r *http.Request) {
			for i := range 5000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("y", 100))
			}
		})
		if _, err := get(t, c, srv.URL, 1<<20); err == nil {
			t.Error("500 kB of header were taken")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		c, srv := setup(t, httpx.Config{AllowLoopback: true}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req, _ := http.NewRequest(http.MethodGet, srv.URL, nil)
		if _, err := c.Do(ctx, req, 10); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
