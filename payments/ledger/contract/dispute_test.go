package contract_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
	"antiphon/payments/royalty"
)

// opening doubts an artist's slice, in the name of somebody on gamma, with a checkpoint of half an hour before the sixth
// of November, ten o'clock.
func opening(_ *desk, node, artist string) contract.OpenDispute {
	return contract.OpenDispute{
		Node: node, Month: october, Artist: artist, Reason: "plays", Opener: contract.Digest("opener", "https://gamma.example/users/mo"),
		OpenerNode: gamma, Root: contracttest.Hash(77), RootAt: time.Date(2026, 11, 6, 9, 30, 0, 0, time.UTC),
	}
}

// court is a dispute about z on beta, with what everybody needs to say.
type court struct {
	*desk
	claimed, honest contracttest.Books
	id              string
}

// newCourt opens the dispute; it is the sixth of November, ten o'clock.
func newCourt(t testing.TB) *court {
	t.Helper()
	d := newDesk(t)
	claimed, honest := disputed(t)
	d.paid(claimed, 20, "L4")
	d.do(beta, claimed.Report)
	d.at("2026-11-06T10:00:00Z")
	d.do(gamma, opening(d, beta, contracttest.Artist("z")))
	return &court{d, claimed, honest, contract.DisputeID(october, beta, contracttest.Artist("z"))}
}

