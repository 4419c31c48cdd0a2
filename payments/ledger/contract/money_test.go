package contract_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
	"antiphon/payments/royalty"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	next := contract.DefaultPolicy("2026-11")
	next.Version = 2
	for _, c := range []struct {
		name, caller string
		want         error
		p            contract.Policy
	}{
		{"another caller", alpha, contract.ErrCaller, next},
		{"version left out", "operator", contract.ErrChain, change(next, func(p *contract.Policy) { p.Version = 3 })},
		{"from this month on", "operator", contract.ErrLate, change(next, func(p *contract.Policy) { p.From = october })},
		{"no month", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.From = "soon" })},
		{"no split", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.Split = "mine" })},
		{"nobody is paid", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.Top = 0 })},
		{"no seconds", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.MinSeconds = 0 })},
		{"less than a play", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.MinSeconds = 29 })},
		{"no cap", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.DayCap = 0 })},
		{"kept for ever", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.UnclaimedMonths = 1201 })},
		{"minimum", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.Minimum = -1 })},
		{"rules out of order", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.Rules = []string{"R1", "R0"} })},
		{"rule twice", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.Rules = []string{"R1", "R1"} })},
		{"no rule", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.Rules = []string{"fair"} })},
		{"tells without applying", "operator", contract.ErrInvalid, change(next, func(p *contract.Policy) { p.Rules = []string{"R1"} })},
	} {
		d.refused(c.name, c.caller, c.want, c.p)
	}
	d.do("operator", next)
	for month, want := range map[royalty.Month]int{october: 1, "2026-11": 2, "2031-01": 2} {
		if p, err := contract.PolicyFor(t.Context(), d, month); err != nil || p.Version != want {
			t.Errorf("policy of %s: %d, %v", month, p.Version, err)
		}
	}
	if _, err := contract.PolicyFor(t.Context(), d, "2026-09"); !errors.Is(err, contract.ErrUnknown) {
		t.Errorf("policy of September: %v", err)
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	n := contract.Node{Host: "new.example", Caller: "new", Owner: contracttest.Hash(1)}
	d.refused("another caller", alpha, contract.ErrCaller, n)
	for name, bad := range map[string]contract.Node{
		"host":     change(n, func(n *contract.Node) { n.Host = "new/example" }),
		"caller":   change(n, func(n *contract.Node) { n.Caller = "" }),
		"cluster":  change(n, func(n *contract.Node) { n.Cluster = "the choir" }),
		"owner":    change(n, func(n *contract.Node) { n.Owner = "https://new.example/about" }),
		"too long": change(n, func(n *contract.Node) { n.Caller = strings.Repeat("x", 301) }),
	} {
		d.refused(name, "operator", contract.ErrInvalid, bad)
	}
	d.do("operator", n)
	if got, err := contract.NodeAt(t.Context(), d, n.Host); err != nil || got != n {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := contract.NodeAt(t.Context(), d, "x.example"); !errors.Is(err, contract.ErrUnknown) {
		t.Error(err)
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := worked(t)
	good := b.Paid(t, 10, "L1", "L2")
	second := func(fn func(*contract.Subscription)) contract.Subscriptions {
		c := b.Paid(t, 10, "L1", "L2")
		fn(&c.Lines[1])
		return c
	}
	var many []string
	for i := range 501 {
		many = append(many, contracttest.Hash(i))
	}
	d.refused("another caller", beta, contract.ErrCaller, good)
	d.refused("unknown node", alpha, contract.ErrUnknown, change(good, func(c *contract.Subscriptions) { c.Node = "x.example" }))
	d.refused("none", alpha, contract.ErrInvalid, contract.Subscriptions{Node: alpha})
	d.refused("501", alpha, contract.ErrInvalid, b.Paid(t, 1000, many...))
	for _, c := range []struct {
		name string
		want error
		c    contract.Subscriptions
	}{
		{"too little", contract.ErrSum, second(func(s *contract.Subscription) { s.Micro-- })},
		{"pseudonym", contract.ErrInvalid, second(func(s *contract.Subscription) { s.Pseudonym = "ada" })},
		{"no amount", contract.ErrInvalid, second(func(s *contract.Subscription) { s.Paid = contracttest.Tokens(t, 0) })},
		{"provider", contract.ErrInvalid, second(func(s *contract.Subscription) { s.Provider = "" })},
		{"hash", contract.ErrInvalid, second(func(s *contract.Subscription) { s.PaymentHash = "ab" })},
		{"same hash", contract.ErrDuplicate, second(func(s *contract.Subscription) { s.PaymentHash = contracttest.Hash(10) })},
		{"no month", contract.ErrInvalid, second(func(s *contract.Subscription) { s.Month = "2026-1" })},
		{"month to come", contract.ErrEarly, second(func(s *contract.Subscription) { s.Month = "2026-11" })},
		{"month before", contract.ErrLate, second(func(s *contract.Subscription) { s.Month = "2026-08" })},
	} {
		d.at("2026-10-04T09:00:00Z")
		d.refused(c.name, alpha, c.want, c.c)
		line := (*contract.LineError)(nil)
		if err := d.As(alpha).Submit(t.Context(), c.c); !errors.As(err, &line) || line.Line != 1 {
			t.Errorf("%s: %v names another line", c.name, err)
		}
	}
	d.do(alpha, good)
	d.refused("again", alpha, contract.ErrDuplicate, good)
	d.do("operator", contract.Payment{Order: "o", Payee: "p", Amount: contracttest.Tokens(t, 1), Provider: "raiden", PaymentHash: contracttest.Hash(50)})
	d.refused("payment of an order", alpha, contract.ErrDuplicate, b.Paid(t, 50, "L9"))
	// What became final on the last evening may be recorded until the third.
	d.at("2026-11-03T23:59:59Z")
	d.do(alpha, b.Paid(t, 60, "L3"))
	d.at("2026-11-04T00:00:00Z")
	d.refused("closed", alpha, contract.ErrLate, b.Paid(t, 70, "L8"))
	if n, err := contract.Payments(t.Context(), d, october, alpha); err != nil || n != 3 {
		t.Errorf("%d payments, %v", n, err)
	}
}

func TestChargeback(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.final()
	c := contract.Chargeback{Node: alpha, Month: october, Pseudonym: contracttest.Pseudonym(alpha, october, "L3"), PaymentHash: contracttest.Hash(12)}
	d.refused("another hash", alpha, contract.ErrUnknown, change(c, func(c *contract.Chargeback) { c.PaymentHash = contracttest.Hash(13) }))
	d.refused("another listener", alpha, contract.ErrUnknown, change(c, func(c *contract.Chargeback) { c.Pseudonym = contracttest.Hash(0)[:32] }))
	d.refused("no pseudonym", alpha, contract.ErrInvalid, change(c, func(c *contract.Chargeback) { c.Pseudonym = "x" }))
	d.refused("another node", beta, contract.ErrUnknown, change(c, func(c *contract.Chargeback) { c.Node = beta }))
	d.refused("another caller", beta, contract.ErrCaller, c)
	d.at("2026-12-01T09:00:00Z")
	mend := contract.Correction{
		Node: alpha, ID: "back-1", Month: october, About: contract.AboutChargeback, Subject: c.Pseudonym, Operator: -1_000_000,
		Entries: []contract.ArtistTotal{{Artist: contracttest.Artist("c"), Micro: -9_000_000}},
	}
	d.refused("nothing to mend", alpha, contract.ErrUnknown, mend)
	d.do(alpha, c)
	d.refused("again", alpha, contract.ErrDuplicate, c)
	d.refused("more than was paid", alpha, contract.ErrSum, change(mend, func(m *contract.Correction) { m.Operator-- }))
	d.refused("a gain", alpha, contract.ErrSum, change(mend, func(m *contract.Correction) { m.Operator = 9_000_001 }))
	d.do(alpha, mend)
	d.refused("mended twice", alpha, contract.ErrDuplicate, change(mend, func(m *contract.Correction) { m.ID = "back-2" }))
	if due, err := contract.Due(t.Context(), d, alpha, contracttest.Artist("c")); err != nil || due != 1_800_000 {
		t.Errorf("c is owed %s, %v", due, err)
	}
}

func TestDays(t *testing.T) {
	t.Parallel()
	empty := contract.Root(royalty.Tree{})
	day := func(text, prev string) contract.DayReport {
		return contract.DayReport{Node: alpha, Day: text, Root: empty, Policy: 1, PrevDayRoot: prev}
	}
	d := newDesk(t)
	d.at("2026-10-05T00:00:00Z")
	full := change(day("2026-10-04", ""), func(r *contract.DayReport) { r.Root, r.Lines, r.Plays, r.Seconds = contracttest.Hash(1), 2, 3, 400 })
	for name, c := range map[string]struct {
		want error
		r    contract.DayReport
	}{
		"not over":          {contract.ErrEarly, day("2026-10-05", "")},
		"no day":            {contract.ErrInvalid, day("2026-10-4", "")},
		"day of no month":   {contract.ErrInvalid, day("2026-09-31", "")},
		"policy":            {contract.ErrInvalid, change(full, func(r *contract.DayReport) { r.Policy = 2 })},
		"root":              {contract.ErrInvalid, change(full, func(r *contract.DayReport) { r.Root = "ab" })},
		"first with a past": {contract.ErrChain, change(full, func(r *contract.DayReport) { r.PrevDayRoot = empty })},
		"lines of nothing":  {contract.ErrSum, change(full, func(r *contract.DayReport) { r.Root = empty })},
		"no lines":          {contract.ErrSum, change(full, func(r *contract.DayReport) { r.Lines = 0 })},
		"no plays":          {contract.ErrSum, change(full, func(r *contract.DayReport) { r.Plays = 0 })},
		"below zero":        {contract.ErrInvalid, change(full, func(r *contract.DayReport) { r.Held = -1 })},
		"too many":          {contract.ErrOverflow, change(full, func(r *contract.DayReport) { r.Seconds = contract.MaxCount + 1 })},
		"unknown node":      {contract.ErrUnknown, change(full, func(r *contract.DayReport) { r.Node = "x.example" })},
	} {
		d.refused(name, alpha, c.want, c.r)
	}
	d.at("2026-10-05T00:00:00Z")
	d.refused("another caller", beta, contract.ErrCaller, full)
	d.do(alpha, full)
	d.refused("second report", alpha, contract.ErrDuplicate, change(full, func(r *contract.DayReport) { r.Plays = 4 }))
	d.at("2026-10-09T00:00:00Z")
	d.refused("wrong past", alpha, contract.ErrChain, day("2026-10-05", empty))
	d.refused("day left out", alpha, contract.ErrChain, day("2026-10-06", full.Root))
	d.refused("day before the first", alpha, contract.ErrChain, day("2026-10-03", full.Root))
	d.do(alpha, day("2026-10-05", full.Root))
	// Late, but before the fourth; after that the month is closed, and November goes on behind the gap.
	d.at("2026-11-03T23:59:59Z")
	d.do(alpha, day("2026-10-06", empty))
	d.refused("November first", alpha, contract.ErrChain, day("2026-11-01", empty))
	d.at("2026-11-04T00:00:00Z")
	d.refused("closed", alpha, contract.ErrLate, day("2026-10-07", empty))
	d.do(alpha, day("2026-11-01", empty))
	for text, want := range map[string]bool{"2026-10-04": false, "2026-10-06": true} {
		value, _, err := d.Get(t.Context(), "day/"+alpha+"/"+text)
		if err != nil || strings.Contains(value, `"late":true`) != want {
			t.Errorf("%s is late %t: %s, %v", text, want, value, err)
		}
	}
	if last, root, err := contract.LastDay(t.Context(), d, alpha); err != nil || last != "2026-11-01" || root != empty {
		t.Errorf("last day %s, %s, %v", last, root, err)
	}
}

// TestWorkedMonth is the worked month to the micro, and each invariant.
func TestWorkedMonth(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := worked(t)
	for name, want := range map[string]royalty.Micro{"a": 4_500_000, "b": 8_700_000, "c": 10_800_000, "d": 3_000_000} {
		if got := micro(t, b.Report.Artists, name); got != want {
			t.Errorf("%s gets %s, want %s", name, got, want)
		}
	}
	d.paid(b, 10, "L1", "L2", "L3")
	with := func(fn func(*contract.Statement)) contract.MonthReport {
		r := b.Report
		r.Artists = slices.Clone(r.Artists)
		fn(&r.Statement)
		return r
	}
	for name, c := range map[string]struct {
		want error
		r    contract.MonthReport
	}{
		"a payment more":          {contract.ErrSum, with(func(s *contract.Statement) { s.Payments++; s.Operator += 1e6; s.Pool += 9e6; s.CarryOut += 9e6 })},
		"a payment less":          {contract.ErrSum, with(func(s *contract.Statement) { s.Payments--; s.Operator -= 1e6; s.Pool -= 9e6 })},
		"operator":                {contract.ErrSum, with(func(s *contract.Statement) { s.Operator++; s.Pool--; s.Splits-- })},
		"pool":                    {contract.ErrSum, with(func(s *contract.Statement) { s.Pool++; s.CarryOut++ })},
		"splits":                  {contract.ErrSum, with(func(s *contract.Statement) { s.Splits--; s.CarryOut++ })},
		"held from nowhere":       {contract.ErrSum, with(func(s *contract.Statement) { s.Held++ })},
		"carried out of nowhere":  {contract.ErrSum, with(func(s *contract.Statement) { s.CarryOut++ })},
		"carried in from nowhere": {contract.ErrSum, with(func(s *contract.Statement) { s.CarryIn++; s.CarryOut++ })},
		"more listeners":          {contract.ErrSum, with(func(s *contract.Statement) { s.Listeners = 4 })},
		"more lines":              {contract.ErrSum, with(func(s *contract.Statement) { s.SplitLines = 28 })},
		"days":                    {contract.ErrSum, with(func(s *contract.Statement) { s.DaysRoot = contracttest.Hash(1) })},
		"artists' root":           {contract.ErrSum, with(func(s *contract.Statement) { s.ArtistsRoot = contracttest.Hash(1) })},
		"an artist's total":       {contract.ErrSum, with(func(s *contract.Statement) { s.Artists[0].Micro++ })},
		"an artist less":          {contract.ErrInvalid, with(func(s *contract.Statement) { s.Artists = s.Artists[1:] })},
		"artists out of order":    {contract.ErrInvalid, with(func(s *contract.Statement) { slices.Reverse(s.Artists) })},
		"artist by name":          {contract.ErrInvalid, with(func(s *contract.Statement) { s.Artists[0].Artist = "ada" })},
		"artist below zero":       {contract.ErrInvalid, with(func(s *contract.Statement) { s.Artists[0].Micro = -1 })},
		"no lines":                {contract.ErrSum, with(func(s *contract.Statement) { s.SplitLines = 0 })},
		"below zero":              {contract.ErrInvalid, with(func(s *contract.Statement) { s.Held = -1; s.CarryOut = 1 })},
		"beyond all bounds":       {contract.ErrOverflow, with(func(s *contract.Statement) { s.CarryOut = contract.MaxMicro + 1 })},
		"too many payments":       {contract.ErrOverflow, with(func(s *contract.Statement) { s.Payments = contract.MaxCount })},
		"policy":                  {contract.ErrInvalid, with(func(s *contract.Statement) { s.Policy = 2 })},
		"month":                   {contract.ErrInvalid, with(func(s *contract.Statement) { s.Month = "october" })},
		"month before":            {contract.ErrUnknown, with(func(s *contract.Statement) { s.Month = "2026-09" })},
		"node":                    {contract.ErrUnknown, with(func(s *contract.Statement) { s.Node = "x.example" })},
	} {
		d.refused(name, alpha, c.want, c.r)
	}
	d.refused("another caller", beta, contract.ErrCaller, b.Report)
	d.at("2026-11-03T23:59:59Z")
	d.refused("third", alpha, contract.ErrEarly, b.Report)
	d.at("2026-11-04T00:00:00Z")
	d.do(alpha, b.Report)
	d.refused("again", alpha, contract.ErrDuplicate, b.Report)
	if s, until, err := contract.Reported(t.Context(), d, october, alpha); err != nil || s.Splits != 27_000_000 || !until.Equal(time.Date(2026, 11, 13, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("reported %s until %s, %v", s.Splits, until, err)
	}
}

// TestMonthsFollow: what is carried out of one month comes into the next, and no month is reported before the last is
// final.
func TestMonthsFollow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	silent := contracttest.Keep(t, alpha, october, 1, []string{"L1"})
	d.at("2026-10-05T09:00:00Z")
	d.do(alpha, silent.Paid(t, 1, "L1"))
	d.at("2026-11-20T12:00:00Z")
	silent.Report.DaysRoot = contract.Root(royalty.Tree{}) // no day was reported in time
	d.do(alpha, silent.Report)
	// Reported late: a week for disputes all the same, and the end moves with it.
	if _, until, err := contract.Reported(t.Context(), d, october, alpha); err != nil || !until.Equal(d.clock.Now().AddDate(0, 0, 7)) {
		t.Errorf("until %s, %v", until, err)
	}
	next := contracttest.Keep(t, alpha, "2026-11", 1, []string{"L1"}, contracttest.Heard{Listener: "L1", Artist: "a", Plays: 1})
	d.do(alpha, next.Paid(t, 2, "L1"))
	d.at("2026-12-04T12:00:00Z")
	next.Report.DaysRoot = contract.Root(royalty.Tree{})
	d.refused("the month before is open", alpha, contract.ErrChain, next.Report)
	d.refused("too early", alpha, contract.ErrEarly, silent.Final())
	d.at("2026-12-08T12:00:00Z")
	d.do(alpha, silent.Final())
	if carried, err := contract.CarriedInto(t.Context(), d, alpha); err != nil || carried != 9_000_000 {
		t.Errorf("carried %s, %v", carried, err)
	}
	d.refused("nothing carried in", alpha, contract.ErrSum, next.Report)
	next.Report.CarryIn = 9_000_000
	next.Report.Totals(map[string]royalty.Micro{contracttest.Artist("a"): 18_000_000})
	d.do(alpha, next.Report)
}
