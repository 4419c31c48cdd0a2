package contract

import (
	"fmt"
	"slices"

	"antiphon/payments/royalty"
)

// Policy is what a federation has agreed on about listening and money. Versions count from 1 without a gap; each holds
// from a month on, and every report names the one that holds for its month. Only the operator may set one: the caller
// who set the first.
type Policy struct {
	Version int `json:"version"`
	// From is the first month that the version holds for: later than the month in which it is set, but for the first.
	From royalty.Month `json:"from"`
	// Split says how a listener's money is divided among the Top artists that the listener heard most.
	Split royalty.Rule `json:"split"`
	Top   int          `json:"top"`
	// MinSeconds is how much of a track must be heard for a play to count: 30 at least, because less is recorded nowhere.
	MinSeconds int `json:"minSeconds"`
	// DayCap is how many plays of one track by one listener count in a day. MonthCap is for those who compare listeners by
	// plays: it changes no money here, because a listener's is the same however many plays share it.
	DayCap   int `json:"dayCap"`
	MonthCap int `json:"monthCap"`
	// Rules are the names of the rules against fraud that are applied, such as "R4", in order; ReportOnly those of them
	// that only tell.
	Rules      []string `json:"rules"`
	ReportOnly []string `json:"reportOnly"`
	// CarryMonths is how long the money of a listener who hears nothing waits, UnclaimedMonths how long that of an
	// artist without a payout address is kept.
	CarryMonths     int `json:"carryMonths"`
	UnclaimedMonths int `json:"unclaimedMonths"`
	// Minimum is the least that is paid out.
	Minimum royalty.Micro `json:"minimum"`
}

// DefaultPolicy is version 1, from the given month on; its rules of suspicion only tell.
func DefaultPolicy(from royalty.Month) Policy {
	p := royalty.DefaultPolicy()
	return Policy{
		Version: p.Version, From: from, Split: p.Split, Top: p.Top, MinSeconds: 30, DayCap: 20, MonthCap: 1000,
		Rules:      []string{"R0", "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9"},
		ReportOnly: []string{"R4", "R5", "R6", "R7", "R8", "R9"}, CarryMonths: p.CarryMonths, UnclaimedMonths: 24, Minimum: p.Minimum,
	}
}

// Royalty is the part of the policy that the arithmetic of a month needs.
func (p Policy) Royalty() royalty.Policy {
	return royalty.Policy{Version: p.Version, Split: p.Split, Top: p.Top, CarryMonths: p.CarryMonths, Minimum: p.Minimum}
}

// Call implements [Command].
func (p Policy) Call() (string, any, error) { return setPolicy, p, nil }

// leastSeconds is how much of a track is heard in the shortest play of one of at least a minute.
const leastSeconds = 30

const (
	setPolicy   = "set_policy"
	operatorKey = "operator"
	policyKey   = "policy"
)

func policyVersionKey(version int) string { return fmt.Sprintf("policy/%06d", version) }

func (p Policy) check() error {
	if err := p.Royalty().Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := royalty.ParseMonth(string(p.From)); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for _, n := range []int{p.MinSeconds, p.DayCap, p.MonthCap} {
		if n < 1 || n > 1_000_000 {
			return fmt.Errorf("%w: seconds and caps of a policy are 1 to 1,000,000, not %d", ErrInvalid, n)
		}
	}
	if p.MinSeconds < leastSeconds {
		return fmt.Errorf("%w: a play of less than %d seconds is recorded nowhere, and the policy asks for %d", ErrInvalid, leastSeconds, p.MinSeconds)
	}
	if p.CarryMonths > 1200 || p.UnclaimedMonths < 0 || p.UnclaimedMonths > 1200 || p.Minimum > MaxMicro {
		return fmt.Errorf("%w: policy waits for more than a hundred years, or pays nothing out", ErrInvalid)
	}
	for _, rules := range [][]string{p.Rules, p.ReportOnly} {
		if len(rules) > 100 || !slices.IsSorted(rules) || len(slices.Compact(slices.Clone(rules))) != len(rules) {
			return fmt.Errorf("%w: rules of a policy stand in order, each once", ErrInvalid)
		}
		for _, r := range rules {
			if !ruleForm.MatchString(r) {
				return fmt.Errorf("%w: rule %.20q", ErrInvalid, r)
			}
		}
	}
	for _, r := range p.ReportOnly {
		if !slices.Contains(p.Rules, r) {
			return fmt.Errorf("%w: rule %s only tells, but is not applied", ErrInvalid, r)
		}
	}
	return nil
}

func (p Policy) run(s State) error {
	if err := p.check(); err != nil {
		return err
	}
	operator, found, err := s.Get(operatorKey)
	if err != nil {
		return err
	}
	if found && operator != s.Caller() {
		return fmt.Errorf("%w: the operator sets the policy", ErrCaller)
	}
	version, _, err := get[int](s, policyKey)
	if err != nil {
		return err
	}
	if p.Version != version+1 {
		return fmt.Errorf("%w: version %d after %d", ErrChain, p.Version, version)
	}
	if found {
		last, _, err := get[Policy](s, policyVersionKey(version))
		if err != nil {
			return err
		}
		if p.From < last.From || p.From <= royalty.MonthOf(s.Time()) {
			return fmt.Errorf("%w: a policy holds from a later month on, not from %s", ErrLate, p.From)
		}
	} else if err := s.Put(operatorKey, s.Caller()); err != nil {
		return err
	}
	if err := put(s, policyVersionKey(p.Version), p); err != nil {
		return err
	}
	if err := put(s, policyKey, p.Version); err != nil {
		return err
	}
	return emit(s, setPolicy, notice{Version: p.Version, Month: p.From})
}

// policyOf is the newest version that holds for a month.
func policyOf(s State, month royalty.Month) (Policy, error) {
	version, _, err := get[int](s, policyKey)
	if err != nil {
		return Policy{}, err
	}
	for ; version > 0; version-- {
		p, _, err := get[Policy](s, policyVersionKey(version))
		if err != nil {
			return Policy{}, err
		}
		if p.From <= month {
			return p, nil
		}
	}
	return Policy{}, fmt.Errorf("%w: no policy for %s", ErrUnknown, month)
}

// checkPolicy refuses a report that names another policy than the one of its month.
func checkPolicy(s State, month royalty.Month, version int) (Policy, error) {
	p, err := policyOf(s, month)
	if err == nil && p.Version != version {
		err = fmt.Errorf("%w: policy %d holds for %s, not %d", ErrInvalid, p.Version, month, version)
	}
	return p, err
}
