package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// listeners are servers on loopback, one a host, that take every POST and do as little as they can for it.
type listeners struct {
	addresses []string
	all       []net.Listener

	left atomic.Int64
	mu   sync.Mutex
	done chan struct{}
}

// host is the loopback address of the nth server: 127.1.0.1 and up.
func host(n int) string { return fmt.Sprintf("127.%d.%d.%d:0", 1+n/62500, n/250%250, 1+n%250) }

func listenMany(n int) (*listeners, error) {
	l := &listeners{done: make(chan struct{})}
	for i := range n {
		one, err := net.Listen("tcp", host(i))
		if err != nil {
			l.close()
			return nil, err
		}
		l.all, l.addresses = append(l.all, one), append(l.addresses, one.Addr().String())
		go l.serve(one)
	}
	return l, nil
}

// dig makes black holes: the system takes the connection, and nobody ever answers.
func dig(n int) (*listeners, error) {
	l := &listeners{}
	for i := range n {
		one, err := net.Listen("tcp", host(62500+i))
		if err != nil {
			l.close()
			return nil, err
		}
		l.all, l.addresses = append(l.all, one), append(l.addresses, one.Addr().String())
	}
	return l, nil
}

func (l *listeners) close() {
	for _, one := range l.all {
		_ = one.Close() // nothing was written
	}
}

// expect returns what is closed when so many requests have come.
func (l *listeners) expect(n int) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = make(chan struct{})
	l.left.Store(int64(n))
	return l.done
}

func (l *listeners) serve(one net.Listener) {
	for {
		conn, err := one.Accept()
		if err != nil {
			return // the run is over
		}
		go l.answer(conn)
	}
}

func (l *listeners) answer(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return // the sender has gone
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
		if l.left.Add(-1) == 0 {
			l.mu.Lock()
			close(l.done)
			l.mu.Unlock()
		}
	}
}
