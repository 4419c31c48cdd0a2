package raidendev

import (
	"net/http"
	"slices"
	"strconv"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// eventView is a line of history, and the answer to a payment, in the light dialect.
type eventView struct {
	Event      string        `json:"event"`
	Initiator  eip55.Address `json:"initiator"`
	Target     eip55.Address `json:"target"`
	Token      eip55.Address `json:"token_address"`
	Amount     amount.Units  `json:"amount"`
	Identifier string        `json:"identifier"`
	Secret     *secret       `json:"secret,omitempty"`
	SecretHash hash          `json:"secret_hash"`
	LogTime    string        `json:"log_time"`
}

func (n *node) eventView(t *transfer, received bool) eventView {
	v := eventView{
		Event: "EventPaymentSentSuccess", Initiator: t.initiator, Target: t.target, Token: n.network.token, Amount: t.amount,
		Identifier: strconv.FormatUint(t.identifier, 10), Secret: t.secret, SecretHash: t.hash,
		LogTime: t.at.UTC().Format("2006-01-02T15:04:05.000"),
	}
	if received {
		v.Event = "EventPaymentReceivedSuccess"
	}
	return v
}

func (n *node) postPayment(r *http.Request) (int, any, error) {
	var in struct {
		Amount     *decimal `json:"amount"`
		Identifier *decimal `json:"identifier"`
		Secret     *secret  `json:"secret"`
		Hash       *hash    `json:"secrethash"`
		PythonHash *hash    `json:"secret_hash"`
	}
	if err := n.pathToken(r); err != nil {
		return 0, nil, err
	}
	target, err := pathAddress(r, "target")
	if err != nil {
		return 0, nil, err
	}
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	o := order{initiator: n.address, target: target, secret: in.Secret}
	switch {
	case in.Amount == nil:
		return 0, nil, badRequest("the amount is missing")
	case (in.Hash != nil || in.PythonHash != nil) && in.Secret == nil:
		return 0, nil, failure{http.StatusNotImplemented, "a payment whose secret the payer does not know is not supported"}
	case in.Hash != nil && *in.Hash != in.Secret.hash(), in.PythonHash != nil && *in.PythonHash != in.Secret.hash():
		return 0, nil, badRequest("the secret does not open the lock")
	case target == n.address:
		return 0, nil, failure{http.StatusConflict, "a node cannot pay itself"}
	}
	if o.amount, err = in.Amount.units(); err != nil {
		return 0, nil, err
	}
	if in.Identifier != nil {
		o.identifier, err = in.Identifier.uint64()
	} else {
		o.identifier, err = n.network.randomUint64()
	}
	if err != nil {
		return 0, nil, err
	}
	t, err := n.network.pay(o)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, n.eventView(t, false), nil
}

func (n *node) getPayments(r *http.Request) (int, any, error) {
	if err := n.pathToken(r); err != nil {
		return 0, nil, err
	}
	var partner eip55.Address
	if r.PathValue("partner") != "" {
		var err error
		if partner, err = pathAddress(r, "partner"); err != nil {
			return 0, nil, err
		}
	}
	offset, err := queryInt(r, "offset", 0)
	if err != nil {
		return 0, nil, err
	}
	limit, err := queryInt(r, "limit", 1<<30)
	if err != nil {
		return 0, nil, err
	}
	out := []eventView{}
	err = n.network.read(func() error {
		events := n.network.state.history[n.address]
		if !partner.IsZero() {
			events = slices.DeleteFunc(slices.Clone(events), func(e event) bool {
				return e.transfer.initiator != partner && e.transfer.target != partner
			})
		}
		if r.URL.Query().Get("desc") != "" {
			events = slices.Clone(events)
			slices.Reverse(events)
		}
		events = events[min(offset, len(events)):]
		for _, e := range events[:min(limit, len(events))] {
			out = append(out, n.eventView(e.transfer, e.received))
		}
		return nil
	})
	return http.StatusOK, out, err
}

func (n *node) getPending(r *http.Request) (int, any, error) {
	type pendingView struct {
		Channel     string        `json:"channel_identifier"`
		Initiator   eip55.Address `json:"initiator"`
		Target      eip55.Address `json:"target"`
		Token       eip55.Address `json:"token_address"`
		Network     eip55.Address `json:"token_network_address"`
		Identifier  string        `json:"payment_identifier"`
		Locked      amount.Units  `json:"locked_amount"`
		Transferred amount.Units  `json:"transferred_amount"`
		Role        string        `json:"role"`
	}
	if err := n.pathToken(r); err != nil {
		return 0, nil, err
	}
	var partner eip55.Address
	if r.PathValue("partner") != "" {
		var err error
		if partner, err = pathAddress(r, "partner"); err != nil {
			return 0, nil, err
		}
	}
	out := []pendingView{}
	err := n.network.read(func() error {
		for _, t := range n.network.state.pending {
			for _, l := range t.legs {
				side, err := l.channel.side(n.address)
				if err != nil || l.done || (!partner.IsZero() && l.channel.ends[1-side].address != partner) {
					continue
				}
				role := "mediator"
				if t.initiator == n.address {
					role = "initiator"
				} else if t.target == n.address {
					role = "target"
				}
				out = append(out, pendingView{
					Channel: strconv.FormatUint(l.channel.id, 10), Initiator: t.initiator, Target: t.target, Token: n.network.token,
					Network: n.network.tokenNetwork, Identifier: strconv.FormatUint(t.identifier, 10), Locked: l.lock.Amount,
					Transferred: l.channel.ends[l.side].transferred, Role: role,
				})
			}
		}
		return nil
	})
	return http.StatusOK, out, err
}
