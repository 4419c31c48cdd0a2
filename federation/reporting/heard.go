package reporting

import (
	"context"
	"encoding/hex"
	"time"

	"antiphon/media/listen"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// Heard gives what members have heard, as media/listen has it, to those who divide the money.
func Heard(l *listen.Service) report.ListenSource { return heard{l} }

type heard struct{ listens *listen.Service }

// Lines implements [report.ListenSource].
func (s heard) Lines(ctx context.Context, day time.Time, yield func(report.Heard) error) error {
	return s.listens.Lines(ctx, day, func(l listen.Line) error {
		return yield(report.Heard{
			Listener: l.Listener, Track: l.Track, Artists: shares(l), Plays: l.Plays, Seconds: l.Seconds, Dropped: l.Dropped,
			HeldPlays: l.HeldPlays, HeldSeconds: l.HeldSeconds, Rule: l.Held.Rule, Evidence: hex.EncodeToString(l.Held.Evidence),
			Note: l.Noted.Rule, NoteEvidence: hex.EncodeToString(l.Noted.Evidence),
		})
	})
}

func shares(l listen.Line) []royalty.Share {
	if len(l.Artists) == 0 {
		return []royalty.Share{{Artist: l.Artist, Points: 10_000}}
	}
	out := make([]royalty.Share, len(l.Artists))
	for i, c := range l.Artists {
		out[i] = royalty.Share{Artist: c.Artist, Points: c.Share}
	}
	return out
}
