package contract_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
	"antiphon/payments/royalty"
)

// lapsing gives to the fund what alpha owes to some artists.
func lapsing(totals ...contract.ArtistTotal) contract.Lapse {
	out := contract.Lapse{Node: alpha, Month: october}
	for _, t := range totals {
		out.Lines = append(out.Lines, contract.Lapsing{Artist: t.Artist, Micro: t.Micro})
	}
	return out
}

func TestLapse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := worked(t)
	d.refused("nothing is final", alpha, contract.ErrChain, lapsing(contract.ArtistTotal{Artist: contracttest.Artist("a"), Micro: 1}))
	b = d.final()
	first, second := b.Report.Artists[0], b.Report.Artists[1]
	whole := lapsing(first, second)
	d.at("2028-11-24T23:59:59Z")
	d.refused("a second too early", alpha, contract.ErrEarly, whole)
	d.at("2028-11-25T00:00:00Z")
	with := func(fn func(*contract.Lapse)) contract.Lapse {
		l := lapsing(first, second)
		fn(&l)
		return l
	}
	d.refused("another caller", beta, contract.ErrCaller, whole)
	for name, c := range map[string]struct {
		want error
		l    contract.Lapse
	}{
		"nobody":            {contract.ErrInvalid, with(func(l *contract.Lapse) { l.Lines = nil })},
		"another month":     {contract.ErrChain, with(func(l *contract.Lapse) { l.Month = "2026-09" })},
		"twice":             {contract.ErrDuplicate, with(func(l *contract.Lapse) { l.Lines[1] = l.Lines[0] })},
		"more than is owed": {contract.ErrOverdrawn, with(func(l *contract.Lapse) { l.Lines[1].Micro++ })},
		"nothing":           {contract.ErrInvalid, with(func(l *contract.Lapse) { l.Lines[1].Micro = 0 })},
		"below zero":        {contract.ErrInvalid, with(func(l *contract.Lapse) { l.Lines[1].Micro = -1 })},
		"beyond bounds":     {contract.ErrOverflow, with(func(l *contract.Lapse) { l.Lines[1].Micro = contract.MaxMicro + 1 })},
		"by name":           {contract.ErrInvalid, with(func(l *contract.Lapse) { l.Lines[1].Artist = "ada" })},
		"a stranger":        {contract.ErrOverdrawn, with(func(l *contract.Lapse) { l.Lines[1].Artist = contracttest.Artist("x") })},
		"a proof too many":  {contract.ErrUnknown, with(func(l *contract.Lapse) { l.Lines[1].Totals = []contract.TotalProof{{Month: october, Micro: 1}} })},
	} {
		d.refused(name, alpha, c.want, c.l)
	}
	d.do(alpha, whole)
	d.refused("again", alpha, contract.ErrDuplicate, whole)
	if carry, err := contract.CarriedInto(t.Context(), d, alpha); err != nil || carry != first.Micro+second.Micro {
		t.Errorf("the fund has %s, %v", carry, err)
	}
	lost := map[string]royalty.Micro{}
	err := contract.Lapses(t.Context(), d, october, alpha, func(l contract.ArtistTotal) error { lost[l.Artist] = l.Micro; return nil })
	if err != nil || len(lost) != 2 || lost[first.Artist] != first.Micro {
		t.Errorf("lapsed %v, %v", lost, err)
	}
	if micro, err := contract.LapsedAt(t.Context(), d, october, alpha, second.Artist); err != nil || micro != second.Micro {
		t.Errorf("lapsed %s, %v", micro, err)
	}
	// What has lapsed is not paid any more.
	d.refused("paid after all", alpha, contract.ErrOverdrawn, contract.Payouts{Node: alpha, Month: october, Lines: b.Payouts(t).Lines[:1]})
}

