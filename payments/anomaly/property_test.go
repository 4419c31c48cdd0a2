package anomaly_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"antiphon/payments/anomaly"
)

// drawn makes plays that lie close together, so that the rules have something to do.
func drawn(t *rapid.T) ([]anomaly.Play, anomaly.Facts) {
	one := func(what string, n int) string {
		return fmt.Sprint("https://a.example/", what, rapid.IntRange(0, n).Draw(t, what))
	}
	plays := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) anomaly.Play {
		length := rapid.Int64Range(20, 400).Draw(t, "length")
		return anomaly.Play{
			Listener: one("l", 3), Artist: one("a", 2), Track: one("t", 4),
			Start:   time.Unix(rapid.Int64Range(-90000, 90000).Draw(t, "start"), 0),
			Seconds: rapid.Int64Range(0, length+10).Draw(t, "seconds"), Length: length,
			Session: one("s", 3), Network: one("n", 1), Agent: one("g", 1),
		}
	}), 0, 300).Draw(t, "plays")
	facts := anomaly.Facts{Paid: map[string]string{}, Owned: map[string]bool{one("a", 3): true}}
	for _, p := range plays {
		facts.Paid[p.Listener] = one("card", 3)
	}
	return plays, facts
}

// small makes the rules that need many plays speak of few.
func small() anomaly.Policy {
	p := anomaly.V1()
	p.ManyPlays, p.OutlierPlays, p.OutlierMilli, p.ClusterSize, p.PerTrackDay, p.AwakeFor = 4, 4, 1000, 2, 5, 20*3600
	p.DevotionBP, p.DealingBP = 5000, 5000
	return p
}

func judge(t *rapid.T, plays []anomaly.Play, facts anomaly.Facts) []anomaly.Verdict {
	verdicts, err := anomaly.Judge(small(), plays, facts)
	if err != nil {
		t.Fatal(err)
	}
	return verdicts
}

func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plays, facts := drawn(t)
		verdicts := judge(t, plays, facts)

		// The order in which plays come changes nothing. Of plays that are the same in every word any one may stand for another.
		perm := rand.New(rand.NewPCG(uint64(len(plays)), rapid.Uint64().Draw(t, "seed"))).Perm(len(plays))
		shuffled := make([]anomaly.Play, len(plays))
		for to, from := range perm {
			shuffled[to] = plays[from]
		}
		if a, b := listed(plays, verdicts), listed(shuffled, judge(t, shuffled, facts)); !slices.Equal(a, b) {
			t.Fatalf("in another order:\n%v\n%v", a, b)
		}
		// Without what was dropped, the rest is judged as before, to the evidence.
		var rest []anomaly.Play
		var before []anomaly.Verdict
		for i, v := range verdicts {
			if v.State != anomaly.Dropped {
				rest, before = append(rest, plays[i]), append(before, v)
			}
		}
		if again := judge(t, rest, facts); !slices.Equal(listed(rest, before), listed(rest, again)) {
			t.Fatalf("judged again: %v, before %v", marks(again), marks(before))
		}
		checkHours(t, rest)
	})
}

// listed are the plays with their verdicts, sorted.
func listed(plays []anomaly.Play, verdicts []anomaly.Verdict) []string {
	out := make([]string, len(plays))
	for i, p := range plays {
		p.Start = p.Start.UTC()
		out[i] = fmt.Sprintf("%v %v", p, verdicts[i])
	}
	slices.Sort(out)
	return out
}

// checkHours adds up every hour that begins or ends where a play does: none holds more than it may.
func checkHours(t *rapid.T, plays []anomaly.Play) {
	of := map[string][][2]int64{}
	for _, p := range plays {
		of[p.Listener] = append(of[p.Listener], [2]int64{p.Start.Unix(), p.Start.Unix() + min(p.Seconds, p.Length)})
	}
	for _, heard := range of {
		for _, h := range heard {
			for _, from := range []int64{h[0], h[1], h[0] - 3600, h[1] - 3600} {
				var sum int64
				for _, other := range heard {
					sum += max(0, min(other[1], from+3600)-max(other[0], from))
				}
				if sum > 3780 {
					t.Fatalf("%d seconds in the hour from %d on", sum, from)
				}
			}
		}
	}
}

// FuzzJudge reads plays from bytes: whatever stands there, judging ends, refuses what cannot be, and says the same twice.
func FuzzJudge(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"))
	f.Add(slices.Repeat([]byte{1, 0, 1, 0, 0, 0, 60, 211}, 60))
	f.Fuzz(func(t *testing.T, data []byte) {
		var plays []anomaly.Play
		for len(data) >= 8 && len(plays) < 500 {
			plays = append(plays, anomaly.Play{
				Listener: fmt.Sprint("l", data[0]%4), Artist: fmt.Sprint("a", data[1]%4), Track: fmt.Sprint("t", data[2]%8),
				Start:   time.Unix(int64(int32(binary.BigEndian.Uint32(data[2:]))), int64(data[5])).UTC(),
				Seconds: int64(int8(data[6])) * int64(data[0]), Length: int64(data[7]) * int64(data[1]), Network: fmt.Sprint("n", data[3]%2), Agent: "x",
			})
			data = data[8:]
		}
		facts := anomaly.Facts{Paid: map[string]string{"l0": "x", "l1": "x", "l2": ""}}
		verdicts, err := anomaly.Judge(small(), plays, facts)
		if err != nil {
			return
		}
		again, err := anomaly.Judge(small(), plays, facts)
		if err != nil || !slices.Equal(verdicts, again) {
			t.Fatalf("judged twice: %v and %v, %v", verdicts, again, err)
		}
		for i, v := range verdicts {
			if v.State == anomaly.Counted && !small().Qualified(plays[i].Seconds, plays[i].Length) {
				t.Fatalf("%+v counts", plays[i])
			}
		}
	})
}
