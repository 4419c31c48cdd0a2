package reporting_test

import (
	"context"
	"time"

	"antiphon/media/listen"
	"antiphon/payments/anomaly"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

type heard struct{ *listen.Service }

func (s heard) Lines(ctx context.Context, day time.Time, yield func(report.Heard) error) error {
	return s.Service.Lines(ctx, day, func(l listen.Line) error {
		return yield(report.Heard{
			Listener: l.Listener, Track: l.Track, Plays: l.Plays, Seconds: l.Seconds, Dropped: l.Dropped, Artists: []royalty.Share{{Artist: l.Artist, Points: 10_000}},
		})
	})
}

type judge struct{ book *liar }

func (j judge) policy() anomaly.Policy {
	p := anomaly.V1()
	p.ReportOnly = false
	return p
}

func (j judge) Listener(plays []listen.Play) ([]listen.Mark, error) {
	typed := make([]anomaly.Play, len(plays))
	for i, p := range plays {
		typed[i] = anomaly.Play{
			Listener: p.Listener, Artist: p.Artist, Track: p.Track, Start: p.Start, Seconds: p.Seconds, Length: p.Length, Session: p.Session,
			Network: p.Network, Agent: p.Agent,
		}
	}
	verdicts, err := anomaly.JudgeListener(j.policy(), typed)
	if err != nil {
		return nil, err
	}
	marks := make([]listen.Mark, len(verdicts))
	for i, v := range verdicts {
		marks[i] = listen.Mark{State: string(v.State), Rule: string(v.Rule), Pays: j.policy().Pays(v), Policy: v.Policy, Evidence: v.Evidence[:]}
	}
	return marks, nil
}

func (j judge) Outlier(daily []int64) (listen.Mark, bool) {
	v, held := anomaly.JudgeDay(j.policy(), daily)
	return listen.Mark{State: string(v.State), Rule: string(v.Rule), Pays: j.policy().Pays(v), Policy: v.Policy, Evidence: v.Evidence[:]}, held
}

func (j judge) Many() int64 { return j.policy().OutlierPlays }
func (j judge) Days() int   { return int(j.policy().OutlierDays) }