func (c *court) now() contract.Dispute {
	c.t.Helper()
	d, err := contract.DisputeAt(c.t.Context(), c, c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

func (c *court) want(state contract.DisputeState) contract.Dispute {
	c.t.Helper()
	d := c.now()
	if d.State != state {
		c.t.Fatalf("the dispute is %s, want %s", d.State, state)
	}
	return d
}

func (c *court) evidence() contract.Evidence {
	return contract.Evidence{Dispute: c.id, Roots: []string{contracttest.Hash(78)}}
}

func (c *court) keep(node string) contract.Vote {
	return contract.Vote{Dispute: c.id, Node: node, Verdict: contract.Keep, Root: c.claimed.Report.SplitsRoot, Evidence: c.now().Evidence}
}

func (c *court) remove(node string) contract.Vote {
	return contract.Vote{
		Dispute: c.id, Node: node, Verdict: contract.Remove, Root: c.honest.Report.SplitsRoot, Delta: contracttest.Delta(c.claimed, c.honest),
		Evidence: c.now().Evidence,
	}
}

func (c *court) close() contract.CloseDispute {
	return contract.CloseDispute{Dispute: c.id, Node: alpha}
}

func (c *court) appeal() contract.Appeal {
	return contract.Appeal{Dispute: c.id, Node: beta, Root: contracttest.Hash(79), RootAt: c.clock.Now()}
}

// reach brings the dispute to a state.
func (c *court) reach(state contract.DisputeState) {
	c.t.Helper()
	if state == contract.Opened {
		return
	}
	c.do(beta, c.evidence())
	eyes := c.now().Eyes
	switch state {
	case contract.InVotes:
		c.do(eyes[0], c.remove(eyes[0]))
	case contract.Withheld:
		c.at("2026-11-24T00:00:00Z")
		c.do(alpha, c.close())
	case contract.Ruled, contract.Appealed, contract.Final:
		c.do(eyes[0], c.remove(eyes[0]))
		c.do(eyes[1], c.remove(eyes[1]))
		if state == contract.Appealed {
			c.do(beta, c.appeal())
		}
		if state == contract.Final {
			c.clock.Advance(5 * 24 * time.Hour)
			c.do(alpha, c.close())
		}
	}
	c.want(state)
}

// TestWorkedDispute is the worked one: the reporter keeps to what it said, the two others agree; the month ends with
// their recomputation, to the micro.
func TestWorkedDispute(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	d := c.want(contract.Opened)
	if len(d.Eyes) != 2 || d.Eyes[0] != alpha || slices.Contains(d.Eyes, gamma) || slices.Contains(d.Eyes, beta) || d.Slice != 7_708_779 {
		t.Fatalf("%+v", d)
	}
	delta := contracttest.Delta(c.claimed, c.honest)
	for name, want := range map[string]royalty.Micro{"z": -7_708_779, "a": 4_717_313, "b": 1_955_959, "c": 1_035_507} {
		if got := micro(t, delta, name); got != want {
			t.Errorf("%s changes by %s, want %s", name, got, want)
		}
	}
	c.do(beta, c.evidence())
	c.do(beta, c.keep(beta))
	c.do(d.Eyes[0], c.remove(d.Eyes[0]))
	c.want(contract.InVotes)
	c.do(d.Eyes[1], c.remove(d.Eyes[1]))
	d = c.want(contract.Ruled)
	if r := d.Ruling; r.Verdict != contract.Remove || r.Root != c.honest.Report.SplitsRoot || !slices.Equal(r.By, d.Eyes) {
		t.Errorf("ruling %+v", r)
	}
	c.refused("final before an appeal was possible", alpha, contract.ErrEarly, c.close())
	c.clock.Advance(5 * 24 * time.Hour)
	c.do(alpha, c.close())
	c.want(contract.Final)
	c.at("2026-11-24T09:00:00Z")
	c.refused("as it was reported", beta, contract.ErrSum, c.claimed.Final())
	final := c.honest.Final()
	final.DaysRoot = c.claimed.Report.DaysRoot
	c.do(beta, final)
	for name, want := range map[string]royalty.Micro{"a": 5_507_463, "b": 2_283_582, "c": 1_208_955, "z": 0} {
		if due, err := contract.Due(t.Context(), c, beta, contracttest.Artist(name)); err != nil || due != want {
			t.Errorf("%s is owed %s, %v; want %s", name, due, err, want)
		}
	}
	votes, err := contract.Votes(t.Context(), c, c.id, false)
	if err != nil || len(votes) != 3 || votes[beta].Verdict != contract.Keep {
		t.Errorf("votes %+v, %v", votes, err)
	}
	n := 0
	if err := contract.Disputes(t.Context(), c, october, beta, func(contract.Dispute) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d disputes, %v", n, err)
	}
}

// TestTransitions tries every step in every state.
func TestTransitions(t *testing.T) {
	t.Parallel()
	legal := map[contract.DisputeState]string{
		contract.Opened: "evidence close", contract.InProof: "vote close", contract.InVotes: "vote close", contract.Ruled: "close appeal",
		contract.Appealed: "vote close", contract.Withheld: "vote close", contract.Final: "",
	}
	for state, may := range legal {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			for _, step := range []string{"evidence", "vote", "close", "appeal"} {
				c := newCourt(t)
				c.reach(state)
				d := c.now()
				eye := d.Eyes[1]
				if state == contract.Appealed {
					eye = d.AppealEyes[0]
				}
				caller, command := beta, contract.Command(c.evidence())
				switch step {
				case "vote":
					caller, command = eye, c.remove(eye)
				case "close":
					caller, command = alpha, c.close()
				case "appeal":
					command = c.appeal()
				}
				if slices.Contains(strings.Fields(may), step) {
					if step == "close" {
						c.at("2027-02-01T00:00:00Z")
						command = c.close()
					}
					c.do(caller, command)
					continue
				}
				c.refused(step, caller, contract.ErrState, command)
			}
		})
	}
}

