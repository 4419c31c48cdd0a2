package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"antiphon/payments/royalty"
)

// DisputeState is where a dispute is:
//
//	opened ─ evidence ─▶ evidence ─ vote ─▶ votes ─ two agree ─▶ ruled ─ five days ─▶ final
//	   │ silence for 72 h                     │ nobody by the 24th    │ appeal              ▲
//	   └────────────▶ ruled                   └──▶ withheld ──▶ ruled └──▶ appeal ──────────┤
//	                                                  └── two months: remove ───────────────┘
type DisputeState string

// The states. Withheld is one in which votes still count.
const (
	Opened   DisputeState = "opened"
	InProof  DisputeState = "evidence"
	InVotes  DisputeState = "votes"
	Ruled    DisputeState = "ruled"
	Appealed DisputeState = "appeal"
	Withheld DisputeState = "withheld"
	Final    DisputeState = "final"
)

// Verdict is what is to be done with a slice.
type Verdict string

// The verdicts.
const (
	Keep    Verdict = "keep"
	Remove  Verdict = "remove"
	Correct Verdict = "correct"
)

// How long each step of a dispute may take.
const (
	evidenceTime   = 72 * time.Hour
	voteTime       = 72 * time.Hour
	appealTime     = 5 * 24 * time.Hour
	freshRoot      = time.Hour
	lostWithin     = 90 * 24 * time.Hour
	barredFor      = 30 * 24 * time.Hour
	lostAllowed    = 3
	withheldMonths = 2
)

// Dispute is a doubt about one artist's slice of a node's month, as it stands on the ledger under DisputeKey.
type Dispute struct {
	ID     string        `json:"id"`
	Node   string        `json:"node"`
	Month  royalty.Month `json:"month"`
	Artist string        `json:"artist"`
	Reason string        `json:"reason"`
	// Opener is Digest("opener", actor URI), OpenerNode the host of that actor.
	Opener     string `json:"opener"`
	OpenerNode string `json:"openerNode"`
	// Root is that of the checkpoint that the eyes were drawn with.
	Root string `json:"root"`
	// Slice is what the report gives the artist, and SplitsRoot its root.
	Slice      royalty.Micro `json:"slice"`
	SplitsRoot string        `json:"splitsRoot"`
	State      DisputeState  `json:"state"`
	Opened     time.Time     `json:"opened"`
	// Eyes are drawn: a peer of the cluster and a node outside of it, or two outside; and a third when these differ.
	Eyes []string `json:"eyes"`
	// Deadline is the end of the step that the dispute is in.
	Deadline time.Time `json:"deadline"`
	// Settled is when what is not ruled on is withheld.
	Settled time.Time `json:"settled"`
	// Evidence are the roots of what the reporter has handed in.
	Evidence   []string `json:"evidence"`
	Ruling     *Ruling  `json:"ruling,omitempty"`
	AppealEyes []string `json:"appealEyes"`
}

// Ruling is what came out.
type Ruling struct {
	Verdict Verdict `json:"verdict"`
	// Root is the root of the splits as they were recomputed; empty when there was no evidence to recompute from.
	Root string `json:"root"`
	// By are the nodes whose votes agree, or nobody when silence or time has decided.
	By []string  `json:"by"`
	At time.Time `json:"at"`
}

// DisputeID is SHA-256("dispute1|" month "|" node "|" artist): a slice is disputed once, and nobody can choose an id that
// draws the eyes that suit.
func DisputeID(month royalty.Month, node, artist string) string {
	sum := sha256.Sum256([]byte("dispute1|" + string(month) + "|" + node + "|" + artist))
	return hex.EncodeToString(sum[:])
}

// DisputeKey is where a dispute stands on the ledger.
func DisputeKey(id string) string { return "dispute/" + id }

func disputesPrefix(month royalty.Month, node string) string {
	return "disputes/" + string(month) + "/" + node + "/"
}

func disputeOf(s State, id string) (*Dispute, error) {
	if !hexHash.MatchString(id) {
		return nil, fmt.Errorf("%w: dispute %.70q", ErrInvalid, id)
	}
	d, found, err := get[Dispute](s, DisputeKey(id))
	if err == nil && !found {
		err = fmt.Errorf("%w: dispute %s", ErrUnknown, id)
	}
	return &d, err
}

// save writes the dispute and tells of it.
func (d *Dispute) save(s State, function string) error {
	if err := put(s, DisputeKey(d.ID), d); err != nil {
		return err
	}
	return emit(s, function, notice{Node: d.Node, Month: d.Month, Dispute: d.ID, State: string(d.State)})
}

// OpenDispute doubts an artist's slice of a month's report, from the fifth to the twelfth of the next month. It is said
// by the opener's node, or by the reporting node in the name of somebody whose node the ledger does not know.
type OpenDispute struct {
	Node   string        `json:"node"`
	Month  royalty.Month `json:"month"`
	Artist string        `json:"artist"`
	// Reason is a word, such as plays, listeners or arithmetic.
	Reason     string `json:"reason"`
	Opener     string `json:"opener"`
	OpenerNode string `json:"openerNode"`
	// Root is that of the newest checkpoint at the opening, signed at RootAt, no more than an hour before.
	Root   string    `json:"root"`
	RootAt time.Time `json:"rootAt"`
	// Total proves the slice where the report has only a root.
	Total *TotalProof `json:"total,omitempty"`
}

