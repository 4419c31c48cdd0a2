package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/fabric"
	"antiphon/payments/ledger/forward"
)

// openFabric returns nil when the configuration names no peer.
func openFabric(c *config) (*fabric.Backend, error) {
	f := c.Ledger.Fabric
	if f.Peer == "" {
		return nil, nil
	}
	b, err := fabric.Open(fabric.Config{
		Peer: f.Peer, CA: f.PeerCA, PeerName: f.PeerName, MSP: f.MSP, Cert: f.Cert, Key: f.Key, Channel: f.Channel, Chaincode: f.Chaincode,
	})
	if err != nil {
		return nil, fmt.Errorf("ledger.fabric: %w", err)
	}
	return b, nil
}

// serveContract serves the contract to the operator's peer; nil when the configuration does not ask for it.
func serveContract(c *config) (*fabric.Server, error) {
	f := c.Ledger.Fabric
	if f.Listen == "" {
		return nil, nil
	}
	s, err := fabric.Serve(fabric.ServerConfig{
		Address: f.Listen, PackageID: f.PackageID, Cert: f.ListenCert, Key: f.ListenKey, ClientCA: f.ListenPeers,
	})
	if err != nil {
		return nil, fmt.Errorf("ledger.fabric.listen: %w", err)
	}
	return s, nil
}

// openShared joins the own ledger to the one that is shared with others, if there is one.
func (h *house) openShared() (err error) {
	if h.shared, err = openFabric(h.config); err != nil {
		return err
	}
	var to contract.Backend
	if h.shared != nil {
		to = h.shared
		h.closing(h.shared.Close)
	}
	h.forward = forward.New(forward.Parts{DB: h.db, Jobs: h.jobs, Own: h.ledger, To: to, Log: h.log})
	h.forward.Register(h.jobs)
	return nil
}

func lookFabric(ctx context.Context, c *config) (f finding) {
	f = finding{part: "shared ledger", level: "ok"}
	b, err := openFabric(c)
	if err != nil {
		return finding{part: f.part, level: "fail", says: err.Error(), do: "see [ledger.fabric] in `antiphon config --defaults`, and docs/fabric.md"}
	}
	if b == nil {
		f.says = "none: reports stay in the own ledger"
		return f
	}
	defer func() {
		if err := b.Close(); err != nil {
			f.level, f.says = "warn", err.Error()
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	peer := c.Ledger.Fabric.Peer
	switch err := b.Ready(ctx); {
	case err == nil:
		f.says = "peer " + peer + ", and enough others agree"
	case errors.Is(err, fabric.ErrDisagree):
		f.level, f.says, f.do = "warn", err.Error(), "the operators are to run one version of the contract"
	default:
		f.level, f.says, f.do = "warn", err.Error(), "nothing is lost: reports wait in the queue; check ledger.fabric.peer, and ask the other operators"
	}
	return f
}
