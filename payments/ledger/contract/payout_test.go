package contract_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
	"antiphon/payments/royalty"
)

func TestFinalStatement(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := worked(t)
	d.paid(b, 10, "L1", "L2", "L3")
	d.refused("no report", alpha, contract.ErrUnknown, b.Final())
	d.do(alpha, b.Report)
	d.at("2026-11-23T23:59:59Z")
	d.refused("too early", alpha, contract.ErrEarly, b.Final())
	d.at("2026-11-24T00:00:00Z")
	with := func(fn func(*contract.Statement)) contract.FinalStatement {
		f := b.Final()
		f.Artists = slices.Clone(f.Artists)
		fn(&f.Statement)
		return f
	}
	for name, c := range map[string]struct {
		want error
		f    contract.FinalStatement
	}{
		"payments": {contract.ErrSum, with(func(s *contract.Statement) { s.Payments++ })},
		"pool":     {contract.ErrSum, with(func(s *contract.Statement) { s.Pool++; s.CarryOut++ })},
		"held for nothing": {contract.ErrSum, with(func(s *contract.Statement) {
			s.Held++
			s.Splits--
			s.Artists[0].Micro--
			s.ArtistsRoot = contract.ArtistsRoot(s.Artists)
		})},
		"out of nowhere": {contract.ErrSum, with(func(s *contract.Statement) { s.CarryOut++ })},
		"other splits":   {contract.ErrSum, with(func(s *contract.Statement) { s.SplitsRoot = contracttest.Hash(1) })},
		"artists":        {contract.ErrSum, with(func(s *contract.Statement) { s.Artists[0].Micro++ })},
		"days":           {contract.ErrSum, with(func(s *contract.Statement) { s.DaysRoot = contracttest.Hash(1) })},
		"lines":          {contract.ErrSum, with(func(s *contract.Statement) { s.SplitLines = 28 })},
		"overflow":       {contract.ErrOverflow, with(func(s *contract.Statement) { s.Splits = contract.MaxMicro + 1 })},
		"node":           {contract.ErrCaller, with(func(s *contract.Statement) { s.Node = beta })},
	} {
		d.refused(name, alpha, c.want, c.f)
	}
	d.do(alpha, b.Final())
	d.refused("again", alpha, contract.ErrDuplicate, b.Final())
	if _, err := contract.Finally(t.Context(), d, october, beta); !errors.Is(err, contract.ErrUnknown) {
		t.Error(err)
	}
}

func TestPayouts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := d.final()
	good := b.Payouts(t)
	last := len(good.Lines) - 1
	with := func(fn func(*contract.Payout)) contract.Payouts {
		p := b.Payouts(t)
		fn(&p.Lines[last])
		return p
	}
	for name, c := range map[string]struct {
		want error
		p    contract.Payouts
	}{
		"more than is owed": {contract.ErrOverdrawn, with(func(p *contract.Payout) { p.Micro++ })},
		"too little":        {contract.ErrInvalid, with(func(p *contract.Payout) { p.Micro = 999_999 })},
		"nothing":           {contract.ErrInvalid, with(func(p *contract.Payout) { p.Micro = 0 })},
		"below zero":        {contract.ErrInvalid, with(func(p *contract.Payout) { p.Micro = -1 })},
		"beyond bounds":     {contract.ErrOverflow, with(func(p *contract.Payout) { p.Micro = contract.MaxMicro + 1 })},
		"nobody":            {contract.ErrOverdrawn, with(func(p *contract.Payout) { p.Artist = contracttest.Artist("x") })},
		"twice":             {contract.ErrDuplicate, with(func(p *contract.Payout) { *p = good.Lines[0] })},
		"no tokens":         {contract.ErrInvalid, with(func(p *contract.Payout) { p.Sent = contracttest.Tokens(t, 0) })},
		"no reference":      {contract.ErrInvalid, with(func(p *contract.Payout) { p.Ref = "" })},
		"a proof too many":  {contract.ErrUnknown, with(func(p *contract.Payout) { p.Totals = []contract.TotalProof{{Month: october, Micro: 1}} })},
	} {
		d.refused(name, alpha, c.want, c.p)
		line := (*contract.LineError)(nil)
		if err := d.As(alpha).Submit(t.Context(), c.p); !errors.As(err, &line) || line.Line != last {
			t.Errorf("%s: %v names another line", name, err)
		}
	}
	d.refused("another caller", beta, contract.ErrCaller, good)
	d.refused("no lines", alpha, contract.ErrInvalid, contract.Payouts{Node: alpha, Month: october})
	d.refused("no statement", alpha, contract.ErrUnknown, change(good, func(p *contract.Payouts) { p.Month = "2026-09" }))
	// Part of it now; what is left is paid on a later statement.
	d.do(alpha, contract.Payouts{Node: alpha, Month: october, Lines: []contract.Payout{change(good.Lines[0], func(p *contract.Payout) { p.Micro -= 7 })}})
	d.refused("again", alpha, contract.ErrDuplicate, good)
	if due, err := contract.Due(t.Context(), d, alpha, good.Lines[0].Artist); err != nil || due != 7 {
		t.Errorf("left %s, %v", due, err)
	}
}