// Call implements [Command].
func (o OpenDispute) Call() (string, any, error) { return openDispute, o, nil }

const openDispute = "open_dispute"

func (o OpenDispute) check() error {
	if !hostForm.MatchString(o.OpenerNode) || !hexHash.MatchString(o.Opener) || !nameForm.MatchString(o.Reason) || !hexHash.MatchString(o.Root) {
		return fmt.Errorf("%w: a dispute has an opener's hash and host, a word as its reason and a checkpoint's root", ErrInvalid)
	}
	return nil
}

func (o OpenDispute) run(s State) error {
	if err := o.check(); err != nil {
		return err
	}
	reporter, err := nodeOf(s, o.Node)
	if err != nil {
		return err
	}
	if err := speaksFor(s, o.OpenerNode, reporter); err != nil {
		return err
	}
	report, found, err := get[reported](s, monthKey(o.Month, o.Node))
	if err != nil {
		return err
	}
	now := s.Time()
	switch {
	case !found:
		return fmt.Errorf("%w: no report of %s by %s", ErrUnknown, o.Month, o.Node)
	case now.Before(o.Month.Next().Day(windowFrom)):
		return fmt.Errorf("%w: %s can be disputed from the fifth on", ErrEarly, o.Month)
	case !now.Before(report.Until):
		return fmt.Errorf("%w: %s could be disputed until %s", ErrLate, o.Month, report.Until)
	}
	if err := fresh(o.RootAt, now); err != nil {
		return err
	}
	if err := frivolous(s, o.Opener, now); err != nil {
		return err
	}
	d := &Dispute{
		ID: DisputeID(o.Month, o.Node, o.Artist), Node: o.Node, Month: o.Month, Artist: o.Artist, Reason: o.Reason, Opener: o.Opener,
		OpenerNode: o.OpenerNode, Root: o.Root, SplitsRoot: report.SplitsRoot, State: Opened, Opened: now, Deadline: now.Add(evidenceTime),
		Settled: report.Settled, Eyes: []string{}, Evidence: []string{}, AppealEyes: []string{},
	}
	if _, twice, err := s.Get(DisputeKey(d.ID)); err != nil {
		return err
	} else if twice {
		return fmt.Errorf("%w: dispute %s", ErrDuplicate, d.ID)
	}
	if d.Slice, err = report.total(o.Artist, o.Total); err != nil {
		return err
	}
	// A cluster of one has no peer to look: a second one from outside does.
	for _, cluster := range []bool{true, false, false} {
		if len(d.Eyes) == 2 {
			break
		}
		host, found, err := d.draw(s, d.Root, cluster)
		if err != nil {
			return err
		}
		if found {
			d.Eyes = append(d.Eyes, host)
		}
	}
	if err := s.Put(disputesPrefix(d.Month, d.Node)+d.ID, d.ID); err != nil {
		return err
	}
	return d.save(s, openDispute)
}

// speaksFor refuses a caller that is neither the host's nor, for a host that is not on the ledger, the reporter's.
func speaksFor(s State, host string, reporter Node) error {
	n, known, err := get[Node](s, nodeKey(host))
	if err != nil {
		return err
	}
	if !known {
		n = reporter
	}
	if n.Caller != s.Caller() {
		return fmt.Errorf("%w: it does not speak for %s", ErrCaller, host)
	}
	return nil
}

// fresh refuses a checkpoint from the future, and one that somebody could have waited for.
func fresh(at, now time.Time) error {
	if at.After(now) {
		return fmt.Errorf("%w: a checkpoint of %s", ErrEarly, at.UTC())
	}
	if at.Before(now.Add(-freshRoot)) {
		return fmt.Errorf("%w: a checkpoint of %s", ErrLate, at.UTC())
	}
	return nil
}

func lostPrefix(opener string) string { return "lost/" + opener + "/" }

// frivolous refuses who has lost more than three disputes within ninety days, for thirty days.
func frivolous(s State, opener string, now time.Time) error {
	var lost []time.Time
	prefix := lostPrefix(opener)
	start, end := under(prefix)
	err := s.Range(start, end, func(key, _ string) error {
		at, err := time.Parse(time.RFC3339, key[len(prefix):len(prefix)+len("2026-11-05T00:00:00Z")])
		lost = append(lost, at)
		return err
	})
	if err != nil {
		return err
	}
	for i := lostAllowed; i < len(lost); i++ {
		if lost[i].Sub(lost[i-lostAllowed]) <= lostWithin && now.Before(lost[i].Add(barredFor)) {
			return fmt.Errorf("%w: until %s", ErrFrivolous, lost[i].Add(barredFor))
		}
	}
	return nil
}

// finish makes a ruling final, and counts it against an opener who was wrong.
func (d *Dispute) finish(s State) error {
	d.State = Final
	if d.Ruling.Verdict != Keep {
		return nil
	}
	return s.Put(lostPrefix(d.Opener)+s.Time().Format(time.RFC3339)+"/"+d.ID, d.ID)
}
