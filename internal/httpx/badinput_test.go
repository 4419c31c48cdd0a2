package httpx_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"antiphon/internal/httpx"
	"antiphon/internal/testkit"
)

// private are addresses that nothing from outside may lead to, one of each kind.
var private = []string{
	"127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "0.1.2.3", "::", "10.0.0.7", "172.16.0.1", "172.31.255.254", "192.168.1.1",
	"169.254.169.254", "169.254.0.1", "100.64.1.1", "100.127.255.254", "198.18.0.1", "198.19.255.254", "192.0.0.8", "192.0.2.1",
	"198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
	"fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
	"::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a00:1::1",
	"2001:0:53aa:64c:0:0:80ff:fffe", "2001:db8::1", "100::1", "3fff::1", "5f00::1",
}

// real is a server on loopback, which stands for one of the public internet, and a client that may reach it.
func real(t *testing.T, cfg httpx.Config, h http.HandlerFunc) (*httpx.Client, *httptest.Server) {
	t.Helper()
	cfg.AllowLoopback = true
	return setup(t, cfg, h)
}

func TestAddressesFromOutside(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "C1", func(t *testing.T) {
		for _, addr := range private {
			c := httpx.New(httpx.Config{Resolver: always(addr)})
			if _, err := get(t, c, "https://music.example/", 10); !errors.Is(err, httpx.ErrForbiddenAddress) {
				t.Errorf("a name of %s: %v", addr, err)
			}
			literal := "https://" + net.JoinHostPort(addr, "443") + "/"
			if _, err := get(t, c, literal, 10); !errors.Is(err, httpx.ErrForbiddenAddress) {
				t.Errorf("%s: %v", literal, err)
			}
			c.Close()
		}
		// What inet_aton would read as an address is a name here, if anything.
		for _, odd := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost.", "LOCALHOST"} {
			c := httpx.New(httpx.Config{Resolver: always("127.0.0.1")})
			if got, err := get(t, c, "https://"+odd+"/", 10); err == nil {
				t.Errorf("%s: %v", odd, got)
			}
			c.Close()
		}
	}, func(t *testing.T) {
		for _, addr := range []string{"8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"} {
			if !httpx.Public(netip.MustParseAddr(addr)) {
				t.Errorf("%s is refused", addr)
			}
		}
		c, srv := real(t, httpx.Config{Resolver: always("127.0.0.1")}, func(http.ResponseWriter, *http.Request) {})
		if _, err := get(t, c, strings.Replace(srv.URL, "127.0.0.1", "music.example", 1), 10); err != nil {
			t.Error(err)
		}
	})

	testkit.BadInput(t, "C2", func(t *testing.T) {
		for _, addr := range append([]string{"[::ffff:10.0.0.1]", "internal.example"}, private[6:]...) {
			if strings.HasPrefix(addr, "127.") || strings.Contains(addr, ":") && !strings.HasPrefix(addr, "[") {
				addr = "[" + strings.Trim(addr, "[]") + "]"
			}
			if addr == "[::ffff:127.0.0.1]" {
				continue // loopback, which stands for the public internet here
			}
			c, srv := real(t, httpx.Config{Resolver: always("10.1.2.3")}, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://"+addr+"/latest/meta-data", http.StatusFound)
			})
			signed := 0
			_, err := get(t, c, srv.URL, 10, func(r *http.Request) error {
				signed++
				r.Header.Set("Signature", "of this hop")
				return nil
			})
			if !errors.Is(err, httpx.ErrForbiddenAddress) {
				t.Errorf("redirect to %s: %v", addr, err)
			}
			if signed > 2 {
				t.Errorf("redirect to %s: %d requests were signed", addr, signed)
			}
		}
	}, func(t *testing.T) {
		c, srv := real(t, httpx.Config{}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/there", http.StatusFound)
			}
		})
		if got, err := get(t, c, srv.URL, 10); err != nil || got.URL.Path != "/there" {
			t.Errorf("%v %v", got, err)
		}
	})

	testkit.BadInput(t, "C3", func(t *testing.T) {
		c := httpx.New(httpx.Config{})
		defer c.Close()
		for _, u := range []string{
			"http://music.example/", "HTTP://music.example/", "file:///etc/passwd", "FILE:///etc/passwd", "gopher://music.example/1", "ftp://music.example/",
			"data:application/activity+json,{}", "javascript:1", "unix:///run/docker.sock", "https:music.example", "//music.example/", "https://a@music.example/",
			"https://music.example:443@10.0.0.1/", "https://", "https:///etc/passwd", "ws://music.example/",
		} {
			req, err := http.NewRequest(http.MethodGet, u, nil)
			if err != nil {
				continue
			}
			if _, err := c.Do(t.Context(), req, 10); !errors.Is(err, httpx.ErrForbiddenURL) {
				t.Errorf("%s: %v", u, err)
			}
		}
	}, func(t *testing.T) {
		secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		c := httpx.New(httpx.Config{AllowLoopback: true})
		httpx.Trust(c, secure.Certificate())
		t.Cleanup(func() { c.Close(); secure.CloseClientConnections(); secure.Close() })
		if got, err := get(t, c, secure.URL, 10); err != nil || got.Status != http.StatusOK {
			t.Errorf("%v %v", got, err)
		}
	})

	testkit.BadInput(t, "C4", func(t *testing.T) {
		// Loopback stands for the public address that is shown first.
		var turned atomic.Bool
		names := nameServer(func() []netip.Addr {
			if turned.Load() {
				return []netip.Addr{netip.MustParseAddr("10.0.0.1")}
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		})
		c, srv := real(t, httpx.Config{Resolver: names}, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
		rebound := strings.Replace(srv.URL, "127.0.0.1", "rebind.example", 1)
		if _, err := get(t, c, rebound, 10); err != nil {
			t.Fatalf("while the address is good: %v", err)
		}
		turned.Store(true)
		if _, err := get(t, c, rebound, 10); !errors.Is(err, httpx.ErrForbiddenAddress) {
			t.Errorf("once it is private: %v", err)
		}
	}, func(t *testing.T) {
		c, srv := real(t, httpx.Config{Resolver: always("127.0.0.1")}, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
		for range 2 {
			if _, err := get(t, c, strings.Replace(srv.URL, "127.0.0.1", "music.example", 1), 10); err != nil {
				t.Error(err)
			}
		}
	})

	testkit.BadInput(t, "C6", func(t *testing.T) {
		var asked atomic.Int32
		c, srv := real(t, httpx.Config{Own: "Own.example.:443"}, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			switch r.URL.Path {
			case "/self":
				http.Redirect(w, r, "/self", http.StatusFound)
			case "/a":
				http.Redirect(w, r, "/b", http.StatusTemporaryRedirect)
			case "/b":
				http.Redirect(w, r, "/a", http.StatusPermanentRedirect)
			case "/home":
				http.Redirect(w, r, "https://own.EXAMPLE./users/ada", http.StatusFound)
			default:
				http.Redirect(w, r, r.URL.Path+"x", http.StatusSeeOther)
			}
		})
		for _, path := range []string{"/self", "/a", "/on"} {
			asked.Store(0)
			if _, err := get(t, c, srv.URL+path, 10); !errors.Is(err, httpx.ErrTooManyRedirects) || asked.Load() != 4 {
				t.Errorf("%s: %v after %d requests", path, err, asked.Load())
			}
		}
		asked.Store(0)
		if _, err := get(t, c, srv.URL+"/home", 10); !errors.Is(err, httpx.ErrForbiddenURL) || asked.Load() != 1 {
			t.Errorf("to ourselves: %v after %d requests", err, asked.Load())
		}
		for _, own := range []string{"https://own.example/", "https://OWN.example:443/x", "https://own.example./"} {
			if _, err := get(t, c, own, 10); !errors.Is(err, httpx.ErrForbiddenURL) {
				t.Errorf("%s: %v", own, err)
			}
		}
	}, func(t *testing.T) {
		c, srv := real(t, httpx.Config{Own: "own.example"}, func(w http.ResponseWriter, r *http.Request) {
			if n := len(r.URL.Path); n < 4 {
				http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
			}
		})
		if got, err := get(t, c, srv.URL+"/", 10); err != nil || got.URL.Path != "/xxx" {
			t.Errorf("three redirects: %v %v", got, err)
		}
	})
}

// liar is a server that writes what it is told to each connection, whatever HTTP says about it.
func liar(t *testing.T, write func(conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				write(conn)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String() + "/"
}

// pour writes a piece until the reader has had enough.
func pour(conn net.Conn, piece string) {
	chunk := []byte(strings.Repeat(piece, 1+(32<<10)/len(piece)))
	for {
		if _, err := conn.Write(chunk); err != nil {
			return
		}
	}
}

// drip writes a piece now and then.
func drip(conn net.Conn, piece string) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := conn.Write([]byte(piece)); err != nil {
			return
		}
	}
}

