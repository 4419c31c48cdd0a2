package main

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// How long a stop waits for requests, and then for jobs, before it cancels them. Nothing is lost by that: a job that
// was cut off is worked again at the next start.
const (
	drainRequests = 10 * time.Second
	drainJobs     = 10 * time.Second
)

// runServe runs one instance until ctx ends.
func runServe(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("serve", stderr)
	read := withConfig(set)
	if err := parse(set, args); err != nil {
		return err
	}
	c, err := read()
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Server.LogLevel)); err != nil {
		return fmt.Errorf("server.log_level: %w", err)
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	h, err := openHouse(ctx, c, log)
	if err != nil {
		return err
	}
	return errors.Join(h.serve(ctx, stdout), h.Close())
}

// serve listens, works jobs and watches payments until ctx ends, then stops in the opposite order.
func (h *house) serve(ctx context.Context, stdout io.Writer) error {
	listener, err := net.Listen("tcp", h.config.Server.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := h.welcome(ctx, stdout); err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := errors.Join(h.tracks.Sweep(ctx), h.pages.Sweep(ctx), h.members.Sweep(ctx), h.catchup.Begin(ctx)); err != nil {
		return errors.Join(err, listener.Close())
	}
	chaincode, err := serveContract(h.config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer chaincode.Stop()
	// The jobs end after the last request, so they do not end with ctx.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	if err := h.jobs.Start(work); err != nil {
		return errors.Join(err, listener.Close())
	}
	h.inbox.Start()
	defer h.inbox.Stop()
	var watching sync.WaitGroup
	watching.Go(func() { h.orders.Watch(ctx) })
	watching.Go(func() { h.access.Tend(ctx) })
	watching.Go(func() { h.subscriptions.Tend(ctx) })
	watching.Go(func() { h.restock(ctx) })
	watching.Go(func() { h.tendPool(ctx) })
	watching.Go(func() { h.catchup.Watch(ctx) })
	watching.Go(func() { h.witnesses.Watch(ctx) })
	server := &http.Server{
		Handler: h.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	h.log.Info("serving", "base", h.config.Server.BaseURL, "listen", listener.Addr().String(), "ffmpeg", h.engine.Name())
	// What was needed only to start goes back to the system: an idle instance is to be small.
	debug.FreeOSMemory()
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = nil
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainRequests)
	defer cancel()
	if stop := server.Shutdown(drain); stop != nil {
		err = errors.Join(err, server.Close())
	}
	watching.Wait()
	h.inbox.Stop()
	settle, done := context.WithTimeout(context.WithoutCancel(ctx), drainJobs)
	defer done()
	return errors.Join(err, h.jobs.Stop(settle))
}

// welcome tells on the first start where the admin signs up.
func (h *house) welcome(ctx context.Context, stdout io.Writer) error {
	link, err := h.accounts.FirstLink(ctx)
	if err != nil || link == "" {
		return err
	}
	_, err = fmt.Fprintf(stdout, "Sign up the admin at %s\n", link)
	return err
}

// instanceKey signs fetches of the instance.
func (h *house) instanceKey(ctx context.Context) (string, *rsa.PrivateKey, error) {
	return h.actors.HTTPKey(ctx, h.actors.Instance())
}
