package contracttest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Bench is an empty ledger to be tried.
type Bench struct {
	contract.Backend
	// SetTime sets the time that the next transactions have, as State.Time tells it. It only ever goes forward.
	SetTime func(time.Time)
	// Caller is who submits, as State.Caller tells it; the story has one caller speak for all nodes.
	Caller string
}

// The instances of the story: alpha and beta are a cluster, the others are strangers to them and to each other.
const (
	Alpha = "alpha.example"
	Beta  = "beta.example"
)

func hosts() []string {
	return []string{Alpha, Beta, "delta.example", "gamma.example", "omega.example", "sigma.example"}
}

// Nodes are the story's instances, for all of which caller speaks.
func Nodes(caller string) []contract.Node {
	var out []contract.Node
	for _, host := range hosts() {
		n := contract.Node{Host: host, Caller: caller, Owner: contract.Digest("owner", "https://"+host+"/about")}
		if host == Alpha || host == Beta {
			n.Cluster = "choir"
		}
		out = append(out, n)
	}
	return out
}

// October is the month of the story.
const October royalty.Month = "2026-10"

// story tells it to a ledger.
type story struct {
	t *testing.T
	Bench
}

func (s story) at(text string) {
	s.t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		s.t.Fatal(err)
	}
	s.SetTime(at)
}

func (s story) do(c contract.Command) {
	s.t.Helper()
	if err := s.Submit(s.t.Context(), c); err != nil {
		function, args, _ := contract.Encode(c)
		s.t.Fatalf("%s %.400s: %v", function, args, err)
	}
}

func (s story) refused(want error, c contract.Command) {
	s.t.Helper()
	if err := s.Submit(s.t.Context(), c); !errors.Is(err, want) {
		s.t.Errorf("%T: %v, want %v", c, err, want)
	}
}

// Run holds a ledger to the contract; open returns an empty one at each call. It makes fewer than seventy transactions.
func Run(t *testing.T, open func(t *testing.T) Bench) {
	t.Helper()
	s := story{t, open(t)}
	s.orders()
	s.found()
	alpha, beta, honest := s.october()
	s.dispute(beta, honest)
	s.settle(alpha, honest)
	s.lapse()
	s.compare()
	s.together()
}

// orders are payments for orders, as they always were.
func (s story) orders() {
	s.at("2026-10-02T08:00:00Z")
	p := contract.Payment{
		Order: "https://alpha.example/agreements/1", Payee: "https://alpha.example/users/ada", Amount: Tokens(s.t, 5_000_000),
		Provider: "raiden", PaymentHash: Hash(1),
	}
	s.do(p)
	s.refused(contract.ErrDuplicate, p)
	r := contract.Refund{Order: p.Order, Payee: p.Payee, Amount: p.Amount, Provider: p.Provider, PaymentHash: p.PaymentHash}
	s.do(r)
	s.refused(contract.ErrDuplicate, r)
}

// found sets up the policy and the nodes.
func (s story) found() {
	s.refused(contract.ErrCaller, Nodes(s.Caller)[0])
	s.do(contract.DefaultPolicy(October))
	s.refused(contract.ErrChain, contract.DefaultPolicy(October))
	for _, n := range Nodes(s.Caller) {
		s.do(n)
	}
}