// TestLapsePolicies: a policy that keeps money for a shorter time does not shorten the time of what was earned before.
func TestLapsePolicies(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := d.final()
	short := contract.DefaultPolicy("2027-01")
	short.Version, short.UnclaimedMonths = 2, 1
	d.do("operator", short)
	d.at("2028-11-24T00:00:00Z")
	d.refused("by a later policy", alpha, contract.ErrEarly, lapsing(b.Report.Artists[0]))
	for month, want := range map[royalty.Month]string{october: "2028-11-25", "2027-01": "2027-03-25"} {
		if at, err := contract.LapsesAt(t.Context(), d, month); err != nil || at.Format(time.DateOnly) != want {
			t.Errorf("%s lapses at %s, %v", month, at, err)
		}
	}
	for text, want := range map[string]royalty.Micro{"2028-11-24T23:59:59Z": 0, "2028-11-25T00:00:00Z": b.Report.Artists[0].Micro} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		aging, err := contract.AgingAt(t.Context(), d, alpha, at)
		if err != nil {
			t.Fatal(err)
		}
		if old, err := aging.Old(t.Context(), b.Report.Artists[0].Artist, 0); err != nil || old != want || aging.Kept(october) != (want == 0) {
			t.Errorf("%s: %s could lapse, %v", text, old, err)
		}
	}
}

// TestLapseByRoot: what stands under a root alone lapses with its proof.
func TestLapseByRoot(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var who []string
	var heard []contracttest.Heard
	for l := range 60 {
		who = append(who, fmt.Sprint("L", l))
		for a := range 9 {
			heard = append(heard, contracttest.Heard{Listener: who[l], Artist: fmt.Sprint("a", 9*l+a), Plays: 1})
		}
	}
	b := contracttest.Keep(t, alpha, october, 1, who, heard...)
	d.paid(b, 10, who...)
	d.do(alpha, b.Report)
	d.at("2026-11-24T00:00:00Z")
	d.do(alpha, b.Final())
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
	line := func(i int) contract.Lapse {
		hashes, err := royalty.Prove(lines, int64(i))
		if err != nil {
			t.Fatal(err)
		}
		l := lapsing(all[i])
		l.Lines[0].Totals = []contract.TotalProof{{Month: october, N: int64(i), Micro: all[i].Micro, Hashes: hashes}}
		return l
	}
	d.at("2028-11-24T23:59:59Z")
	d.refused("too early", alpha, contract.ErrEarly, line(0))
	// Who is paid a part with a proof, is owed the rest.
	paid := contract.Payout{
		Artist: all[1].Artist, Micro: 1_000_000, Sent: contracttest.Tokens(t, 1_000_000), Provider: "manual", Ref: "x", Totals: line(1).Lines[0].Totals,
	}
	d.do(alpha, contract.Payouts{Node: alpha, Month: october, Lines: []contract.Payout{paid}})
	d.at("2028-11-25T00:00:00Z")
	d.refused("no proof", alpha, contract.ErrOverdrawn, lapsing(all[0]))
	d.refused("paid", alpha, contract.ErrDuplicate, line(1))
	d.do(alpha, line(0))
	if carry, err := contract.CarriedInto(t.Context(), d, alpha); err != nil || carry != 1_000_000 {
		t.Errorf("the fund has %s, %v", carry, err)
	}
}

