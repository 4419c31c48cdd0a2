package anomaly_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"antiphon/payments/anomaly"
)

var monday = time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)

const (
	lin  = "https://b.example/users/lin"
	ada  = "https://a.example/users/ada"
	rain = "https://a.example/tracks/rain"
)

// play is 200 s of a track of 211 s, at that many seconds after Monday began.
func play(at int64, change ...func(*anomaly.Play)) anomaly.Play {
	p := anomaly.Play{
		Listener: lin, Artist: ada, Track: rain, Start: monday.Add(time.Duration(at) * time.Second), Seconds: 200, Length: 211,
		Session: fmt.Sprint(at), Network: "n1", Agent: "firefox on linux",
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func heard(seconds, length int64) func(*anomaly.Play) {
	return func(p *anomaly.Play) { p.Seconds, p.Length = seconds, length }
}

func by(listener string) func(*anomaly.Play) {
	return func(p *anomaly.Play) { p.Listener = "https://b.example/users/" + listener }
}

func of(artist, track string) func(*anomaly.Play) {
	return func(p *anomaly.Play) {
		p.Artist, p.Track = "https://a.example/users/"+artist, "https://a.example/tracks/"+track
	}
}

// row makes n plays, each step seconds after the one before.
func row(n int, from, step int64, change ...func(*anomaly.Play)) []anomaly.Play {
	var out []anomaly.Play
	for i := range n {
		out = append(out, play(from+int64(i)*step, change...))
	}
	return out
}

// each makes every play one of a track of its own.
func each(plays []anomaly.Play) []anomaly.Play {
	for i := range plays {
		plays[i].Track = fmt.Sprint("https://a.example/tracks/", i)
	}
	return plays
}

// marks counts verdicts in words: "counted" or the rule.
func marks(verdicts []anomaly.Verdict) map[string]int {
	out := map[string]int{}
	for _, v := range verdicts {
		word := string(v.State)
		if v.Rule != "" {
			word += " " + string(v.Rule)
		}
		out[word]++
	}
	return out
}

func TestRules(t *testing.T) {
	t.Parallel()
	const hour, day = 3600, 86400
	devoted := func(n int, instrument func(i int) string) ([]anomaly.Play, anomaly.Facts) {
		facts := anomaly.Facts{Paid: map[string]string{}, Payout: map[string]string{}, Owned: map[string]bool{}}
		var plays []anomaly.Play
		for i := range n {
			who := by(fmt.Sprint("fan", i))
			plays = append(plays, row(19, int64(i), hour, who, func(p *anomaly.Play) { p.Network = fmt.Sprint("n", i) })...)
			facts.Paid[plays[len(plays)-1].Listener] = instrument(i)
		}
		return plays, facts
	}
	own := func(i int) string { return fmt.Sprint("card ", i) }
	cluster := func(n int, share int) ([]anomaly.Play, anomaly.Facts) {
		facts := anomaly.Facts{Paid: map[string]string{}}
		var plays []anomaly.Play
		for i := range n {
			who := by(fmt.Sprint("bot", i))
			plays = append(plays, row(share, int64(i), hour, who)...)
			plays = append(plays, row(10-share, int64(i)+day, hour, who, of(fmt.Sprint("other", i), "x"))...)
			facts.Paid[plays[len(plays)-1].Listener] = own(i)
		}
		return plays, facts
	}
	clusterPlays, clusterFacts := cluster(5, 6)
	fewPlays, fewFacts := cluster(4, 6)
	looserPlays, looserFacts := cluster(5, 5)
	dealing, sharing := devoted(3, func(int) string { return "card" })
	honest, apart := devoted(3, own)
	crowd, crowdFacts := devoted(9, func(int) string { return "card" })
	paidOut, payoutFacts := devoted(2, own)
	payoutFacts.Payout[ada] = "card 1"
	owned, ownerFacts := devoted(1, own)
	ownerFacts.Owned[ada] = true

	for _, c := range []struct {
		name  string
		plays []anomaly.Play
		facts anomaly.Facts
		want  map[string]int
	}{
		{"R0: 30 s count, 29 do not", []anomaly.Play{play(0, heard(30, 211)), play(hour, heard(29, 211))}, anomaly.Facts{}, map[string]int{"counted": 1, "dropped R0": 1}},
		{"R0: half of a short track", []anomaly.Play{play(0, heard(20, 40)), play(hour, heard(19, 40)), play(2*hour, heard(20, 41))}, anomaly.Facts{}, map[string]int{"counted": 1, "dropped R0": 2}},
		{"R0: a jingle never counts", []anomaly.Play{play(0, heard(29, 29)), play(hour, heard(15, 30))}, anomaly.Facts{}, map[string]int{"counted": 1, "dropped R0": 1}},
		{"R0: more than the track has is not more", []anomaly.Play{play(0, heard(5000, 25))}, anomaly.Facts{}, map[string]int{"dropped R0": 1}},
		{"R0: one's own", []anomaly.Play{play(0, func(p *anomaly.Play) { p.Artist = lin })}, anomaly.Facts{}, map[string]int{"dropped R0": 1}},
		{"R1: 15 s of grace", []anomaly.Play{play(0), play(185), play(185 + 184)}, anomaly.Facts{}, map[string]int{"counted": 2, "dropped R1": 1}},
		{"R1: what is no play blocks none", []anomaly.Play{play(0, heard(29, 211)), play(1)}, anomaly.Facts{}, map[string]int{"counted": 1, "dropped R0": 1}},
		{"R1: two people at once", []anomaly.Play{play(0), play(1, by("bob"))}, anomaly.Facts{}, map[string]int{"counted": 2}},
		// Each of 45 s begins 30 s after the one before: 84 come to 3,780 s, and the next one waits for the next hour.
		{"R2: an hour holds an hour and a twentieth", each(row(240, 0, 30, heard(45, 45))), anomaly.Facts{}, map[string]int{"counted": 84 * 2, "dropped R2": 72}},
		{"R2: an hour that is full is full to its end", append(each(row(84, 0, 30, heard(45, 45))), play(3590), play(3600)), anomaly.Facts{}, map[string]int{"counted": 85, "dropped R2": 1}},
		{"R2: a day of honest listening", each(row(400, 0, 205, func(p *anomaly.Play) { p.Seconds = 205 })), anomaly.Facts{}, map[string]int{"counted": 400}},
		{"R2: one long mix", []anomaly.Play{play(0, heard(4*hour, 4*hour)), play(4*hour, heard(4*hour, 4*hour))}, anomaly.Facts{}, map[string]int{"counted": 2}},
		{"R3: 20 of a track in a day", row(25, 0, 1000), anomaly.Facts{}, map[string]int{"counted": 20, "dropped R3": 5}},
		{"R3: a new day", row(25, day-12*1000, 1000), anomaly.Facts{}, map[string]int{"counted": 25}},
		{"R4: three days without a night", each(row(26*4, 0, hour*7/10, heard(200, 211))), anomaly.Facts{}, map[string]int{"held R4": 104}},
		{"R4: with one night", append(each(row(50, 0, hour*7/10)), each(row(50, 50*hour*7/10+3*hour, hour*7/10))...), anomaly.Facts{}, map[string]int{"counted": 100}},
		{"R5: stubs", append(each(row(40, 0, 60, heard(31, 211))), each(row(10, 3000, 300))...), anomaly.Facts{}, map[string]int{"held R5": 50}},
		{"R5: a few less", append(each(row(39, 0, 60, heard(31, 211))), each(row(11, 3000, 300))...), anomaly.Facts{}, map[string]int{"counted": 50}},
		{"R5: somebody who skips now and then", each(row(49, 0, 60, heard(31, 211))), anomaly.Facts{}, map[string]int{"counted": 49}},
		{"R7: five of one place and one taste", clusterPlays, clusterFacts, map[string]int{"held R7": 30, "counted": 20}},
		{"R7: four are a family", fewPlays, fewFacts, map[string]int{"counted": 40}},
		{"R7: with half of their plays elsewhere", looserPlays, looserFacts, map[string]int{"counted": 50}},
		{"R7: who has not paid is no account of it", clusterPlays, anomaly.Facts{}, map[string]int{"counted": 50}},
		{"R8: three accounts, one card, one artist", dealing, sharing, map[string]int{"held R8": 57}},
		{"R8: three fans of a small artist", honest, apart, map[string]int{"counted": 57}},
		{"R8: many are an audience", crowd, crowdFacts, map[string]int{"counted": 9 * 19}},
		{"R8: the card that the money goes to", paidOut, payoutFacts, map[string]int{"held R8": 38}},
		{"R8: the artist of the house", owned, ownerFacts, map[string]int{"held R8": 19}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			verdicts, err := anomaly.Judge(anomaly.V1(), c.plays, c.facts)
			if err != nil {
				t.Fatal(err)
			}
			if got := marks(verdicts); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			for _, v := range verdicts {
				if v.Policy != 1 || (v.State == anomaly.Counted) != (v.Evidence == [32]byte{}) || (v.State == anomaly.Counted) != (v.Rule == "") {
					t.Errorf("verdict %+v", v)
				}
			}
		})
	}
}

// The classic z-score gives the outlier 2.85, because it hides in the deviation that it makes.
func TestOutlier(t *testing.T) {
	t.Parallel()
	worked := []int64{12, 9, 14, 11, 8, 13, 10, 15, 9, 412}
	for last := range worked {
		daily := append(slices.Delete(slices.Clone(worked), last, last+1), worked[last])
		z, held := anomaly.Outlier(anomaly.V1(), daily)
		if worked[last] == 412 {
			if (z+50)/100 != 116 || !held {
				t.Errorf("z of 412 is %d thousandths, held %v", z, held)
			}
		} else if z <= -1100 || z >= 1100 || held {
			t.Errorf("z of %d is %d thousandths, held %v", worked[last], z, held)
		}
	}
	for _, c := range []struct {
		name  string
		daily []int64
		held  bool
	}{
		{"nothing", nil, false},
		{"a first day", []int64{5000}, false},
		{"a second day", []int64{3, 5000}, false},
		{"99 plays are too few", append(slices.Repeat([]int64{1}, 20), 99), false},
		{"100 plays out of nothing", append(slices.Repeat([]int64{1}, 20), 100), true},
		{"a loud month ago is forgotten", append([]int64{9000}, append(slices.Repeat([]int64{200}, 27), 230)...), false},
		{"growth", []int64{10, 20, 40, 80, 160, 320, 640}, false},
	} {
		if z, held := anomaly.Outlier(anomaly.V1(), c.daily); held != c.held {
			t.Errorf("%s: held %v at %d", c.name, held, z)
		}
	}
}

// A day of 120 plays of one artist is held, and the same plays by a crowd that had none before is a release day.
func TestOutlierDay(t *testing.T) {
	t.Parallel()
	var plays []anomaly.Play
	for day := range int64(12) {
		n := 3
		if day == 11 {
			n = 120
		}
		plays = append(plays, each(row(n, day*86400, 400))...)
	}
	verdicts, err := anomaly.Judge(anomaly.V1(), plays, anomaly.Facts{})
	if err != nil {
		t.Fatal(err)
	}
	if got := marks(verdicts); got["held R6"] != 120 || got["counted"] != 33 {
		t.Errorf("%v", got)
	}
	var crowd []anomaly.Play
	for i := range 120 {
		crowd = append(crowd, play(int64(i), by(fmt.Sprint(i))))
	}
	if verdicts, err = anomaly.Judge(anomaly.V1(), crowd, anomaly.Facts{}); err != nil || marks(verdicts)["counted"] != 120 {
		t.Errorf("%v, %v", marks(verdicts), err)
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	others := []anomaly.Node{{10, 10, 1000}, {20, 20, 2400}, {5, 7, 400}, {0, 0, 0}}
	for _, c := range []struct {
		name   string
		node   anomaly.Node
		others []anomaly.Node
		want   int
	}{
		{"as others", anomaly.Node{10, 10, 2999}, others, 0},
		{"three times the median, to the play", anomaly.Node{10, 10, 3000}, others, 0},
		{"one play more", anomaly.Node{10, 10, 3001}, others, 1},
		{"more listeners than payments", anomaly.Node{11, 10, 1100}, others, 1},
		{"both", anomaly.Node{11, 10, 1 << 40}, others, 2},
		{"alone in the world", anomaly.Node{10, 10, 1 << 40}, nil, 0},
		{"nobody", anomaly.Node{}, others, 0},
		{"large figures", anomaly.Node{1 << 61, 1 << 61, 1 << 62}, others, 0},
	} {
		if got, err := anomaly.JudgeNode(anomaly.V1(), c.node, c.others); err != nil || len(got) != c.want {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	without := anomaly.V1()
	without.Rules = without.Rules[:9]
	if got, err := anomaly.JudgeNode(without, anomaly.Node{11, 10, 1 << 40}, others); err != nil || len(got) != 0 {
		t.Errorf("without R9: %q, %v", got, err)
	}
	if _, err := anomaly.JudgeNode(anomaly.V1(), anomaly.Node{Plays: -1}, nil); err == nil {
		t.Error("a negative count was taken")
	}
}

func TestReportOnly(t *testing.T) {
	t.Parallel()
	policy := anomaly.V1()
	for _, c := range []struct {
		state   anomaly.State
		rule    anomaly.Rule
		watched bool
		strict  bool
	}{
		{anomaly.Counted, "", true, true}, {anomaly.Dropped, anomaly.R0Short, false, false}, {anomaly.Dropped, anomaly.R1Overlap, true, false},
		{anomaly.Held, anomaly.R6Outlier, true, false},
	} {
		policy.ReportOnly = policy.Rules
		if policy.Pays(anomaly.Verdict{State: c.state, Rule: c.rule}) != c.watched {
			t.Errorf("%s %s while watching", c.state, c.rule)
		}
		policy.ReportOnly = nil
		if policy.Pays(anomaly.Verdict{State: c.state, Rule: c.rule}) != c.strict {
			t.Errorf("%s %s", c.state, c.rule)
		}
	}
}

// Each rule is applied, only tells, or is not there; what only tells hides nothing from those that are applied.
func TestRuleByRule(t *testing.T) {
	t.Parallel()
	// Two plays at once, then stubs for three days without a night.
	plays := append([]anomaly.Play{play(0), play(1, of("bob", "x"))}, each(row(26*4, 300, 3600*7/10, heard(31, 211)))...)
	all := anomaly.V1().Rules
	for _, c := range []struct {
		name        string
		rules, only []anomaly.Rule
		want        map[string]int
	}{
		{"all applied", all, nil, map[string]int{"dropped R1": 1, "held R4": 105}},
		{"R4 only tells, and R5 holds what it can", all, []anomaly.Rule{anomaly.R4Sleepless}, map[string]int{"dropped R1": 1, "held R4": 1, "held R5": 104}},
		{"R5 only tells", all, []anomaly.Rule{anomaly.R5Stubs}, map[string]int{"dropped R1": 1, "held R4": 105}},
		{"R1 only tells, and R4 holds its play too", all, []anomaly.Rule{anomaly.R1Overlap}, map[string]int{"held R4": 106}},
		{"without R1 and R4", []anomaly.Rule{anomaly.R0Short, anomaly.R5Stubs}, nil, map[string]int{"held R5": 105, "counted": 1}},
		{"none", nil, nil, map[string]int{"counted": 106}},
	} {
		policy := anomaly.V1()
		policy.Rules, policy.ReportOnly, policy.ManyPlays = c.rules, c.only, 30
		verdicts, err := anomaly.Judge(policy, plays, anomaly.Facts{})
		if err != nil {
			t.Fatal(err)
		}
		if got := marks(verdicts); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]anomaly.Play{
		"no listener": play(0, func(p *anomaly.Play) { p.Listener = "" }), "negative": play(0, heard(-1, 10)), "no start": {Listener: lin, Artist: ada, Track: rain},
		"endless": play(0, heard(1, 1<<40)),
	} {
		if _, err := anomaly.Judge(anomaly.V1(), []anomaly.Play{p}, anomaly.Facts{}); err == nil {
			t.Errorf("%s was judged", name)
		}
	}
	if _, err := anomaly.JudgeListener(anomaly.V1(), []anomaly.Play{play(0), play(9, by("bob"))}); err == nil {
		t.Error("two listeners were judged as one")
	}
	bad := anomaly.V1()
	bad.HourLength = 0
	if _, err := anomaly.Judge(bad, nil, anomaly.Facts{}); err == nil {
		t.Error("a policy without an hour was applied")
	}
}
