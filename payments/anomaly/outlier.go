package anomaly

import (
	"math"
	"slices"
)

// Outlier applies R6 to the last of a series of daily counts, oldest first, and returns its robust z in thousandths and
// whether that day is to be held. The series is of a listener's plays of an artist, or of all plays of a track: from the
// first day on which there was one, at most [Policy].OutlierDays days, days without plays as zeros. Only the last
// OutlierDays are looked at.
//
// It is the one place where this package calculates with floating point, because the logarithm needs it. That is
// allowed here and nowhere else: the number says that people should look at a day, not how much anybody is paid; and it
// is rounded before it is compared, so that two processors which differ in the last bit of a logarithm do not differ in
// what they hold.
func Outlier(policy Policy, daily []int64) (milli int64, held bool) {
	if int64(len(daily)) > policy.OutlierDays {
		daily = daily[int64(len(daily))-policy.OutlierDays:]
	}
	if len(daily) == 0 {
		return 0, false
	}
	last := len(daily) - 1
	milli = robust(daily, policy.FloorMilli)[last]
	return milli, milli > policy.OutlierMilli && daily[last] >= policy.OutlierPlays
}

// robust is the z of each day in thousandths: 0.6745 (x - median) / MAD over x = ln(1 + n), where MAD is the median of the
// distances from the median. Unlike the mean and the deviation, neither moves when one day is absurd (Iglewicz and
// Hoaglin, How to Detect and Handle Outliers, 1993).
func robust(daily []int64, floorMilli int64) []int64 {
	x := make([]float64, len(daily))
	for i, n := range daily {
		x[i] = math.Log1p(float64(max(n, 0)))
	}
	middle := median(x)
	distance := make([]float64, len(x))
	for i, v := range x {
		distance[i] = math.Abs(v - middle)
	}
	mad := max(median(distance), float64(floorMilli)/1000)
	out := make([]int64, len(x))
	for i, v := range x {
		out[i] = int64(math.Round(1000 * 0.6745 * (v - middle) / mad))
	}
	return out
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// holdOutliers applies R6 to the plays that were not dropped: day by day for each listener with an artist, and for each
// track.
func holdOutliers(policy Policy, plays []Play, at []int, verdicts []Verdict) {
	if !policy.Applies(R6Outlier) {
		return
	}
	byPair := func(p Play) [2]string { return [2]string{p.Listener, p.Artist} }
	byTrack := func(p Play) [2]string { return [2]string{p.Track} }
	for _, key := range []func(Play) [2]string{byPair, byTrack} {
		days := map[[2]string]map[int64][]int{}
		var keys [][2]string
		for _, i := range at {
			if policy.gone(verdicts[i]) {
				continue
			}
			k := key(plays[i])
			if days[k] == nil {
				days[k] = map[int64][]int{}
				keys = append(keys, k)
			}
			days[k][plays[i].day()] = append(days[k][plays[i].day()], i)
		}
		for _, k := range keys {
			holdDays(policy, plays, days[k], verdicts)
		}
	}
}

// holdDays applies R6 to each day of one series.
func holdDays(policy Policy, plays []Play, days map[int64][]int, verdicts []Verdict) {
	first := int64(math.MaxInt64)
	for day := range days {
		first = min(first, day)
	}
	for day, which := range days {
		// Few days are large enough to be looked at.
		if int64(len(which)) < policy.OutlierPlays {
			continue
		}
		var daily []int64
		for d := max(first, day-policy.OutlierDays+1); d <= day; d++ {
			daily = append(daily, int64(len(days[d])))
		}
		if _, held := Outlier(policy, daily); held {
			hold(policy, R6Outlier, plays, which, verdicts, series(daily))
		}
	}
}

// JudgeDay is [Outlier] as a verdict: of all plays of the series' last day that no other rule has marked. Its evidence is
// the series.
func JudgeDay(policy Policy, daily []int64) (Verdict, bool) {
	if _, held := Outlier(policy, daily); !held || !policy.Applies(R6Outlier) {
		return Verdict{State: Counted, Policy: policy.Version}, false
	}
	return Verdict{Held, R6Outlier, policy.Version, evidence(R6Outlier, policy, nil, series(daily))}, true
}
