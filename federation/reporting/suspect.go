package reporting

import (
	"context"
	"encoding/hex"
	"fmt"

	"antiphon/media/listen"
	"antiphon/payments/anomaly"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// Suspects says what the rules that look at many listeners have to say of a month.
type Suspects struct {
	Listens  *listen.Service
	Members  report.Members
	Policies Policies
	// Facts are what is known of the payments of a month, for these listeners and artists; Paid need not have who is not
	// known.
	Facts func(ctx context.Context, month royalty.Month, listeners, artists []string) (anomaly.Facts, error)
}

// Suspect is [report.Parts].Suspect: R7 and R8 over the plays of the month of all who have paid. R6 is judged day by day,
// when the lines are made. It holds one listener's month in memory, and a line for each artist.
func (s Suspects) Suspect(ctx context.Context, month royalty.Month, yield func(report.Suspicion) error) error {
	of, err := s.Policies(ctx, month)
	if err != nil {
		return fmt.Errorf("policy of %s: %w", month, err)
	}
	policy := report.Rules(of)
	if !policy.Applies(anomaly.R7Cluster) && !policy.Applies(anomaly.R8Dealing) {
		return nil
	}
	var dropping []string
	for _, rule := range policy.Rules {
		if !policy.Tells(rule) {
			dropping = append(dropping, string(rule))
		}
	}
	tastes := s.Listens.Tastes()
	plays := func(listener string) ([]listen.Play, error) {
		return tastes.Plays(ctx, listener, month.Start(), month.Next().Start(), dropping)
	}
	crowd, err := anomaly.NewCrowd(policy)
	if err != nil {
		return err
	}
	err = s.Members.Members(ctx, month, func(listener string) error {
		heard, err := plays(listener)
		if err != nil {
			return err
		}
		typed := make([]anomaly.Play, len(heard))
		for i, p := range heard {
			typed[i] = playOf(p)
		}
		return crowd.Add(typed)
	})
	if err != nil {
		return err
	}
	listeners, artists := crowd.Asked()
	facts, err := s.Facts(ctx, month, listeners, artists)
	if err != nil {
		return fmt.Errorf("payments of %s: %w", month, err)
	}
	for _, x := range crowd.Suspects(facts) {
		heard, err := plays(x.Listener)
		if err != nil {
			return err
		}
		// Whoever shares a track has a part in what is suspected, or could take what is removed.
		told := map[string]bool{}
		for _, p := range heard {
			if p.Artist != x.Artist {
				continue
			}
			credited, err := tastes.Artists(ctx, p)
			if err != nil {
				return err
			}
			for _, artist := range credited {
				if told[artist] {
					continue
				}
				told[artist] = true
				if err := yield(report.Suspicion{Listener: x.Listener, Artist: artist, Rule: string(x.Rule), Evidence: hex.EncodeToString(x.Evidence[:])}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