func TestOpening(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	claimed, _ := disputed(t)
	z := contracttest.Artist("z")
	d.paid(claimed, 20, "L4")
	d.refused("no report", gamma, contract.ErrUnknown, opening(d, beta, z))
	d.do(beta, claimed.Report)
	with := func(fn func(*contract.OpenDispute)) contract.OpenDispute { return change(opening(d, beta, z), fn) }
	d.at("2026-11-04T23:59:59Z")
	d.refused("fourth", gamma, contract.ErrEarly, with(func(o *contract.OpenDispute) { o.RootAt = d.clock.Now() }))
	d.at("2026-11-13T00:00:00Z")
	d.refused("thirteenth", gamma, contract.ErrLate, with(func(o *contract.OpenDispute) { o.RootAt = d.clock.Now() }))
	d.at("2026-11-06T10:00:00Z")
	for name, c := range map[string]struct {
		want error
		o    contract.OpenDispute
	}{
		"an old checkpoint":  {contract.ErrLate, with(func(o *contract.OpenDispute) { o.RootAt = d.clock.Now().Add(-61 * time.Minute) })},
		"one to come":        {contract.ErrEarly, with(func(o *contract.OpenDispute) { o.RootAt = d.clock.Now().Add(time.Second) })},
		"an artist without":  {contract.ErrUnknown, with(func(o *contract.OpenDispute) { o.Artist = contracttest.Artist("y") })},
		"an artist's name":   {contract.ErrInvalid, with(func(o *contract.OpenDispute) { o.Artist = "z" })},
		"a person's name":    {contract.ErrInvalid, with(func(o *contract.OpenDispute) { o.Opener = "https://gamma.example/users/mo" })},
		"a reason of words":  {contract.ErrInvalid, with(func(o *contract.OpenDispute) { o.Reason = "I think that" })},
		"a root":             {contract.ErrInvalid, with(func(o *contract.OpenDispute) { o.Root = "" })},
		"another's node":     {contract.ErrCaller, with(func(o *contract.OpenDispute) { o.OpenerNode = "delta.example" })},
		"a node not known":   {contract.ErrCaller, with(func(o *contract.OpenDispute) { o.OpenerNode = "far.example" })},
		"a report not known": {contract.ErrUnknown, with(func(o *contract.OpenDispute) { o.Node = alpha })},
	} {
		d.refused(name, gamma, c.want, c.o)
	}
	// The reporter takes it down for somebody whose node the ledger does not know.
	far := with(func(o *contract.OpenDispute) { o.OpenerNode = "far.example" })
	d.do(beta, far)
	d.refused("again", beta, contract.ErrDuplicate, far)
}

func TestEvidenceAndVotes(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	c.refused("another's evidence", alpha, contract.ErrCaller, c.evidence())
	c.refused("no evidence", beta, contract.ErrInvalid, contract.Evidence{Dispute: c.id})
	c.refused("no root", beta, contract.ErrInvalid, contract.Evidence{Dispute: c.id, Roots: []string{"x"}})
	c.refused("unknown dispute", beta, contract.ErrUnknown, contract.Evidence{Dispute: contracttest.Hash(1), Roots: []string{contracttest.Hash(1)}})
	c.refused("no dispute", beta, contract.ErrInvalid, contract.Evidence{Dispute: "x", Roots: []string{contracttest.Hash(1)}})
	c.do(beta, c.evidence())
	eye := c.now().Eyes[1]
	with := func(fn func(*contract.Vote)) contract.Vote { return change(c.remove(eye), fn) }
	for name, v := range map[string]struct {
		want error
		v    contract.Vote
	}{
		"no verdict":               {contract.ErrInvalid, with(func(v *contract.Vote) { v.Verdict = "maybe" })},
		"keep with another root":   {contract.ErrInvalid, with(func(v *contract.Vote) { v.Verdict, v.Delta = contract.Keep, nil })},
		"remove with the same":     {contract.ErrInvalid, with(func(v *contract.Vote) { v.Root = c.claimed.Report.SplitsRoot })},
		"without recomputing":      {contract.ErrInvalid, with(func(v *contract.Vote) { v.Root = "" })},
		"other evidence":           {contract.ErrInvalid, with(func(v *contract.Vote) { v.Evidence = []string{contracttest.Hash(1)} })},
		"changes that do not sum":  {contract.ErrSum, with(func(v *contract.Vote) { v.Delta = v.Delta[1:] })},
		"remove, nothing changes":  {contract.ErrInvalid, with(func(v *contract.Vote) { v.Delta = nil })},
		"keep, something changes":  {contract.ErrInvalid, change(c.keep(eye), func(v *contract.Vote) { v.Delta = c.remove(eye).Delta })},
		"in another's name":        {contract.ErrCaller, with(func(v *contract.Vote) { v.Node = alpha })},
		"somebody not on the list": {contract.ErrUnknown, with(func(v *contract.Vote) { v.Node = "x.example" })},
	} {
		c.refused(name, eye, v.want, v.v)
	}
	c.refused("not drawn", gamma, contract.ErrCaller, c.remove(gamma))
	c.do(eye, c.remove(eye))
	c.refused("twice", eye, contract.ErrDuplicate, c.keep(eye))
	n := contracttest.Nodes("")[0]
	n.Caller, n.Suspended = alpha, true
	c.do("operator", n)
	c.refused("suspended", alpha, contract.ErrCaller, c.remove(alpha))
}