// october is the worked month on alpha, and on beta the month that is disputed; honest is beta's as it should have been.
func (s story) october() (alpha, beta, honest Books) {
	alpha = Keep(s.t, Alpha, October, 1, []string{"L1", "L2", "L3"},
		Heard{"L1", "a", 50}, Heard{"L1", "b", 30}, Heard{"L1", "c", 20}, Heard{"L2", "b", 10}, Heard{"L2", "d", 5}, Heard{"L3", "c", 1})
	beta = Keep(s.t, Beta, October, 1, []string{"L4"}, Heard{"L4", "a", 41}, Heard{"L4", "b", 17}, Heard{"L4", "c", 9}, Heard{"L4", "z", 400})
	honest = Keep(s.t, Beta, October, 1, []string{"L4"}, Heard{"L4", "a", 41}, Heard{"L4", "b", 17}, Heard{"L4", "c", 9})
	s.at("2026-10-05T09:00:00Z")
	s.do(alpha.Paid(s.t, 10, "L1", "L2", "L3", "gone"))
	s.do(beta.Paid(s.t, 20, "L4"))
	// The second line of a batch was recorded before: nothing of the batch is, and the error says which line.
	double := beta.Paid(s.t, 30, "L5", "L4")
	s.refused(contract.ErrDuplicate, double)
	line := (*contract.LineError)(nil)
	if err := s.Submit(s.t.Context(), double); err == nil || !errors.As(err, &line) && !strings.Contains(err.Error(), "line 1") {
		s.t.Errorf("duplicate in line 1: %v", err)
	}
	// Twice in one batch: what the batch itself writes is not committed yet.
	s.refused(contract.ErrDuplicate, beta.Paid(s.t, 40, "L6", "L6"))
	gone := contract.Chargeback{Node: Alpha, Month: October, Pseudonym: Pseudonym(Alpha, October, "gone"), PaymentHash: Hash(13)}
	s.do(gone)
	s.refused(contract.ErrDuplicate, gone)

	s.at("2026-11-01T02:00:00Z")
	for _, b := range []Books{alpha, beta} {
		s.do(b.EmptyDay())
		s.do(b.Day)
		s.refused(contract.ErrDuplicate, b.Day)
		s.refused(contract.ErrEarly, b.Report)
	}
	s.at("2026-11-04T12:00:00Z")
	wrong := alpha.Report
	wrong.CarryOut++
	s.refused(contract.ErrSum, wrong)
	s.do(alpha.Report)
	s.refused(contract.ErrDuplicate, alpha.Report)
	s.do(beta.Report)
	return alpha, beta, honest
}

// dispute is the worked one: the reporter keeps to what it said, the two others agree on another root.
func (s story) dispute(beta, honest Books) {
	s.at("2026-11-06T10:00:00Z")
	open := contract.OpenDispute{
		Node: Beta, Month: October, Artist: Artist("z"), Reason: "plays", Opener: contract.Digest("opener", "https://gamma.example/users/mo"),
		OpenerNode: "gamma.example", Root: Hash(77), RootAt: time.Date(2026, 11, 6, 9, 30, 0, 0, time.UTC),
	}
	s.do(open)
	s.refused(contract.ErrDuplicate, open)
	id := contract.DisputeID(October, Beta, Artist("z"))
	d, err := contract.DisputeAt(s.t.Context(), s, id)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(d.Eyes) != 2 || d.Eyes[0] != Alpha || d.Eyes[1] == Beta || d.Eyes[1] == "gamma.example" || d.Slice != 7_708_779 {
		s.t.Fatalf("opened: %+v", d)
	}
	vote := contract.Vote{Dispute: id, Node: Alpha, Verdict: contract.Remove, Root: honest.Report.SplitsRoot, Delta: Delta(beta, honest), Evidence: []string{Hash(78)}}
	s.refused(contract.ErrState, vote)
	s.do(contract.Evidence{Dispute: id, Roots: []string{Hash(78)}})
	s.do(contract.Vote{Dispute: id, Node: Beta, Verdict: contract.Keep, Root: beta.Report.SplitsRoot})
	s.do(vote)
	s.refused(contract.ErrDuplicate, vote)
	vote.Node = "gamma.example"
	s.refused(contract.ErrCaller, vote)
	vote.Node = d.Eyes[1]
	s.do(vote)
	s.refused(contract.ErrEarly, contract.CloseDispute{Dispute: id, Node: Alpha})
	s.at("2026-11-12T10:00:00Z")
	s.do(contract.CloseDispute{Dispute: id, Node: Alpha})
}

