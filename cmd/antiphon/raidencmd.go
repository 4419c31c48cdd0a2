package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"antiphon/payments/treasury"
)

const raidenUsage = `Usage: antiphon raiden check [options]
       antiphon raiden dev [options]

check looks at the Raiden node of this instance and says whether it can pay and be paid, and what to do where it
cannot. It changes nothing. It ends with 0, or with 1 when something keeps the node from working.

dev runs a Raiden network for development: a hub and one node per party. Its tokens are worth nothing.
`

// runRaiden looks at the instance's node, or runs a network for development.
func runRaiden(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	word := ""
	if len(args) > 0 {
		word = args[0]
	}
	switch word {
	case "check":
		return runRaidenCheck(ctx, args[1:], stdout, stderr)
	case "dev":
		return runRaidenDev(ctx, args[1:], stdout, stderr)
	case "help", "--help", "-help", "-h":
		fmt.Fprint(stderr, raidenUsage)
		return errHelp
	default:
		fmt.Fprint(stderr, raidenUsage)
		return errUsage
	}
}

// raidenReport is what `antiphon raiden check --json` prints.
type raidenReport struct {
	OK       bool               `json:"ok"`
	Findings []treasury.Finding `json:"findings"`
	Node     *raidenFacts       `json:"node,omitempty"`
}

// raidenFacts are a node's facts; amounts are smallest units in decimal.
type raidenFacts struct {
	Address      string         `json:"address"`
	Dialect      string         `json:"dialect"`
	Version      string         `json:"version"`
	State        string         `json:"state"`
	BlocksToSync uint64         `json:"blocksToSync"`
	Token        string         `json:"token"`
	Registered   bool           `json:"registered"`
	CanSend      string         `json:"canSend"`
	UserDeposit  *string        `json:"userDeposit"`
	Pending      int            `json:"pending"`
	Locked       string         `json:"locked"`
	Channels     []channelFacts `json:"channels"`
}

type channelFacts struct {
	Partner string `json:"partner"`
	State   string `json:"state"`
	Online  string `json:"online"`
	Deposit string `json:"totalDeposit"`
	// Balance is what this node can send; TheirsAtLeast what the partner certainly can.
	Balance       string `json:"balance"`
	TheirsAtLeast string `json:"theirsAtLeast"`
}

func runRaidenCheck(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("raiden check", stderr)
	asJSON := set.Bool("json", false, "print one JSON object")
	patience := set.Duration("timeout", 30*time.Second, "how long the node may take for all answers")
	read := withConfig(set)
	if err := parse(set, args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		set.Usage()
		return errUsage
	}
	c, err := read()
	if err != nil {
		return err
	}
	node, err := newRaidenNode(c)
	if err != nil {
		return err
	}
	if node == nil {
		return errors.New("this instance has no Raiden node: set raiden.url and raiden.asset")
	}
	defer node.client.CloseIdle()
	ctx, cancel := context.WithTimeout(ctx, *patience)
	defer cancel()
	s := treasury.Look(ctx, node.client, node.token)
	r := raidenReport{Findings: s.Findings(node.money()), Node: factsOf(s)}
	r.OK = treasury.Worst(r.Findings) != treasury.Fail
	if *asJSON {
		if err := json.NewEncoder(stdout).Encode(r); err != nil {
			return err
		}
	} else {
		for _, f := range r.Findings {
			fmt.Fprintf(stdout, "%-5s %-13s %s\n", f.Level, f.Part, f.Says)
			if f.Do != "" {
				fmt.Fprintf(stdout, "%19s -> %s\n", "", f.Do)
			}
		}
	}
	if !r.OK {
		return errors.New("the node cannot do its work; see what is to be done above")
	}
	return nil
}

func factsOf(s treasury.Survey) *raidenFacts {
	if s.Reached != nil {
		return nil
	}
	f := &raidenFacts{
		Address: s.Address.String(), Dialect: string(s.Dialect), Version: s.Version, State: string(s.Status.State),
		BlocksToSync: s.Status.BlocksToSync, Token: s.Token.String(), Registered: s.Registered, CanSend: s.CanSend().String(),
		Pending: len(s.Pending), Locked: s.Locked().String(), Channels: []channelFacts{},
	}
	if s.UserDeposit != nil {
		text := s.UserDeposit.String()
		f.UserDeposit = &text
	}
	for _, c := range s.Channels {
		f.Channels = append(f.Channels, channelFacts{
			Partner: c.Partner.String(), State: c.State, Online: c.Online(), Deposit: c.TotalDeposit.String(), Balance: c.Balance.String(),
			TheirsAtLeast: c.TheirsAtLeast().String(),
		})
	}
	return f
}
