package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"antiphon/internal/db"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/erc20"
)

// newERC20 returns nil when the configuration names no node.
func newERC20(c *config, d *db.DB, log *slog.Logger) (*erc20.Client, error) {
	e := c.Payments.ERC20
	if e.RPC == "" {
		return nil, nil
	}
	asset, err := amount.ParseAsset(e.Token)
	if err != nil {
		return nil, fmt.Errorf("payments.erc20.token: %w", err)
	}
	till, err := eip55.Parse(e.Till)
	if err != nil {
		return nil, fmt.Errorf("payments.erc20.till: %w", err)
	}
	client, err := erc20.New(erc20.Config{
		RPC: erc20.URL(e.RPC), Asset: asset, Decimals: e.Decimals, Till: till, Confirmations: e.Confirmations, Log: log, Now: time.Now,
		Targets: func(ctx context.Context, addresses []string) (map[string]bool, error) {
			return payments.Targets(ctx, d.Read, "erc20", addresses)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("payments.erc20: %w", err)
	}
	return client, nil
}

// lookERC20 is the doctor's look at the chain: nothing is sold for its token until all of it is right.
func lookERC20(ctx context.Context, c *config) finding {
	f := finding{part: "token", level: "ok"}
	client, err := newERC20(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return finding{part: f.part, level: "fail", says: err.Error(), do: "see [payments.erc20] in `antiphon config --defaults`"}
	}
	if client == nil {
		f.says = "no Ethereum node: nothing is sold for tokens on a chain"
		return f
	}
	defer client.Close()
	owner, err := client.Ready(ctx)
	f.says = fmt.Sprintf("%s, to the till %s of %s", c.Payments.ERC20.Token, c.Payments.ERC20.Till, owner)
	switch {
	case errors.Is(err, erc20.ErrTill):
		f.level, f.says, f.do = "warn", err.Error(), "make one with the transaction that `antiphon till OWNER` prints, and set payments.erc20.till"
	case errors.Is(err, erc20.ErrChain):
		f.level, f.says, f.do = "warn", err.Error(), "payments.erc20.rpc and payments.erc20.token must be of the same chain"
	case err != nil:
		f.level, f.says, f.do = "warn", err.Error(), "nothing is sold for the token until this is right; check [payments.erc20]"
	}
	return f
}

// runTill prints the transaction that makes a till.
func runTill(_ context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("till", stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, "Usage: antiphon till OWNER\n\n"+
			"Prints the data of the transaction that makes a till, the contract that gives every order an address of its own\n"+
			"and sends what is paid there to OWNER (0x...), and to nobody else for ever. Send it without a recipient from any\n"+
			"wallet, on the token's chain, and set payments.erc20.till to the contract's address.\n")
	}
	owner, err := parseOne(set, args)
	if err != nil {
		return err
	}
	address, err := eip55.Parse(owner)
	if err != nil {
		fmt.Fprintf(stderr, "antiphon till: %v\n", err)
		return errUsage
	}
	code, err := erc20.TillCode(address)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "0x%s\n", hex.EncodeToString(code))
	return err
}