// TestSilence: no evidence within 72 hours is no proof.
func TestSilence(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	c.clock.Advance(72*time.Hour - time.Second)
	c.refused("too early", alpha, contract.ErrEarly, c.close())
	c.clock.Advance(time.Second)
	c.refused("too late", beta, contract.ErrLate, c.evidence())
	c.do(alpha, c.close())
	if r := c.want(contract.Ruled).Ruling; r.Verdict != contract.Remove || r.Root != "" {
		t.Errorf("ruling %+v", r)
	}
	c.clock.Advance(5 * 24 * time.Hour)
	c.do(alpha, c.close())
	c.at("2026-11-24T09:00:00Z")
	c.refused("as it was reported", beta, contract.ErrSum, c.claimed.Final())
	final := c.honest.Final()
	final.DaysRoot = c.claimed.Report.DaysRoot
	c.do(beta, final)
}

// TestReporterAndOne: the reporter and one eye are enough once the time for votes is over, if that one has recomputed from
// what was handed in.
func TestReporterAndOne(t *testing.T) {
	t.Parallel()
	for _, recomputed := range []bool{true, false} {
		t.Run(fmt.Sprint(recomputed), func(t *testing.T) {
			t.Parallel()
			c := newCourt(t)
			c.do(beta, c.evidence())
			eye := c.now().Eyes[1]
			c.do(beta, c.keep(beta))
			c.do(eye, change(c.keep(eye), func(v *contract.Vote) {
				if !recomputed {
					v.Evidence = nil
				}
			}))
			c.want(contract.InVotes)
			c.refused("before the time is over", alpha, contract.ErrEarly, c.close())
			c.clock.Advance(72 * time.Hour)
			if !recomputed {
				c.refused("not recomputed", alpha, contract.ErrEarly, c.close())
				return
			}
			c.do(alpha, c.close())
			if r := c.want(contract.Ruled).Ruling; r.Verdict != contract.Keep || !slices.Equal(r.By, []string{beta, eye}) {
				t.Errorf("ruling %+v", r)
			}
		})
	}
}

// TestThirdEye: when the two differ, another one from outside is drawn and decides, whatever the reporter says.
func TestThirdEye(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	c.do(beta, c.evidence())
	eyes := c.now().Eyes
	c.do(beta, c.keep(beta))
	c.do(eyes[0], c.keep(eyes[0]))
	c.do(eyes[1], c.remove(eyes[1]))
	d := c.want(contract.InVotes)
	if len(d.Eyes) != 3 || slices.Contains(eyes, d.Eyes[2]) || d.Eyes[2] == beta || d.Eyes[2] == gamma {
		t.Fatalf("eyes %v", d.Eyes)
	}
	c.clock.Advance(71 * time.Hour)
	c.refused("the third has its time", alpha, contract.ErrEarly, c.close())
	c.do(d.Eyes[2], c.remove(d.Eyes[2]))
	if r := c.want(contract.Ruled).Ruling; r.Verdict != contract.Remove || !slices.Equal(r.By, d.Eyes[1:]) {
		t.Errorf("ruling %+v", r)
	}
}

