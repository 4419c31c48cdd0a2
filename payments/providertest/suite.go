// Package providertest is what every payments.Provider is held to, whatever it is paid through. It is for tests alone;
// begin with Run.
package providertest

import (
	"context"
	"regexp"
	"slices"
	"testing"

	"antiphon/payments"
	"antiphon/payments/amount"
)

// Subject is a provider with somebody who can pay through it.
type Subject struct {
	Provider payments.Provider
	// Order prepares whatever an order with this identifier and target needs to be known; nil when nothing is.
	Order func(t testing.TB, identifier, target string)
	// Pay pays an order once and returns when the payment is final.
	Pay func(t testing.TB, identifier, target string, units uint64)
}

// Run holds a provider to the contract; open makes a fresh one for each check.
func Run(t *testing.T, open func(t testing.TB) Subject) {
	for name, check := range map[string]func(t *testing.T, s Subject){
		"names": checkNames, "nothing": checkNothing, "paid": checkPaid, "cursor": checkCursor, "canceled": checkCanceled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

func (s Subject) order(t testing.TB, identifier string) string {
	t.Helper()
	target, err := s.Provider.Target(t.Context(), identifier)
	if err != nil || target == "" {
		t.Fatalf("target of %s: %q, %v", identifier, target, err)
	}
	if s.Order != nil {
		s.Order(t, identifier, target)
	}
	return target
}

// all looks from a cursor until there is nothing more.
func (s Subject) all(t testing.TB, cursor string) ([]payments.Payment, string) {
	t.Helper()
	var found []payments.Payment
	for {
		look, err := s.Provider.Received(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		if look.More && look.Next == cursor {
			t.Fatal("there is more, and the cursor stands")
		}
		found, cursor = append(found, look.Final...), look.Next
		if !look.More {
			return found, cursor
		}
	}
}

func checkNames(t *testing.T, s Subject) {
	if name := s.Provider.Name(); !regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`).MatchString(name) {
		t.Errorf("name %q", name)
	}
	asset, decimals := s.Provider.Asset()
	if parsed, err := amount.ParseAsset(string(asset)); err != nil || parsed != asset || decimals < 0 || decimals > 77 {
		t.Errorf("asset %q with %d decimals: %v", asset, decimals, err)
	}
	if one, again := s.order(t, "7"), s.order(t, "7"); one != again {
		t.Errorf("targets %s and %s of the same identifier", one, again)
	}
}

func checkNothing(t *testing.T, s Subject) {
	s.order(t, "7")
	found, cursor := s.all(t, "")
	if len(found) > 0 {
		t.Errorf("paid by nobody: %+v", found)
	}
	if found, again := s.all(t, cursor); len(found) > 0 || again != cursor {
		t.Errorf("from %q: %+v, %q", cursor, found, again)
	}
}

func checkPaid(t *testing.T, s Subject) {
	_, begin := s.all(t, "")
	identifiers := []string{"11", "18446744073709551615"}
	targets := make([]string, len(identifiers))
	for i, id := range identifiers {
		targets[i] = s.order(t, id)
		s.Pay(t, id, targets[i], uint64(100+i))
	}
	found, _ := s.all(t, begin)
	if len(found) != len(identifiers) {
		t.Fatalf("%d payments of %d: %+v", len(found), len(identifiers), found)
	}
	asset, _ := s.Provider.Asset()
	for i, p := range found {
		if p.Ref == "" || p.Initiator == "" || p.Target != targets[i] || p.Amount != amount.New(uint64(100+i), asset) {
			t.Errorf("payment %d: %+v", i, p)
		}
		// An order is known by the identifier, or by a target of its own.
		if p.Identifier != identifiers[i] && (p.Identifier != "" || targets[0] == targets[1]) {
			t.Errorf("payment %d names no order: %+v", i, p)
		}
	}
	if found[0].Ref == found[1].Ref {
		t.Errorf("both payments are %s", found[0].Ref)
	}
}

func checkCursor(t *testing.T, s Subject) {
	_, begin := s.all(t, "")
	s.Pay(t, "11", s.order(t, "11"), 100)
	first, middle := s.all(t, begin)
	s.Pay(t, "12", s.order(t, "12"), 100)
	second, end := s.all(t, middle)
	refs := func(some []payments.Payment) (list []string) {
		for _, p := range some {
			list = append(list, p.Ref)
		}
		return list
	}
	if len(first) != 1 || len(second) != 1 || first[0].Ref == second[0].Ref {
		t.Fatalf("first %+v, second %+v", first, second)
	}
	if again, _ := s.all(t, begin); !slices.Equal(refs(again), append(refs(first), refs(second)...)) {
		t.Errorf("from the begin again: %+v", again)
	}
	if more, _ := s.all(t, end); len(more) > 0 {
		t.Errorf("behind the end: %+v", more)
	}
}

func checkCanceled(t *testing.T, s Subject) {
	_, cursor := s.all(t, "")
	s.Pay(t, "11", s.order(t, "11"), 100)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if look, err := s.Provider.Received(ctx, cursor); err == nil && len(look.Final) == 0 {
		t.Error("a look that was canceled says that nothing was paid")
	}
	if found, _ := s.all(t, cursor); len(found) != 1 {
		t.Errorf("after a canceled look: %+v", found)
	}
}