// settle is the end of the month: final statements, payouts, and a correction.
func (s story) settle(alpha, honest Books) {
	s.refused(contract.ErrEarly, alpha.Final())
	s.at("2026-11-24T09:00:00Z")
	s.do(alpha.Final())
	final := honest.Final()
	final.DaysRoot, final.Listeners = betaDays(s), 1
	s.do(final)
	s.at("2026-11-25T09:00:00Z")
	pay := alpha.Payouts(s.t)
	more := alpha.Payouts(s.t)
	more.Lines[3].Micro++
	s.refused(contract.ErrOverdrawn, more)
	s.do(pay)
	s.refused(contract.ErrDuplicate, pay)
	s.at("2026-12-03T09:00:00Z")
	entries := []contract.ArtistTotal{{Artist: Artist("a"), Micro: -250_000}, {Artist: Artist("b"), Micro: 250_000}}
	if entries[0].Artist > entries[1].Artist {
		entries[0], entries[1] = entries[1], entries[0]
	}
	mend := contract.Correction{Node: Beta, ID: "2026-12-1", Month: October, About: contract.AboutMistake, Entries: entries}
	s.do(mend)
	s.refused(contract.ErrDuplicate, mend)
	due, err := contract.Due(s.t.Context(), s, Beta, Artist("b"))
	if err != nil || due != 2_283_582+250_000 {
		s.t.Errorf("beta owes b %s, %v", due, err)
	}
}

// lapse is what becomes, two years later, of what beta owes to a, b and c, who have not said where to be paid.
func (s story) lapse() {
	line := func(artist string, micro royalty.Micro) contract.Lapse {
		return contract.Lapse{Node: Beta, Month: October, Lines: []contract.Lapsing{{Artist: Artist(artist), Micro: micro}}}
	}
	s.at("2028-11-24T23:59:59Z")
	s.refused(contract.ErrEarly, line("a", 1))
	// c is paid one day before, by a statement that was never paid on.
	s.do(contract.Payouts{Node: Beta, Month: October, Lines: []contract.Payout{{
		Artist: Artist("c"), Micro: 1_208_955, Sent: Tokens(s.t, 1_208_955), Provider: "manual", Ref: "list-25",
	}}})
	s.at("2028-11-25T00:00:00Z")
	s.refused(contract.ErrOverdrawn, line("c", 1))
	s.refused(contract.ErrOverdrawn, line("a", 5_257_464))
	// The quarter that b got by a correction is kept for a month longer.
	s.refused(contract.ErrEarly, line("b", 2_283_583))
	both := line("a", 5_257_463)
	both.Lines = append(both.Lines, line("b", 2_283_582).Lines...)
	s.do(both)
	s.refused(contract.ErrDuplicate, both)
	carry, err := contract.CarriedInto(s.t.Context(), s, Beta)
	if err != nil || carry != 7_541_045 {
		s.t.Errorf("beta carries %s, %v", carry, err)
	}
	// a had said where to be paid after all, and gets it back out of the fund before that is divided.
	mend := contract.Correction{
		Node: Beta, ID: "2028-11-1", Month: October, In: "2028-11", About: contract.AboutMistake, Carry: -5_257_463,
		Entries: []contract.ArtistTotal{{Artist: Artist("a"), Micro: 5_257_463}},
	}
	wrong := mend
	wrong.Carry--
	s.refused(contract.ErrSum, wrong)
	s.do(mend)

	// The fund is divided in the next month that beta reports, two to one as what was heard in it.
	november := Keep(s.t, Beta, "2028-11", 1, []string{"L4"}, Heard{"L4", "a", 2}, Heard{"L4", "d", 1})
	s.do(november.Paid(s.t, 60, "L4"))
	s.at("2028-12-04T09:00:00Z")
	november.Report.DaysRoot = contract.Root(royalty.Tree{})
	s.refused(contract.ErrSum, november.Report)
	november.Report.CarryIn = 2_283_582
	november.Report.Totals(map[string]royalty.Micro{Artist("a"): 7_522_388, Artist("d"): 3_761_194})
	s.do(november.Report)
	later := line("b", 1)
	s.refused(contract.ErrChain, later)
	s.at("2028-12-25T09:00:00Z")
	s.do(november.Final())
	later.Month = "2028-11"
	later.Lines[0].Micro = 250_000
	s.do(later)
	for artist, want := range map[string]royalty.Micro{"a": 12_779_851, "b": 0, "c": 0, "d": 3_761_194} {
		if due, err := contract.Due(s.t.Context(), s, Beta, Artist(artist)); err != nil || due != want {
			s.t.Errorf("beta owes %s %s, %v", artist, due, err)
		}
	}
}