// TestSameVerdictOtherRoot: two who want to remove, and do not come to the same root, do not agree.
func TestSameVerdictOtherRoot(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	c.do(beta, c.evidence())
	eyes := c.now().Eyes
	c.do(eyes[0], c.remove(eyes[0]))
	c.do(eyes[1], change(c.remove(eyes[1]), func(v *contract.Vote) { v.Root = contracttest.Hash(5) }))
	if d := c.want(contract.InVotes); len(d.Eyes) != 3 {
		t.Errorf("eyes %v", d.Eyes)
	}
}

// TestWithheld: without a ruling the slice alone is withheld, the rest is paid; two months later it is removed, and a
// correction gives it to the others.
func TestWithheld(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	c.do(beta, c.evidence())
	c.clock.Advance(72 * time.Hour)
	c.refused("votes are waited for", alpha, contract.ErrEarly, c.close())
	c.at("2026-11-24T00:00:00Z")
	partial := c.claimed.Final()
	totals := map[string]royalty.Micro{}
	for _, total := range partial.Artists {
		if total.Artist != contracttest.Artist("z") {
			totals[total.Artist] = total.Micro
		}
	}
	whole := partial
	c.refused("still open", beta, contract.ErrState, whole)
	c.do(alpha, c.close())
	c.want(contract.Withheld)
	c.refused("nothing withheld", beta, contract.ErrSum, whole)
	partial.Totals(totals)
	partial.Held = 7_708_779
	c.do(beta, partial)
	c.refused("too early", alpha, contract.ErrEarly, c.close())
	mend := contract.Correction{Node: beta, ID: "w-1", Month: october, About: contract.AboutDispute, Subject: c.id}
	for _, total := range contracttest.Delta(c.claimed, c.honest) {
		if total.Micro > 0 {
			mend.Entries = append(mend.Entries, total)
		}
	}
	c.at("2027-01-23T23:59:59Z")
	c.refused("not ruled on", beta, contract.ErrState, mend)
	c.refused("still", alpha, contract.ErrEarly, c.close())
	c.at("2027-01-24T00:00:00Z")
	c.do(alpha, c.close())
	if r := c.want(contract.Final).Ruling; r.Verdict != contract.Remove || len(r.By) != 0 {
		t.Errorf("ruling %+v", r)
	}
	less := mend
	less.Entries = mend.Entries[1:]
	c.refused("part of it", beta, contract.ErrSum, less)
	to := mend
	to.Entries = []contract.ArtistTotal{{Artist: contracttest.Artist("z"), Micro: 7_708_779}}
	c.refused("to the one that was removed", beta, contract.ErrState, to)
	c.do(beta, mend)
	c.refused("again", beta, contract.ErrDuplicate, change(mend, func(m *contract.Correction) { m.ID = "w-2" }))
	for name, want := range map[string]royalty.Micro{"a": 5_507_463, "b": 2_283_582, "c": 1_208_955} {
		if due, err := contract.Due(t.Context(), c, beta, contracttest.Artist(name)); err != nil || due != want {
			t.Errorf("%s is owed %s, %v; want %s", name, due, err, want)
		}
	}
}

// TestLateRuling: votes count while the slice is withheld.
func TestLateRuling(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	c.reach(contract.Withheld)
	eyes := c.now().Eyes
	c.do(eyes[0], c.keep(eyes[0]))
	c.want(contract.Withheld)
	c.do(eyes[1], c.keep(eyes[1]))
	c.want(contract.Ruled)
}

