package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/api/auth"
	"antiphon/api/web"
	"antiphon/templates"
)

type requestKey struct{}

// requestID is the id that the answer and the log lines of a request carry.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// outermost gives a request its id and its visitor's address, logs it, and turns a panic into an answer. The log holds
// the route and not the path, because links carry secrets in theirs.
func (s *server) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.now()
		id := strings.ToLower(rand.Text())
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		r.RemoteAddr = s.visitorAddress(r)
		rec := &recorder{ResponseWriter: w}
		header := rec.Header()
		header.Set("X-Request-Id", id)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Content-Security-Policy", templates.ContentSecurityPolicy)
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if s.secure {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		route := &routeName{}
		r = r.WithContext(context.WithValue(r.Context(), routeKey{}, route))
		defer func() {
			if cause := recover(); cause != nil {
				if cause == http.ErrAbortHandler {
					panic(cause)
				}
				s.log.Error("panic", "request", id, "route", route.name, "cause", cause, "stack", string(debug.Stack()))
				if rec.status == 0 {
					s.respond(rec, r, fmt.Errorf("panic: %v", cause))
				}
			}
			s.log.Info("request", "request", id, "method", r.Method, "route", route.name, "status", rec.status, "bytes", rec.bytes,
				"took", s.now().Sub(began).Round(time.Millisecond))
		}()
		next.ServeHTTP(rec, r)
	})
}

type routeKey struct{}

// routeName is filled in by the route that takes the request.
type routeName struct{ name string }

// named notes the route's pattern for the log.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := r.Context().Value(routeKey{}).(*routeName); ok {
			if pattern, err := mux.CurrentRoute(r).GetPathTemplate(); err == nil {
				name.name = pattern
			}
		}
		next.ServeHTTP(w, r)
	})
}

// visitorAddress is the address that a request comes from: the connection's, or what the proxy in front saw.
func (s *server) visitorAddress(r *http.Request) string {
	if s.trustProxy {
		// The proxy appends what it saw; whatever stands before was written by the visitor.
		forwarded := r.Header.Values("X-Forwarded-For")
		if len(forwarded) > 0 {
			hops := strings.Split(forwarded[len(forwarded)-1], ",")
			if ip, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil {
				return ip.String()
			}
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// bounded limits a request's body, and the time that it and its answer may take. A request for many ranges gets the
// whole: nobody who plays needs two parts at once, and a hundred that overlap are a cheap way to be sent much.
func bounded(limit int64, timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		if strings.Contains(r.Header.Get("Range"), ",") {
			r.Header.Del("Range")
		}
		deadline := time.Now().Add(timeout)
		control := http.NewResponseController(w)
		// A connection that knows no deadlines, as in a test, has none.
		_ = control.SetReadDeadline(deadline)
		_ = control.SetWriteDeadline(deadline.Add(timeout))
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// withSession puts who makes the request into its context, and refuses what another site had the browser send. Guests are
// strangers wherever they are not expected.
func (s *server) withSession(guests bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.crossOrigin.Check(r); err != nil {
			s.respond(w, r, &web.Fault{
				Status: http.StatusForbidden, What: "This was sent from another site", Do: "Load the page here again and try once more.", Err: err,
			})
			return
		}
		w.Header().Set("Cache-Control", "private, no-cache")
		w.Header().Add("Vary", "Cookie")
		token := s.auth.Token(r)
		if token == "" {
			next.ServeHTTP(w, r)
			return
		}
		v, err := s.auth.Visit(r.Context(), token)
		switch {
		case errors.Is(err, auth.ErrNoSession):
			s.auth.ClearCookie(w)
		case err != nil:
			s.respond(w, r, err)
			return
		default:
			if v.Slid {
				s.auth.SetCookie(w, token)
			}
			if guests || v.Account.Role != auth.Guest {
				r = r.WithContext(auth.WithVisitor(r.Context(), v))
			}
		}
		next.ServeHTTP(w, r)
	})
}