// betaDays is the root of beta's days as it was reported.
func betaDays(s story) string {
	m, _, err := contract.Reported(s.t.Context(), s, October, Beta)
	if err != nil {
		s.t.Fatal(err)
	}
	return m.DaysRoot
}

//go:embed testdata/state.golden
var goldenState string

//go:embed testdata/events.golden
var goldenEvents string

// compare holds everything that the story wrote against the golden files. ANTIPHON_UPDATE=1 writes them.
func (s story) compare() {
	s.t.Helper()
	var state, events strings.Builder
	last := ""
	err := s.Range(s.t.Context(), "!", "~", func(key, value string) error {
		if key <= last {
			s.t.Errorf("key %s comes after %s", key, last)
		}
		last = key
		if got, found, err := s.Get(s.t.Context(), key); err != nil || !found || got != value {
			s.t.Errorf("get %s: %q, %t, %v", key, got, found, err)
		}
		fmt.Fprintf(&state, "%s %s\n", key, s.anonymous(value))
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ids := map[string]bool{}
	err = s.Events(s.t.Context(), func(e contract.Event) error {
		if e.TxID == "" || ids[e.TxID] {
			s.t.Errorf("event %s of transaction %q", e.Name, e.TxID)
		}
		ids[e.TxID] = true
		fmt.Fprintf(&events, "%s %s\n", e.Name, e.Payload)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.golden("state.golden", state.String(), goldenState)
	s.golden("events.golden", events.String(), goldenEvents)
	if _, found, err := s.Get(s.t.Context(), "never/written"); err != nil || found {
		s.t.Errorf("what was never written: %t, %v", found, err)
	}
	stop := errors.New("stop")
	n := 0
	err = s.Range(s.t.Context(), "node/", "node0", func(string, string) error {
		n++
		return stop
	})
	if !errors.Is(err, stop) || n != 1 {
		s.t.Errorf("range stopped after %d, %v", n, err)
	}
}

// anonymous leaves out who the caller is, which differs from ledger to ledger.
func (s story) anonymous(value string) string {
	if value == s.Caller {
		return "CALLER"
	}
	return strings.ReplaceAll(value, `"caller":"`+s.Caller+`"`, `"caller":"CALLER"`)
}

func (s story) golden(name, got, want string) {
	s.t.Helper()
	if os.Getenv("ANTIPHON_UPDATE") != "" {
		if err := os.WriteFile(filepath.Join("testdata", name), []byte(got), 0o600); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "", ""
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			s.t.Errorf("%s, line %d:\n%s\nwant\n%s", name, i+1, a, b)
			return
		}
	}
}

// together submits from several sides at once, one payment twice: each is recorded once.
func (s story) together() {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	s.at("2029-01-05T09:00:00Z")
	b := Books{Node: Alpha, Month: "2029-01"}
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range 8 {
		c := b.Paid(s.t, 100+i/2, fmt.Sprint("M", i/2))
		wg.Go(func() {
			err := s.Submit(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else if !errors.Is(err, contract.ErrDuplicate) {
				s.t.Errorf("together: %v", err)
			}
		})
	}
	wg.Wait()
	n, err := contract.Payments(ctx, s, b.Month, Alpha)
	if err != nil || n != 4 || done != 4 {
		s.t.Errorf("%d recorded, %d on the ledger, %v", done, n, err)
	}
}
