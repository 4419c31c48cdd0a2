package treasury

import (
	"cmp"
	"errors"
	"fmt"

	"antiphon/payments/amount"
	"antiphon/payments/raiden"
)

// Level is how much a finding matters.
type Level string

// The levels. What fails keeps the node from paying or being paid at all.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is what is said of one part of a node.
type Finding struct {
	Part  string `json:"part"`
	Level Level  `json:"level"`
	Says  string `json:"says"`
	// Do is what helps; empty when nothing is to be done.
	Do string `json:"do,omitempty"`
}

// Money tells amounts of the node's token.
type Money struct {
	Symbol   string
	Decimals int
}

// Words is an amount as people read it.
func (m Money) Words(u amount.Units) string {
	return u.Decimal(m.Decimals) + " " + cmp.Or(m.Symbol, "tokens")
}

// Findings judges a survey, in the order in which things are to be mended.
func (s Survey) Findings(m Money) []Finding {
	if s.Reached != nil {
		return []Finding{s.unreached()}
	}
	all := []Finding{
		{Part: "node", Level: OK, Says: fmt.Sprintf("%s, %s %s", s.Address, dialectWords(s.Dialect), cmp.Or(s.Version, "of unknown version"))},
		s.synced(),
	}
	if s.Status.Notice != "" {
		all = append(all, Finding{Part: "network", Level: Warn, Says: s.Status.Notice})
	}
	all = append(all, s.token())
	all = append(all, s.channels(m)...)
	return append(all, s.services(), s.pending(m))
}

// Worst is the worst level among findings.
func Worst(all []Finding) Level {
	worst := OK
	for _, f := range all {
		if f.Level == Fail || f.Level == Warn && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

func (s Survey) unreached() Finding {
	f := Finding{Part: "node", Level: Fail, Says: "the node does not answer", Do: "start it, and check raiden.url"}
	switch {
	case s.Status.State == raiden.Syncing:
		f.Says, f.Do = fmt.Sprintf("the node is still reading the chain, %d blocks to go", s.Status.BlocksToSync), "wait; it pays and is paid only then"
	case errors.Is(s.Reached, raiden.ErrUnauthorized):
		f.Says, f.Do = "the proxy in front of the node refuses the credential", "check raiden.credential"
	case errors.Is(s.Reached, raiden.ErrProtocol), errors.Is(s.Reached, raiden.ErrBadRequest), errors.Is(s.Reached, raiden.ErrNotFound):
		f.Says, f.Do = "what answers is not a Raiden node", "check raiden.url: it is the node's REST API"
	}
	return f
}

func dialectWords(d raiden.Dialect) string {
	if d == raiden.DialectLight {
		return "light client"
	}
	return "Python node"
}

func (s Survey) synced() Finding {
	f := Finding{Part: "chain", Level: OK, Says: "up to date"}
	switch {
	case s.Synced != nil:
		return Finding{Part: f.Part, Level: Warn, Says: "the node does not say whether it is up to date", Do: "look into its log"}
	case s.Status.State == raiden.Syncing:
		return Finding{Part: f.Part, Level: Fail, Says: fmt.Sprintf("still reading, %d blocks to go", s.Status.BlocksToSync), Do: "wait; it pays and is paid only then"}
	case s.Status.State != raiden.Ready:
		return Finding{Part: f.Part, Level: Fail, Says: "the node says that it is not ready", Do: "look into its log; often its Ethereum node is away"}
	}
	return f
}

func (s Survey) token() Finding {
	f := Finding{Part: "token", Level: OK, Says: s.Token.String() + " is registered"}
	switch {
	case s.TokensErr != nil:
		return Finding{Part: f.Part, Level: Warn, Says: "the node does not say which tokens it knows", Do: "look into its log"}
	case !s.Registered:
		return Finding{Part: f.Part, Level: Fail, Says: "the node does not know " + s.Token.String(), Do: "check raiden.asset, or register the token with the node (PUT /api/v1/tokens/...)"}
	}
	return f
}

func (s Survey) channels(m Money) []Finding {
	if s.ChannelsErr != nil {
		return []Finding{{Part: "channels", Level: Fail, Says: "the node does not show its channels", Do: "look into its log"}}
	}
	open := s.Open()
	if len(open) == 0 {
		return []Finding{{Part: "channels", Level: Fail, Says: "none is open: nobody can pay this node, and it can pay nobody", Do: "open one with a well-connected partner, on /admin/raiden"}}
	}
	var all []Finding
	away := 0
	for _, c := range s.Channels {
		f := Finding{Part: "channel", Level: OK}
		switch {
		case !c.Open():
			f.Level, f.Says, f.Do = Warn, fmt.Sprintf("with %s is %s", c.Partner, c.State), "it settles by itself, and the deposit comes back then"
		case c.Online() == "unreachable":
			away++
			f.Level, f.Says, f.Do = Warn, fmt.Sprintf("with %s: the partner is away", c.Partner), "nothing goes through it until it is back; a second partner helps"
		default:
			f.Says = fmt.Sprintf("with %s: we can send %s, it can send at least %s", c.Partner, m.Words(c.Balance), m.Words(c.TheirsAtLeast()))
			if c.Online() == "unknown" {
				f.Says += "; whether it is there the node does not tell"
			}
		}
		all = append(all, f)
	}
	if away == len(open) {
		return append(all, Finding{Part: "partners", Level: Fail, Says: "all partners are away: nobody can pay this node", Do: "open a channel with another partner"})
	}
	pay := Finding{Part: "paying", Level: OK, Says: "up to " + m.Words(s.CanSend()) + " in one payment"}
	if s.CanSend().IsZero() {
		pay = Finding{Part: pay.Part, Level: Warn, Says: "all channels are empty on our side: nothing can be bought from here", Do: "top one up, on /admin/raiden"}
	}
	get := Finding{Part: "being paid", Level: OK, Says: "at least " + m.Words(s.TheirsAtLeast()) + " in one payment, and what partners have deposited themselves"}
	if s.TheirsAtLeast().IsZero() {
		get.Level, get.Do = Warn, "no node tells what its partners deposited: ask a partner whether it has, or make a small test payment to this node"
		get.Says = "only as far as partners have deposited themselves, which the node does not tell"
	}
	return append(all, pay, get)
}

func (s Survey) services() Finding {
	switch {
	case s.UserDeposit == nil:
		return Finding{Part: "user deposit", Level: OK, Says: "the node does not tell"}
	case s.UserDeposit.IsZero():
		return Finding{
			Part: "user deposit", Level: Warn, Says: "empty: services that find paths and watch channels cannot be paid",
			Do: "deposit service tokens with the node (POST /api/v1/user_deposit); payments to direct partners work without",
		}
	default:
		return Finding{Part: "user deposit", Level: OK, Says: s.UserDeposit.String() + " units of the service token"}
	}
}

func (s Survey) pending(m Money) Finding {
	switch {
	case s.PendingErr != nil:
		return Finding{Part: "transfers", Level: Warn, Says: "the node does not show what is under way", Do: "look into its log"}
	case len(s.Pending) == 0:
		return Finding{Part: "transfers", Level: OK, Says: "none under way"}
	default:
		return Finding{
			Part: "transfers", Level: Warn, Says: fmt.Sprintf("%d under way, holding %s", len(s.Pending), m.Words(s.Locked())),
			Do: "nothing: they end by themselves, with the money paid or back; until then no other payment leaves this node",
		}
	}
}
