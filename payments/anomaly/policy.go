package anomaly

import (
	"fmt"
	"slices"
)

// Policy holds the numbers of the rules. It is written on the ledger with the month that it is used for.
type Policy struct {
	// Version names the policy in every verdict.
	Version int
	// Rules are those that are applied: one that is not named marks nothing. ReportOnly are those of them that mark plays and
	// change nothing: what only they have marked counts as if it were not. R0 is never one of these: what is no play does
	// not count in any case.
	Rules, ReportOnly []Rule

	// R0: a play has MinSeconds of distinct sound; of a track that is shorter than ShortTrack half of it; one that is shorter
	// than MinTrack has none. All in seconds.
	MinSeconds, ShortTrack, MinTrack int64
	// R1: a play that begins more than Grace seconds before an earlier one of the listener ends does not count.
	Grace int64
	// R2: the seconds that may be heard in any HourLength seconds, in basis points of these.
	HourLength, HourBP int64
	// R3: the plays of one listener and track that count in a day.
	PerTrackDay int64
	// R4: nobody listens for AwakeFor seconds without a pause of Pause seconds.
	AwakeFor, Pause int64
	// R5: of ManyPlays plays in a day or more, StubBP basis points or more end between StubFrom and StubTo seconds, both
	// included.
	ManyPlays, StubBP, StubFrom, StubTo int64
	// R6: a day of OutlierPlays plays or more whose robust z over the last OutlierDays days is beyond OutlierMilli
	// thousandths; the median deviation is taken for FloorMilli thousandths at least.
	OutlierPlays, OutlierDays, OutlierMilli, FloorMilli int64
	// R7: ClusterSize paid accounts or more of one network and agent, of each of whose plays ClusterBP basis points or more
	// are of one and the same artist.
	ClusterSize, ClusterBP int64
	// R8: fewer than DealingSize accounts make DealingBP basis points or more of an artist's month, each giving the artist
	// DevotionBP basis points or more of its plays.
	DealingSize, DealingBP, DevotionBP int64
	// R9: listeners with a report for each payment, and plays for each listener against the median of all nodes, both in
	// basis points.
	NodePaidBP, NodePlaysBP int64
}

// whole are the basis points of all of something.
const whole = 10_000

// V1 is the first policy. Its rules of suspicion only tell.
func V1() Policy {
	return Policy{
		Version:    1,
		Rules:      []Rule{R0Short, R1Overlap, R2Hour, R3Repeat, R4Sleepless, R5Stubs, R6Outlier, R7Cluster, R8Dealing, R9Node},
		ReportOnly: []Rule{R4Sleepless, R5Stubs, R6Outlier, R7Cluster, R8Dealing, R9Node},
		MinSeconds: 30, ShortTrack: 60, MinTrack: 30,
		Grace:      15,
		HourLength: 3600, HourBP: 10_500,
		PerTrackDay: 20,
		AwakeFor:    72 * 3600, Pause: 3 * 3600,
		ManyPlays: 50, StubBP: 8000, StubFrom: 30, StubTo: 35,
		OutlierPlays: 100, OutlierDays: 28, OutlierMilli: 6000, FloorMilli: 100,
		ClusterSize: 5, ClusterBP: 6000,
		DealingSize: 5, DealingBP: 9000, DevotionBP: 9500,
		NodePaidBP: whole, NodePlaysBP: 3 * whole,
	}
}

// Check refuses numbers that cannot be.
func (p Policy) Check() error {
	for _, n := range []int64{
		int64(p.Version), p.MinSeconds, p.HourLength, p.HourBP, p.PerTrackDay, p.AwakeFor, p.Pause, p.ManyPlays, p.StubBP,
		p.OutlierPlays, p.OutlierDays, p.OutlierMilli, p.FloorMilli, p.ClusterSize, p.ClusterBP, p.DealingSize, p.DealingBP, p.DevotionBP,
		p.NodePaidBP, p.NodePlaysBP,
	} {
		if n < 1 || n > maxNumber {
			return fmt.Errorf("%w: a number of policy %d is %d", ErrInvalid, p.Version, n)
		}
	}
	for _, n := range []int64{p.ShortTrack, p.MinTrack, p.Grace, p.StubFrom, p.StubTo} {
		if n < 0 || n > maxNumber {
			return fmt.Errorf("%w: a number of policy %d is %d", ErrInvalid, p.Version, n)
		}
	}
	return nil
}

// maxNumber keeps products of two numbers of a policy, and of one and any count of plays, far from the end of int64.
const maxNumber = 1 << 24

// Applies reports whether a rule marks anything under the policy.
func (p Policy) Applies(rule Rule) bool { return slices.Contains(p.Rules, rule) }

// Tells reports whether a rule, if it is applied, changes nothing.
func (p Policy) Tells(rule Rule) bool { return rule != R0Short && slices.Contains(p.ReportOnly, rule) }

// Qualified reports whether that many distinct seconds of a track of that length are a play at all (R0).
func (p Policy) Qualified(seconds, length int64) bool {
	seconds = min(seconds, length)
	switch {
	case length < p.MinTrack:
		return false
	case length < p.ShortTrack:
		return 2*seconds >= length
	}
	return seconds >= p.MinSeconds
}
