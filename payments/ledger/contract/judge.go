package contract

import (
	"fmt"
	"slices"
	"time"
)

// Evidence is what the reporting node hands in for a dispute, within 72 hours: the roots of the lines, proofs and payment
// matches that the eyes are given to look at. The things themselves do not go on the ledger.
type Evidence struct {
	Dispute string   `json:"dispute"`
	Roots   []string `json:"roots"`
}

// Call implements [Command].
func (e Evidence) Call() (string, any, error) { return giveEvidence, e, nil }

const (
	giveEvidence  = "give_evidence"
	castVote      = "vote"
	closeDispute  = "close_dispute"
	appealDispute = "appeal"
)

// maxRoots is how many roots evidence has: the days of a month, and a few.
const maxRoots = 64

func checkRoots(roots []string) error {
	if len(roots) > maxRoots {
		return fmt.Errorf("%w: %d roots of evidence", ErrInvalid, len(roots))
	}
	for _, r := range roots {
		if !hexHash.MatchString(r) {
			return fmt.Errorf("%w: want roots of 64 hexadecimal digits", ErrInvalid)
		}
	}
	return nil
}

func (e Evidence) run(s State) error {
	d, err := disputeOf(s, e.Dispute)
	if err != nil {
		return err
	}
	if _, err := authorize(s, d.Node); err != nil {
		return err
	}
	if err := checkRoots(e.Roots); err != nil {
		return err
	}
	now := s.Time()
	switch {
	case len(e.Roots) == 0:
		return fmt.Errorf("%w: no roots of evidence", ErrInvalid)
	case d.State != Opened:
		return fmt.Errorf("%w: it is %s, and evidence comes first", ErrState, d.State)
	case !now.Before(d.Deadline):
		return fmt.Errorf("%w: evidence was due by %s", ErrLate, d.Deadline)
	}
	d.State, d.Evidence, d.Deadline = InProof, e.Roots, now.Add(voteTime)
	return d.save(s, giveEvidence)
}

// Vote is what one of the three eyes says, or one of the two of an appeal. It counts with an own recomputation only: keep
// comes with the root that was reported, anything else with another one.
type Vote struct {
	Dispute string  `json:"dispute"`
	Node    string  `json:"node"`
	Verdict Verdict `json:"verdict"`
	// Root is the root of the splits as this node has recomputed them.
	Root string `json:"root"`
	// Delta is what that changes for each artist, in the order of their hashes; it adds up to nothing.
	Delta []ArtistTotal `json:"delta"`
	// Evidence are the roots of what it was recomputed from: those that were handed in, or none when the node has it
	// from elsewhere. Together with the reporter alone, only a recomputation from what was handed in counts.
	Evidence []string `json:"evidence"`
}

// Call implements [Command].
func (v Vote) Call() (string, any, error) { return castVote, v, nil }

// VotePrefix is where the votes of a dispute stand on the ledger, each under the host of its node: those of the first
// round, or those of the appeal.
func VotePrefix(id string, appeal bool) string {
	if appeal {
		return "vote/" + id + "/appeal/"
	}
	return "vote/" + id + "/first/"
}

func (v Vote) check(d *Dispute) error {
	if v.Verdict != Keep && v.Verdict != Remove && v.Verdict != Correct {
		return fmt.Errorf("%w: verdict %.20q", ErrInvalid, v.Verdict)
	}
	if !hexHash.MatchString(v.Root) || (v.Verdict == Keep) != (v.Root == d.SplitsRoot) {
		return fmt.Errorf("%w: to %s does not go with root %.70s", ErrInvalid, v.Verdict, v.Root)
	}
	if err := checkRoots(v.Evidence); err != nil {
		return err
	}
	if len(v.Evidence) > 0 && !slices.Equal(v.Evidence, d.Evidence) {
		return fmt.Errorf("%w: other evidence was handed in", ErrInvalid)
	}
	if len(v.Delta) > MaxLines || (v.Verdict == Keep) != (len(v.Delta) == 0) {
		return fmt.Errorf("%w: to %s with %d changes", ErrInvalid, v.Verdict, len(v.Delta))
	}
	sum, err := sumOf(v.Delta, -MaxMicro)
	if err == nil && sum != 0 {
		err = fmt.Errorf("%w: changes add up to %s", ErrSum, sum)
	}
	return err
}

