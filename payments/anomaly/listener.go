package anomaly

import "fmt"

// JudgeListener applies the rules that look at one listener alone, R0 to R5, to plays of that listener in any order, and
// returns a verdict for each at its place. Plays of the days before may stand among them, for what follows from them:
// R1 and R2 look back for as long as a track may last, R4 for [Policy].AwakeFor.
func JudgeListener(policy Policy, plays []Play) ([]Verdict, error) {
	if err := check(policy, plays); err != nil {
		return nil, err
	}
	at := order(plays)
	for i := 1; i < len(at); i++ {
		if plays[at[i]].Listener != plays[at[0]].Listener {
			return nil, fmt.Errorf("%w: plays of %.80q among those of %.80q", ErrInvalid, plays[at[i]].Listener, plays[at[0]].Listener)
		}
	}
	verdicts := make([]Verdict, len(plays))
	judgeListener(policy, plays, at, verdicts)
	return verdicts, nil
}

func check(policy Policy, plays []Play) error {
	if err := policy.Check(); err != nil {
		return err
	}
	for _, p := range plays {
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}

// judgeListener writes the verdicts of one listener's plays, whose places come in order.
func judgeListener(policy Policy, plays []Play, at []int, verdicts []Verdict) {
	kept := drop(policy, plays, at, verdicts)
	holdSleepless(policy, plays, kept, verdicts)
	holdStubs(policy, plays, kept, verdicts)
}

// drop applies R0 to R3 and returns the places of the plays that are left.
func drop(policy Policy, plays []Play, at []int, verdicts []Verdict) []int {
	type trackDay struct {
		track string
		day   int64
	}
	var (
		kept    []int
		last    = -1 // the kept play that ends last
		hours   hours
		repeats = map[trackDay]int64{}
	)
	// refuse reports whether the play is gone: it goes on when the rule only tells, as if it had said nothing.
	refuse := func(i int, rule Rule, because []Play, facts ...string) bool {
		if !policy.Applies(rule) {
			return false
		}
		tells := policy.Tells(rule)
		if !tells || verdicts[i].State == Counted {
			verdicts[i] = Verdict{Dropped, rule, policy.Version, evidence(rule, policy, append(because, plays[i]), facts...)}
		}
		return !tells
	}
	for _, i := range at {
		p := plays[i]
		verdicts[i] = Verdict{State: Counted, Policy: policy.Version}
		key := trackDay{p.Track, p.day()}
		full, isFull := hours.full(policy, p)
		switch {
		case (!policy.Qualified(p.Seconds, p.Length) || p.Listener == p.Artist) && refuse(i, R0Short, nil):
		case last >= 0 && p.from() < plays[last].until()-policy.Grace && refuse(i, R1Overlap, []Play{plays[last]}):
		case isFull && refuse(i, R2Hour, nil, fmt.Sprintf("%d seconds from %d on", full.sum, full.from)):
		case repeats[key] >= policy.PerTrackDay && refuse(i, R3Repeat, nil):
		default:
			kept = append(kept, i)
			hours.add(policy, p)
			repeats[key]++
			if last < 0 || p.until() > plays[last].until() {
				last = i
			}
		}
	}
	return kept
}

// hours keeps what was heard in each stretch of an hour that can come to the most: one that begins with a play, or ends
// with one. Between these, the sum only falls or grows no further.
type hours struct {
	heard   []span
	windows []window
}

type span struct{ from, until int64 }

type window struct{ from, sum int64 }

// within is how much of the span lies in the length seconds from a moment on.
func (s span) within(from, length int64) int64 {
	return max(0, min(s.until, from+length)-max(s.from, from))
}

// full returns an hour that p, which begins no earlier than what was added, would make too full.
func (h *hours) full(policy Policy, p Play) (window, bool) {
	most := policy.HourLength * policy.HourBP
	s := span{p.from(), p.until()}
	for _, w := range h.windows {
		if w.sum += s.within(w.from, policy.HourLength); w.sum*whole > most {
			return w, true
		}
	}
	for _, w := range h.opened(policy, s) {
		if w.sum*whole > most {
			return w, true
		}
	}
	return window{}, false
}

// opened are the hours that begin or end with s, and what comes to pass in them.
func (h *hours) opened(policy Policy, s span) []window {
	out := []window{{from: s.from}, {from: s.until - policy.HourLength}}
	for n := range out {
		for _, other := range h.heard {
			out[n].sum += other.within(out[n].from, policy.HourLength)
		}
		out[n].sum += s.within(out[n].from, policy.HourLength)
	}
	return out
}

func (h *hours) add(policy Policy, p Play) {
	s := span{p.from(), p.until()}
	fresh := h.opened(policy, s)
	keptWindows := h.windows[:0]
	for _, w := range h.windows {
		// What begins later than the end of an hour adds nothing to it.
		if w.from+policy.HourLength > s.from {
			w.sum += s.within(w.from, policy.HourLength)
			keptWindows = append(keptWindows, w)
		}
	}
	h.windows = append(keptWindows, fresh...)
	keptSpans := h.heard[:0]
	for _, other := range h.heard {
		if other.until > s.from-policy.HourLength {
			keptSpans = append(keptSpans, other)
		}
	}
	h.heard = append(keptSpans, s)
}

// holdSleepless applies R4 to plays that were kept, in order: it holds all of a stretch without a pause.
func holdSleepless(policy Policy, plays []Play, kept []int, verdicts []Verdict) {
	for from := 0; from < len(kept); {
		until := plays[kept[from]].until()
		to := from + 1
		for to < len(kept) && plays[kept[to]].from()-until < policy.Pause {
			until = max(until, plays[kept[to]].until())
			to++
		}
		if until-plays[kept[from]].from() >= policy.AwakeFor {
			hold(policy, R4Sleepless, plays, kept[from:to], verdicts)
		}
		from = to
	}
}

// holdStubs applies R5 to plays that were kept, in order, day by day.
func holdStubs(policy Policy, plays []Play, kept []int, verdicts []Verdict) {
	for from := 0; from < len(kept); {
		to, stubs := from, int64(0)
		for to < len(kept) && plays[kept[to]].day() == plays[kept[from]].day() {
			if s := plays[kept[to]].heard(); s >= policy.StubFrom && s <= policy.StubTo {
				stubs++
			}
			to++
		}
		n := int64(to - from)
		if n >= policy.ManyPlays && stubs*whole >= n*policy.StubBP {
			hold(policy, R5Stubs, plays, kept[from:to], verdicts)
		}
		from = to
	}
}

// hold holds plays that no earlier rule has marked; all of them are the evidence. A rule that changes something also takes
// those that were marked by one that only tells.
func hold(policy Policy, rule Rule, plays []Play, which []int, verdicts []Verdict, facts ...string) {
	if !policy.Applies(rule) {
		return
	}
	seen := make([]Play, len(which))
	for n, i := range which {
		seen[n] = plays[i]
	}
	mark(policy, Verdict{Held, rule, policy.Version, evidence(rule, policy, seen, facts...)}, which, verdicts)
}

func mark(policy Policy, v Verdict, which []int, verdicts []Verdict) {
	for _, i := range which {
		if old := verdicts[i]; old.State == Counted || policy.Tells(old.Rule) && !policy.Tells(v.Rule) {
			verdicts[i] = v
		}
	}
}
