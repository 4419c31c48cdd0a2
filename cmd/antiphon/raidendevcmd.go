package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"time"

	"antiphon/payments/raidendev"
)

// devNetwork is what `antiphon raiden dev` prints when its nodes answer: one JSON object on one line.
type devNetwork struct {
	Asset string            `json:"asset"`
	Nodes map[string]string `json:"nodes"`
}

// runRaidenDev runs the embedded development network.
func runRaidenDev(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("raiden dev", stderr)
	dir := set.String("dir", "raidendev", "folder of the network's state")
	names := set.String("nodes", "artist,listener", "names of the parties, one node each")
	port := set.Int("port", 0, "port of the hub; the nodes have the ports above it; 0 takes any")
	if err := parse(set, args); err != nil {
		return err
	}
	network, err := raidendev.Open(raidendev.Config{
		Dir: *dir, Nodes: strings.Split(*names, ","), Port: *port, Log: slog.New(slog.NewTextHandler(stderr, nil)), Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	defer network.Close()
	out := devNetwork{Asset: string(network.Asset()), Nodes: make(map[string]string)}
	for _, node := range network.Nodes() {
		out.Nodes[node.Name] = node.URL
	}
	if err := json.NewEncoder(stdout).Encode(out); err != nil {
		return err
	}
	return network.Serve(ctx)
}