func (v Vote) run(s State) error {
	d, err := disputeOf(s, v.Dispute)
	if err != nil {
		return err
	}
	n, err := authorize(s, v.Node)
	if err != nil {
		return err
	}
	appeal := d.State == Appealed
	switch {
	case d.State != InProof && d.State != InVotes && d.State != Withheld && !appeal:
		return fmt.Errorf("%w: it is %s, and nobody votes", ErrState, d.State)
	case n.Suspended:
		return fmt.Errorf("%w: %s is suspended", ErrCaller, v.Node)
	case appeal && !slices.Contains(d.AppealEyes, v.Node), !appeal && v.Node != d.Node && !slices.Contains(d.Eyes, v.Node):
		return fmt.Errorf("%w: %s was not drawn", ErrCaller, v.Node)
	case appeal && !s.Time().Before(d.Deadline):
		return fmt.Errorf("%w: the appeal ended on %s", ErrLate, d.Deadline)
	}
	if err := v.check(d); err != nil {
		return err
	}
	votes, err := votesOf(s, d.ID, appeal)
	if err != nil {
		return err
	}
	if _, twice := votes[v.Node]; twice {
		return fmt.Errorf("%w: the vote of %s", ErrDuplicate, v.Node)
	}
	votes[v.Node] = v
	if err := put(s, VotePrefix(d.ID, appeal)+v.Node, v); err != nil {
		return err
	}
	if appeal {
		err = d.hearAppeal(s, votes)
	} else {
		err = d.hear(s, votes)
	}
	if err != nil {
		return err
	}
	return d.save(s, castVote)
}

func votesOf(s State, id string, appeal bool) (map[string]Vote, error) {
	votes := map[string]Vote{}
	start, end := under(VotePrefix(id, appeal))
	err := s.Range(start, end, func(_, value string) error {
		v, err := read[Vote]([]byte(value))
		votes[v.Node] = v
		return err
	})
	return votes, err
}

// agreed is the first pair of nodes with the same verdict and the same root.
func agreed(votes map[string]Vote, nodes []string) (a, b Vote, ok bool) {
	for i, x := range nodes {
		for _, y := range nodes[i+1:] {
			a, hasA := votes[x]
			b, hasB := votes[y]
			if hasA && hasB && a.Verdict == b.Verdict && a.Root == b.Root {
				return a, b, true
			}
		}
	}
	return Vote{}, Vote{}, false
}

// hear rules when two eyes agree that are no party, and draws a third when the first two differ.
func (d *Dispute) hear(s State, votes map[string]Vote) error {
	if d.State == InProof {
		d.State = InVotes
	}
	if a, b, ok := agreed(votes, d.Eyes); ok {
		d.rule(s, a, b)
		return nil
	}
	if len(d.Eyes) != 2 {
		return nil
	}
	for _, eye := range d.Eyes {
		if _, voted := votes[eye]; !voted {
			return nil
		}
	}
	third, found, err := d.draw(s, d.Root, false)
	if err != nil || !found {
		return err
	}
	d.Eyes, d.Deadline = append(d.Eyes, third), s.Time().Add(voteTime)
	return nil
}

func (d *Dispute) rule(s State, votes ...Vote) {
	r := &Ruling{Verdict: votes[0].Verdict, Root: votes[0].Root, By: []string{}, At: s.Time()}
	for _, v := range votes {
		r.By = append(r.By, v.Node)
	}
	d.State, d.Ruling, d.Deadline = Ruled, r, s.Time().Add(appealTime)
}

func (d *Dispute) hearAppeal(s State, votes map[string]Vote) error {
	a, b, ok := agreed(votes, d.AppealEyes)
	switch {
	case ok:
		d.rule(s, a, b)
		return d.finish(s)
	case len(votes) == len(d.AppealEyes):
		return d.finish(s) // they differ: the ruling stands
	}
	return nil
}