func TestAnswersFromOutside(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	bomb := bombed(t)
	testkit.BadInput(t, "C8", func(t *testing.T) {
		for _, tc := range []struct {
			name  string
			write func(net.Conn)
			want  error // nil is any
			slow  bool  // ends by the time, not by the size
		}{
			{"100 MB announced", func(c net.Conn) { io.WriteString(c, ok+"Content-Length: 100000000\r\n\r\n") }, httpx.ErrTooLarge, false},
			{"100 MB unannounced", func(c net.Conn) { io.WriteString(c, ok+"\r\n"); pour(c, "x") }, httpx.ErrTooLarge, false},
			{"chunks without end", func(c net.Conn) {
				io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n")
				pour(c, "5\r\nhello\r\n")
			}, httpx.ErrTooLarge, false},
			{"a chunk of 2^64", func(c net.Conn) {
				io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n")
			}, nil, false},
			{"chunk extensions without end", func(c net.Conn) {
				io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n5;")
				pour(c, "x=y;")
			}, nil, false},
			{"a trailer without end", func(c net.Conn) {
				io.WriteString(c, ok+"Trailer: X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
				pour(c, "X: y\r\n")
			}, nil, false},
			{"gzip bomb", func(c net.Conn) {
				fmt.Fprintf(c, ok+"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(bomb), bomb)
			}, httpx.ErrTooLarge, false},
			{"two codings", func(c net.Conn) {
				io.WriteString(c, ok+"Content-Encoding: gzip, gzip\r\nContent-Length: 1\r\n\r\nx")
			}, httpx.ErrEncoding, false},
			{"brotli", func(c net.Conn) { io.WriteString(c, ok+"Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx") }, httpx.ErrEncoding, false},
			{"deflate", func(c net.Conn) {
				io.WriteString(c, ok+"Content-Encoding: deflate\r\nContent-Length: 1\r\n\r\nx")
			}, httpx.ErrEncoding, false},
			{"gzip that is none", func(c net.Conn) { io.WriteString(c, ok+"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope") }, nil, false},
			{"gzip that is cut", func(c net.Conn) {
				fmt.Fprintf(c, ok+"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n%s", bomb[:20])
			}, io.ErrUnexpectedEOF, false},
			{"shorter than it says", func(c net.Conn) { io.WriteString(c, ok+"Content-Length: 10\r\n\r\nabc") }, io.ErrUnexpectedEOF, false},
			{"two lengths", func(c net.Conn) {
				io.WriteString(c, ok+"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde")
			}, nil, false},
			{"a negative length", func(c net.Conn) { io.WriteString(c, ok+"Content-Length: -1\r\n\r\n") }, nil, false},
			{"a header flood", func(c net.Conn) { io.WriteString(c, ok); pour(c, "X-Y: z\r\n") }, nil, false},
			{"one header without end", func(c net.Conn) { io.WriteString(c, ok+"X: "); pour(c, "y") }, nil, false},
			{"a status line without end", func(c net.Conn) { pour(c, "HTTP") }, nil, false},
			{"informational answers without end", func(c net.Conn) { pour(c, "HTTP/1.1 103 Early Hints\r\n\r\n") }, nil, false},
			{"not HTTP", func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n") }, nil, false},
			{"nothing", func(net.Conn) {}, nil, false},
			{"a slow body", func(c net.Conn) { io.WriteString(c, ok+"Content-Length: 100000\r\n\r\n"); drip(c, "x") }, context.DeadlineExceeded, true},
			{"a slow header", func(c net.Conn) { io.WriteString(c, ok); drip(c, "X: y\r\n") }, context.DeadlineExceeded, true},
			{"a slow status line", func(c net.Conn) { drip(c, "H") }, nil, true},
			{"slow chunks", func(c net.Conn) {
				io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n")
				drip(c, "1\r\nx\r\n")
			}, context.DeadlineExceeded, true},
			{"silence", func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }, context.DeadlineExceeded, true},
		} {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				cfg := httpx.Config{AllowLoopback: true, Timeout: time.Minute} // what is bounded by size needs no clock
				if tc.slow {
					cfg.Timeout = 200 * time.Millisecond
				}
				c := httpx.New(cfg)
				t.Cleanup(c.Close)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				got, err := get(t, c, liar(t, tc.write), 1<<20)
				runtime.ReadMemStats(&after)
				if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
					t.Errorf("%v (%v), want %v", err, got, tc.want)
				}
				// The tests beside this one allocate as well.
				if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 256<<20 {
					t.Errorf("the heap grew by %d MiB", grown>>20)
				}
			})
		}
	}, func(t *testing.T) {
		small := new(bytes.Buffer)
		z := gzip.NewWriter(small)
		io.WriteString(z, "hello")
		z.Close()
		for _, answer := range []string{
			ok + "Content-Length: 5\r\n\r\nhello",
			ok + "\r\nhello",
			ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\n\r\n" + ok + "Content-Length: 5\r\n\r\nhello",
			fmt.Sprintf(ok+"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", small.Len(), small),
			ok + "Content-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
			ok + "X: " + strings.Repeat("y", 32<<10) + "\r\nContent-Length: 5\r\n\r\nhello",
		} {
			c := httpx.New(httpx.Config{AllowLoopback: true, Timeout: time.Minute})
			got, err := get(t, c, liar(t, func(conn net.Conn) { io.WriteString(conn, answer) }), 5)
			if err != nil || string(got.Body) != "hello" {
				t.Errorf("%.80q: %v %v", answer, got, err)
			}
			c.Close()
		}
	})
}

// bombed is 10 MB of nothing, packed into 10 KB.
func bombed(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	zeros := make([]byte, 1<<20)
	for range 10 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() > 12<<10 {
		t.Fatalf("the bomb has %d bytes", packed.Len())
	}
	return packed.Bytes()
}