func TestAppeal(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		c := newCourt(t)
		c.reach(contract.Ruled)
		c.refused("no party", alpha, contract.ErrCaller, change(c.appeal(), func(a *contract.Appeal) { a.Node = alpha }))
		c.refused("another caller", gamma, contract.ErrCaller, c.appeal())
		c.refused("old root", beta, contract.ErrLate, change(c.appeal(), func(a *contract.Appeal) { a.RootAt = a.RootAt.Add(-2 * time.Hour) }))
		c.refused("no root", beta, contract.ErrInvalid, change(c.appeal(), func(a *contract.Appeal) { a.Root = "" }))
		c.clock.Advance(5 * 24 * time.Hour)
		c.refused("too late", beta, contract.ErrLate, c.appeal())
	})
	for name, kept := range map[string]int{"overturned": 2, "they differ": 1, "upheld": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourt(t)
			c.reach(contract.Appealed)
			d := c.now()
			if len(d.AppealEyes) != 2 || d.AppealEyes[0] == d.AppealEyes[1] || slices.Contains(d.Eyes, d.AppealEyes[0]) || slices.Contains(d.Eyes, d.AppealEyes[1]) {
				t.Fatalf("%v and %v", d.Eyes, d.AppealEyes)
			}
			c.refused("an eye of before", d.Eyes[0], contract.ErrCaller, c.keep(d.Eyes[0]))
			for i, eye := range d.AppealEyes {
				c.want(contract.Appealed)
				if i < kept {
					c.do(eye, c.keep(eye))
				} else {
					c.do(eye, c.remove(eye))
				}
			}
			want := contract.Remove
			if kept == 2 {
				want = contract.Keep
			}
			if r := c.want(contract.Final).Ruling; r.Verdict != want {
				t.Errorf("ruling %+v", r)
			}
		})
	}
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		c := newCourt(t)
		c.reach(contract.Appealed)
		c.refused("too early", alpha, contract.ErrEarly, c.close())
		c.clock.Advance(5 * 24 * time.Hour)
		eye := c.now().AppealEyes[0]
		c.refused("vote too late", eye, contract.ErrLate, c.keep(eye))
		c.do(alpha, c.close())
		if r := c.want(contract.Final).Ruling; r.Verdict != contract.Remove {
			t.Errorf("ruling %+v", r)
		}
	})
}

// TestFrivolous: the fourth dispute lost within ninety days costs the right for thirty.
func TestFrivolous(t *testing.T) {
	t.Parallel()
	for _, lost := range []struct {
		name string
		days []int // before the opening
		want error
	}{
		{"three", []int{40, 30, 20}, nil},
		{"four", []int{80, 40, 30, 20}, contract.ErrFrivolous},
		{"four in more than ninety days", []int{111, 40, 30, 20}, nil},
		{"four, a month ago", []int{80, 60, 40, 30}, nil},
	} {
		t.Run(lost.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			claimed, _ := disputed(t)
			d.paid(claimed, 20, "L4")
			d.do(beta, claimed.Report)
			d.at("2026-11-06T10:00:00Z")
			open := opening(d, beta, contracttest.Artist("z"))
			for _, days := range lost.days {
				at := d.clock.Now().AddDate(0, 0, -days)
				d.Set("lost/"+open.Opener+"/"+at.Format(time.RFC3339)+"/"+contracttest.Hash(days), contracttest.Hash(days))
			}
			if lost.want != nil {
				d.refused(lost.name, gamma, lost.want, open)
				return
			}
			d.do(gamma, open)
		})
	}
	// Losing is written down: keep, and final.
	c := newCourt(t)
	c.do(beta, c.evidence())
	for _, eye := range c.now().Eyes {
		c.do(eye, c.keep(eye))
	}
	c.clock.Advance(5 * 24 * time.Hour)
	c.do(alpha, c.close())
	if !strings.Contains(c.dump(), "lost/"+contract.Digest("opener", "https://gamma.example/users/mo")+"/2026-11-11T10:00:00Z/"+c.id) {
		t.Error("a lost dispute is not written down")
	}
}