// CloseDispute takes a dispute to where time alone has brought it; anybody who speaks for a node may say so. Without
// evidence in time the slice is removed. After the time for votes the reporter's vote and one eye's are enough, if that
// one has recomputed from what was handed in and nobody else has voted otherwise. What is undecided when the month is
// settled is withheld, and removed two months later. A ruling becomes final when the time for an appeal is over.
type CloseDispute struct {
	Dispute string `json:"dispute"`
	// Node is who says so.
	Node string `json:"node"`
}

// Call implements [Command].
func (c CloseDispute) Call() (string, any, error) { return closeDispute, c, nil }

func (c CloseDispute) run(s State) error {
	d, err := disputeOf(s, c.Dispute)
	if err != nil {
		return err
	}
	if _, err := authorize(s, c.Node); err != nil {
		return err
	}
	now := s.Time()
	if d.State == Final {
		return fmt.Errorf("%w: it is final", ErrState)
	}
	if d.State != Withheld && now.Before(d.Deadline) {
		return fmt.Errorf("%w: it is %s until %s", ErrEarly, d.State, d.Deadline)
	}
	switch d.State {
	case Opened:
		d.Ruling = &Ruling{Verdict: Remove, By: []string{}, At: now}
		d.State, d.Deadline = Ruled, now.Add(appealTime)
	case InProof, InVotes, Withheld:
		err = d.closeVotes(s, now)
	case Ruled, Appealed:
		err = d.finish(s)
	}
	if err != nil {
		return err
	}
	return d.save(s, closeDispute)
}

func (d *Dispute) closeVotes(s State, now time.Time) error {
	votes, err := votesOf(s, d.ID, false)
	if err != nil {
		return err
	}
	if own, said := votes[d.Node]; said && len(votes) == 2 {
		for _, v := range votes {
			if v.Node != d.Node && v.Verdict == own.Verdict && v.Root == own.Root && len(v.Evidence) > 0 {
				d.rule(s, own, v)
				return nil
			}
		}
	}
	switch withheldUntil := d.Settled.AddDate(0, withheldMonths, 0); {
	case d.State != Withheld && now.Before(d.Settled):
		return fmt.Errorf("%w: votes are waited for until %s", ErrEarly, d.Settled)
	case d.State != Withheld:
		d.State = Withheld
		return nil
	case now.Before(withheldUntil):
		return fmt.Errorf("%w: the slice is withheld until %s", ErrEarly, withheldUntil)
	}
	d.Ruling = &Ruling{Verdict: Remove, By: []string{}, At: now}
	return d.finish(s)
}

// Appeal asks two new nodes from outside, drawn with a new checkpoint's root. A party may, the reporting node or the
// opener's; the appeal is decided within five days of the ruling, and where its eyes differ or are silent the ruling
// stands.
type Appeal struct {
	Dispute string `json:"dispute"`
	// Node is the party.
	Node   string    `json:"node"`
	Root   string    `json:"root"`
	RootAt time.Time `json:"rootAt"`
}

// Call implements [Command].
func (a Appeal) Call() (string, any, error) { return appealDispute, a, nil }

func (a Appeal) run(s State) error {
	d, err := disputeOf(s, a.Dispute)
	if err != nil {
		return err
	}
	if a.Node != d.Node && a.Node != d.OpenerNode {
		return fmt.Errorf("%w: %.100s is no party", ErrCaller, a.Node)
	}
	reporter, err := nodeOf(s, d.Node)
	if err != nil {
		return err
	}
	if err := speaksFor(s, a.Node, reporter); err != nil {
		return err
	}
	now := s.Time()
	switch {
	case !hexHash.MatchString(a.Root):
		return fmt.Errorf("%w: want a root of 64 hexadecimal digits", ErrInvalid)
	case d.State != Ruled:
		return fmt.Errorf("%w: it is %s, and a ruling is appealed", ErrState, d.State)
	case !now.Before(d.Deadline):
		return fmt.Errorf("%w: it could be appealed until %s", ErrLate, d.Deadline)
	}
	if err := fresh(a.RootAt, now); err != nil {
		return err
	}
	for range 2 {
		host, found, err := d.draw(s, a.Root, false)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: there are no two nodes that have not judged", ErrUnknown)
		}
		d.AppealEyes = append(d.AppealEyes, host)
	}
	d.State = Appealed
	return d.save(s, appealDispute)
}
