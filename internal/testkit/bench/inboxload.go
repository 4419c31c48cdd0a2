package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// errEnough says that a run used up all its requests, so that its rate would be too low.
var errEnough = errors.New("all requests were sent before the time was over: the server is faster than --per-second")

// fire sends requests, each as it stands, from clients that wait for every answer, for the given time or until the last of
// those that may be sent once. Every answer must be 202.
func fire(ctx context.Context, host string, requests [][]byte, clients int, during time.Duration) (volley, error) {
	return fireFor(ctx, host, requests, clients, during, "202")
}

// fireFor is fire for answers of another status.
func fireFor(ctx context.Context, host string, requests [][]byte, clients int, during time.Duration, status string) (volley, error) {
	repeat := len(requests) == views
	var next atomic.Int64
	var wait sync.WaitGroup
	delays, failed := make([][]time.Duration, clients), make([]error, clients)
	begin := time.Now()
	for c := range clients {
		wait.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
			if err != nil {
				failed[c] = err
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for time.Since(begin) < during && ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(requests) {
					if !repeat {
						return
					}
					n %= len(requests)
				}
				at := time.Now()
				if _, err := conn.Write(requests[n]); err != nil {
					failed[c] = err
					return
				}
				if failed[c] = answered(answers, status); failed[c] != nil {
					return
				}
				delays[c] = append(delays[c], time.Since(at))
			}
		})
	}
	wait.Wait()
	v := volley{took: time.Since(begin)}
	for _, d := range delays {
		v.delays = append(v.delays, d...)
	}
	v.sent = len(v.delays)
	if err := errors.Join(append(failed, ctx.Err())...); err != nil {
		return v, err
	}
	if v.sent == 0 {
		return v, errors.New("nothing was sent")
	}
	if !repeat && v.sent == len(requests) && v.took < during*9/10 {
		return v, errEnough
	}
	return v, nil
}

// answered reads one answer, which must have that status. It is read by hand, because the clients take their time from the server's cores.
func answered(r *bufio.Reader, want string) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	ok, first := bytes.HasPrefix(status, []byte("HTTP/1.1 "+want)), string(status)
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		name, value, _ := strings.Cut(string(line), ":")
		if strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	body := make([]byte, length)
	for read := 0; read < length; {
		n, err := r.Read(body[read:])
		if err != nil {
			return err
		}
		read += n
	}
	if !ok {
		return fmt.Errorf("answer %s %.300s", strings.TrimSpace(first), body)
	}
	return nil
}
