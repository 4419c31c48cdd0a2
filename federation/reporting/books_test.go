package reporting_test

import (
	"errors"
	"strings"
	"testing"

	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pseudonym"
	"antiphon/payments/royalty"
)

// total is what a statement gives an artist, in dollars.
func total(st contract.Statement, artist string) string {
	micro, _ := st.Total(contract.Digest("payee", artist))
	return micro.String()
}

func reported(t testing.TB, at, of *node, month royalty.Month) contract.Statement {
	t.Helper()
	st, _, err := contract.Reported(t.Context(), at.book, month, of.Host)
	at.must(err)
	return st
}

func finally(t testing.TB, at, of *node, month royalty.Month) contract.Statement {
	t.Helper()
	st, err := contract.Finally(t.Context(), at.book, month, of.Host)
	at.must(err)
	return st
}

// checkStatements sees that everybody has the same statements of a month, and that each comes out.
func checkStatements(t *testing.T, nodes []*node, month royalty.Month, read func(t testing.TB, at, of *node, month royalty.Month) contract.Statement) {
	t.Helper()
	for _, of := range nodes {
		own := read(t, of, of, month)
		sums(t, of.name, own)
		if paid, err := contract.Payments(t.Context(), of.book, month, of.Host); err != nil || paid != own.Payments {
			t.Errorf("%s states %d payments of %d, %v", of.name, own.Payments, paid, err)
		}
		for _, at := range nodes {
			if st := read(t, at, of, month); st.SplitsRoot != own.SplitsRoot || st.ArtistsRoot != own.ArtistsRoot || st.Held != own.Held || st.CarryOut != own.CarryOut {
				t.Errorf("%s has another statement of %s", at.name, of.name)
			}
		}
	}
}

// sums are the invariants of a statement.
func sums(t *testing.T, name string, st contract.Statement) {
	t.Helper()
	var artists royalty.Micro
	for _, a := range st.Artists {
		artists += a.Micro
	}
	if royalty.Micro(st.Payments)*royalty.Fee != st.Operator+st.Pool || st.Operator != royalty.Micro(st.Payments)*royalty.Operator {
		t.Errorf("%s: %d payments are %s and %s", name, st.Payments, st.Operator, st.Pool)
	}
	if st.Pool+st.CarryIn != st.Splits+st.Held+st.CarryOut || artists != st.Splits || st.Listeners > st.Payments {
		t.Errorf("%s: %+v", name, st)
	}
}

// checkPayments walks through the whole ledger of each node: every payment stands there once, each month of a pseudonym once,
// and none is missing that the Raiden nodes were paid.
func checkPayments(t *testing.T, nodes []*node) {
	t.Helper()
	for _, at := range nodes {
		once, lines := map[string]bool{}, map[string]int64{}
		for _, c := range calls(at) {
			batch, err := contract.ReadSubscriptions(c.Function, c.Args)
			if err != nil {
				continue
			}
			for _, l := range batch.Lines {
				for _, key := range []string{string(l.Month) + "|" + l.Pseudonym, l.PaymentHash} {
					if once[key] {
						t.Errorf("%s has %s twice", at.name, key)
					}
					once[key] = true
				}
				lines[batch.Node]++
			}
		}
		for _, of := range nodes {
			if paid := of.bank.months(t, of.name); lines[of.Host] != paid || paid == 0 {
				t.Errorf("%s has %d payments to %s, of %d", at.name, lines[of.Host], of.name, paid)
			}
		}
	}
}

// checkTwice sees that a month that is paid is not paid again, be it by another payment, and that a payment pays once.
func checkTwice(t *testing.T, n *node) {
	t.Helper()
	for _, c := range calls(n) {
		batch, err := contract.ReadSubscriptions(c.Function, c.Args)
		if err != nil || batch.Node != n.Host {
			continue
		}
		l := batch.Lines[0]
		again, other := l, l
		again.Pseudonym, other.PaymentHash = strings.Repeat("0", pseudonym.Length), contract.Digest("test", "another payment")
		for _, line := range []contract.Subscription{again, other} {
			err := n.book.Submit(t.Context(), contract.Subscriptions{Node: n.Host, Lines: []contract.Subscription{line}})
			if !errors.Is(err, contract.ErrDuplicate) {
				t.Errorf("%s takes a payment twice: %v", n.name, err)
			}
		}
	}
}

// calls are all records of a node's ledger.
func calls(n *node) []ledger.Called {
	all, err := ledger.Calls(n.t.Context(), n.DB.Read, 0, 10_000)
	n.must(err)
	return all
}

// checkPayouts sees that nobody was sent more of a month than final statements say, and that all have it so.
func checkPayouts(t *testing.T, nodes []*node, month royalty.Month) {
	t.Helper()
	for _, of := range nodes {
		st := finally(t, of, of, month)
		var sum royalty.Micro
		for _, a := range st.Artists {
			micro, _, err := contract.PayoutAt(t.Context(), of.book, month, of.Host, a.Artist)
			if err != nil && !errors.Is(err, contract.ErrUnknown) {
				t.Fatal(err)
			}
			if micro > a.Micro {
				t.Errorf("%s has sent %s of %s", of.name, micro, a.Micro)
			}
			due, err := contract.Due(t.Context(), of.book, of.Host, a.Artist)
			if of.must(err); due != a.Micro-micro {
				t.Errorf("%s still owes %s of %s, and has sent %s", of.name, due, a.Micro, micro)
			}
			sum += micro
			for _, at := range nodes {
				if there, _, err := contract.PayoutAt(t.Context(), at.book, month, of.Host, a.Artist); there != micro || err != nil && !errors.Is(err, contract.ErrUnknown) {
					t.Errorf("%s has a payout of %s by %s, %v", at.name, there, of.name, err)
				}
			}
		}
		if sum > st.Splits {
			t.Errorf("%s has sent %s of %s", of.name, sum, st.Splits)
		}
	}
}

// checkLedgers runs everybody's ledger again from its first record.
func checkLedgers(t *testing.T, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		if _, err := n.reporting.Ledger.VerifyAll(t.Context(), n.DB.Read); err != nil {
			t.Errorf("ledger of %s: %v", n.name, err)
		}
	}
}