// TestManyArtists: a statement of more artists than a batch has lines says their root; each is paid with a proof.
func TestManyArtists(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const listeners = 60
	var who []string
	var heard []contracttest.Heard
	for l := range listeners {
		who = append(who, fmt.Sprint("L", l))
		for a := range 9 {
			heard = append(heard, contracttest.Heard{Listener: who[l], Artist: fmt.Sprint("a", 9*l+a), Plays: 1})
		}
	}
	b := contracttest.Keep(t, alpha, october, 1, who, heard...)
	if len(b.Report.Artists) != 0 || b.Report.ArtistCount != 540 {
		t.Fatalf("%d of %d artists", len(b.Report.Artists), b.Report.ArtistCount)
	}
	d.paid(b, 10, who...)
	d.do(alpha, b.Report)
	totals := map[string]royalty.Micro{}
	for i := range 540 {
		totals[contracttest.Artist(fmt.Sprint("a", i))] = 1_000_000
	}
	statement := b.Report.Statement
	all := statement.Totals(totals)
	lines := make([]string, len(all))
	for i, total := range all {
		lines[i] = contract.ArtistLine(total)
	}
	proof := func(i int) contract.TotalProof {
		hashes, err := royalty.Prove(lines, int64(i))
		if err != nil {
			t.Fatal(err)
		}
		return contract.TotalProof{Month: october, N: int64(i), Micro: all[i].Micro, Hashes: hashes}
	}
	open := opening(d, alpha, all[3].Artist)
	d.at("2026-11-06T10:00:00Z")
	d.refused("dispute without a proof", gamma, contract.ErrInvalid, open)
	third := proof(3)
	open.Total = &third
	d.do(gamma, open)
	id := contract.DisputeID(october, alpha, all[3].Artist)
	d.do(alpha, contract.Evidence{Dispute: id, Roots: []string{contracttest.Hash(1)}})
	d.at("2026-11-24T00:00:00Z")
	d.do(alpha, contract.CloseDispute{Dispute: id, Node: alpha})
	final := b.Final()
	final.Held, final.Splits = 1_000_000, final.Splits-1_000_000
	d.do(alpha, final)
	pay := func(i int, totals ...contract.TotalProof) contract.Payouts {
		return contract.Payouts{Node: alpha, Month: october, Lines: []contract.Payout{{
			Artist: all[i].Artist, Micro: 1_000_000, Sent: contracttest.Tokens(t, 1_000_000), Provider: "manual", Ref: "x", Totals: totals,
		}}}
	}
	d.refused("no proof", alpha, contract.ErrOverdrawn, pay(0))
	d.refused("another's proof", alpha, contract.ErrInvalid, pay(0, proof(1)))
	d.refused("proof twice", alpha, contract.ErrDuplicate, pay(0, proof(0), proof(0)))
	d.refused("more than was proved", alpha, contract.ErrInvalid, pay(0, change(proof(0), func(p *contract.TotalProof) { p.Micro++ })))
	d.refused("withheld", alpha, contract.ErrState, pay(3, proof(3)))
	d.do(alpha, pay(0, proof(0)))
	d.refused("again", alpha, contract.ErrDuplicate, pay(0, proof(0)))
}

func TestCorrection(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := d.final()
	first, second := b.Report.Artists[0].Artist, b.Report.Artists[1].Artist
	good := contract.Correction{
		Node: alpha, ID: "m-1", Month: october, About: contract.AboutMistake,
		Entries: []contract.ArtistTotal{{Artist: first, Micro: -20_000_000}, {Artist: second, Micro: 20_000_000}},
	}
	d.refused("same month", beta, contract.ErrCaller, good)
	d.at("2026-10-31T09:00:00Z")
	d.refused("too early", alpha, contract.ErrEarly, good)
	d.at("2026-12-01T09:00:00Z")
	for name, c := range map[string]struct {
		want error
		c    contract.Correction
	}{
		"a gift":       {contract.ErrSum, change(good, func(c *contract.Correction) { c.Operator = 1 })},
		"a loss":       {contract.ErrSum, change(good, func(c *contract.Correction) { c.Operator = -1 })},
		"about":        {contract.ErrInvalid, change(good, func(c *contract.Correction) { c.About = "luck" })},
		"subject":      {contract.ErrInvalid, change(good, func(c *contract.Correction) { c.Subject = "x" })},
		"id":           {contract.ErrInvalid, change(good, func(c *contract.Correction) { c.ID = "" })},
		"no entries":   {contract.ErrInvalid, change(good, func(c *contract.Correction) { c.Entries = nil })},
		"out of order": {contract.ErrInvalid, change(good, func(c *contract.Correction) { c.Entries = []contract.ArtistTotal{good.Entries[1], good.Entries[0]} })},
		"no statement": {contract.ErrUnknown, change(good, func(c *contract.Correction) { c.Month = "2026-09" })},
		"no dispute":   {contract.ErrUnknown, change(good, func(c *contract.Correction) { c.About, c.Subject = contract.AboutDispute, contracttest.Hash(1) })},
		"overflow":     {contract.ErrOverflow, change(good, func(c *contract.Correction) { c.Operator = contract.MaxMicro + 1 })},
	} {
		d.refused(name, alpha, c.want, c.c)
	}
	d.do(alpha, good)
	d.refused("again", alpha, contract.ErrDuplicate, good)
	// Below zero: nothing is taken back, nothing is paid.
	if due, err := contract.Due(t.Context(), d, alpha, first); err != nil || due >= 0 {
		t.Errorf("due %s, %v", due, err)
	}
	d.refused("debt", alpha, contract.ErrOverdrawn, contract.Payouts{Node: alpha, Month: october, Lines: []contract.Payout{{
		Artist: first, Micro: 1_000_000, Sent: contracttest.Tokens(t, 1_000_000), Provider: "manual", Ref: "x",
	}}})
}