// TestCorrectionOfCarry: money that no artist has got yet is taken out of what is carried, and never more than there is.
func TestCorrectionOfCarry(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := contracttest.Keep(t, alpha, october, 1, []string{"silent", "L1"}, contracttest.Heard{Listener: "L1", Artist: "a", Plays: 1})
	d.paid(b, 10, "silent", "L1")
	d.do(alpha, b.Report)
	back := contract.Chargeback{Node: alpha, Month: october, Pseudonym: contracttest.Pseudonym(alpha, october, "silent"), PaymentHash: contracttest.Hash(10)}
	d.do(alpha, back)
	mend := contract.Correction{
		Node: alpha, ID: "back-1", Month: october, In: "2026-12", About: contract.AboutChargeback, Subject: back.Pseudonym, Operator: -royalty.Operator,
		Carry: -royalty.Pool, Entries: []contract.ArtistTotal{},
	}
	d.refused("not final", alpha, contract.ErrUnknown, mend)
	d.at("2026-11-24T09:00:00Z")
	d.do(alpha, b.Final())
	d.refused("in a month to come", alpha, contract.ErrEarly, mend)
	d.at("2026-12-01T09:00:00Z")
	for name, c := range map[string]struct {
		want error
		c    contract.Correction
	}{
		"in its own month":   {contract.ErrInvalid, change(mend, func(c *contract.Correction) { c.In = october })},
		"in no month":        {contract.ErrInvalid, change(mend, func(c *contract.Correction) { c.In = "2026-1" })},
		"more than was paid": {contract.ErrSum, change(mend, func(c *contract.Correction) { c.Carry-- })},
		"more than there is": {contract.ErrOverdrawn, change(mend, func(c *contract.Correction) { c.Carry, c.Operator = -9_000_001, 1 })},
		"out of nothing":     {contract.ErrSum, change(mend, func(c *contract.Correction) { c.Operator, c.Carry = 0, 1 })},
		"nothing":            {contract.ErrInvalid, change(mend, func(c *contract.Correction) { c.Operator, c.Carry = 0, 0 })},
		"a mistake with a gain": {contract.ErrSum, change(mend, func(c *contract.Correction) {
			c.About, c.Subject, c.Operator, c.Carry = contract.AboutMistake, "", 0, 1
		})},
	} {
		d.refused(name, alpha, c.want, c.c)
	}
	d.do(alpha, mend)
	if carry, err := contract.CarriedInto(t.Context(), d, alpha); err != nil || carry != 0 {
		t.Errorf("carried %s, %v", carry, err)
	}
	var found []contract.Correction
	err := contract.Corrections(t.Context(), d, alpha, func(c contract.Correction) error { found = append(found, c); return nil })
	if err != nil || len(found) != 1 || found[0].Made() != "2026-12" {
		t.Errorf("%+v, %v", found, err)
	}
	if ok, err := contract.Corrected(t.Context(), d, alpha, october, contract.AboutChargeback, back.Pseudonym); err != nil || !ok {
		t.Errorf("corrected: %t, %v", ok, err)
	}
}

// TestNothingIsLost: whatever is sent, mended and lapsed, in whatever order: what came in is sent, owed or carried.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(t)
		b := d.final()
		var paid royalty.Micro
		for step := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			d.clock.Advance(time.Duration(rapid.IntRange(0, 200).Draw(rt, "days")) * 24 * time.Hour)
			artist := rapid.SampledFrom(b.Report.Artists).Draw(rt, "artist").Artist
			micro := royalty.Micro(rapid.IntRange(-1, 11_000_000).Draw(rt, "micro"))
			var c contract.Command
			kind := rapid.IntRange(0, 2).Draw(rt, "kind")
			switch kind {
			case 0:
				c = lapsing(contract.ArtistTotal{Artist: artist, Micro: micro})
			case 1:
				c = contract.Payouts{Node: alpha, Month: october, Lines: []contract.Payout{{
					Artist: artist, Micro: micro, Sent: contracttest.Tokens(t, 1), Provider: "manual", Ref: "x",
				}}}
			case 2:
				c = contract.Correction{
					Node: alpha, ID: fmt.Sprint("m-", step), Month: october, In: royalty.MonthOf(d.clock.Now()), About: contract.AboutMistake, Carry: -micro,
					Entries: []contract.ArtistTotal{{Artist: artist, Micro: micro}},
				}
			}
			err := d.As(alpha).Submit(t.Context(), c)
			if err == nil && kind == 1 {
				paid += micro
			}
			if err == nil && kind == 0 && d.clock.Now().Before(time.Date(2028, 11, 25, 0, 0, 0, 0, time.UTC)) {
				rt.Fatalf("lapsed at %s", d.clock.Now())
			}
			sum := paid
			carry, err := contract.CarriedInto(t.Context(), d, alpha)
			if err != nil || carry < 0 {
				rt.Fatalf("carried %s, %v", carry, err)
			}
			sum += carry
			for _, total := range b.Report.Artists {
				due, err := contract.Due(t.Context(), d, alpha, total.Artist)
				if err != nil {
					rt.Fatal(err)
				}
				sum += due
			}
			if sum != 27_000_000 {
				rt.Fatalf("%s of 27 dollars are left", sum)
			}
		}
	})
}
