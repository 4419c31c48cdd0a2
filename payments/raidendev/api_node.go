package raidendev

import (
	"net/http"
	"slices"

	"antiphon/payments/eip55"
)

func (n *node) getAddress(*http.Request) (int, any, error) {
	return http.StatusOK, struct {
		Address eip55.Address `json:"our_address"`
		Balance string        `json:"eth_balance"`
		Block   uint64        `json:"block_number"`
		Network string        `json:"network"`
	}{n.address, "0", n.network.block(), "antiphon-dev"}, nil
}

func (n *node) getVersion(*http.Request) (int, any, error) {
	return http.StatusOK, map[string]string{"version": "antiphon-dev"}, nil
}

func (n *node) getStatus(*http.Request) (int, any, error) {
	err := n.network.read(func() error { return nil })
	return http.StatusOK, struct {
		Status string `json:"status"`
		Blocks uint64 `json:"blocks_to_sync"`
		Notice string `json:"notice"`
	}{"ready", 0, Notice}, err
}

func (n *node) getContracts(*http.Request) (int, any, error) {
	return http.StatusOK, map[string]string{
		"contracts_version": "antiphon-dev", "token_network_registry_address": n.network.seed.contract("registry").String(),
	}, nil
}

func (n *node) getTokens(*http.Request) (int, any, error) {
	return http.StatusOK, []eip55.Address{n.network.token}, nil
}

func (n *node) getToken(r *http.Request) (int, any, error) {
	return http.StatusOK, n.network.tokenNetwork, n.pathToken(r)
}

func (n *node) getPartners(r *http.Request) (int, any, error) {
	type partner struct {
		Address eip55.Address `json:"partner_address"`
		Channel string        `json:"channel"`
	}
	if err := n.pathToken(r); err != nil {
		return 0, nil, err
	}
	out := []partner{}
	err := n.network.read(func() error {
		for c, side := range n.openChannels() {
			other := c.ends[1-side].address
			out = append(out, partner{other, "/api/v1/channels/" + n.network.token.String() + "/" + other.String()})
		}
		return nil
	})
	return http.StatusOK, out, err
}

// openChannels yields the node's open channels and its side of each, oldest first.
func (n *node) openChannels() func(yield func(*channel, int) bool) {
	return func(yield func(*channel, int) bool) {
		for _, c := range slices.Clone(n.network.state.channels) {
			side, err := c.side(n.address)
			if err == nil && !c.closed && !yield(c, side) {
				return
			}
		}
	}
}
