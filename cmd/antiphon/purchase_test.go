package main

import (
	"net/url"
	"strings"
	"testing"

	"antiphon/payments"
)

// TestBadPurchases pays wrongly, at the API of the listeners' Raiden node. Whatever comes is said in words, and nothing
// is granted that was not paid.
func TestBadPurchases(t *testing.T) {
	t.Parallel()
	s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8), "ANTIPHON_SIGNUP_OPEN=true")
	s.playThrough("start the payment network", "the announcement reaches")

	// Every buyer has an order of their own for 5.00, and waits while the others are wrong.
	short := s.buyer("short")
	much := s.buyer("much")
	astray := s.buyer("astray")
	twice := s.buyer("twice")
	foreign := s.buyer("foreign")

	t.Run("too little, then the rest", func(t *testing.T) {
		o := s.orderOf(short)
		s.pays(o, "2000000", o.Identifier)
		s.stands(short, payments.Underpaid, "2 of 5 has arrived; the rest is still to be paid.")
		s.pays(o, "2999999", o.Identifier)
		s.stands(short, payments.Underpaid, "4.999999 of 5 has arrived; the rest is still to be paid.")
		s.eventually("the buyer is told what has arrived", func() (bool, error) {
			return s.count(s.home, "purchases", "buyer = ? AND words LIKE '4.999999 of 5 has arrived%'", short.actor) == 1, nil
		})
		s.notGranted(short)
		s.pays(o, "1", o.Identifier)
		s.soldOnce(short, s.home)
	})
	t.Run("too much", func(t *testing.T) {
		o := s.orderOf(much)
		s.pays(o, "7500000", o.Identifier)
		s.soldOnce(much, s.home)
		s.said(much, "7.5 was paid where 5 was asked.")
	})
	t.Run("wrong identifier", func(t *testing.T) {
		o := s.orderOf(astray)
		s.pays(o, "5000000", "1234567890")
		s.judged("1234567890", "unknown")
		s.stands(astray, payments.Awaiting, "")
		s.notGranted(astray)
		s.pays(o, "5000000", o.Identifier)
		s.soldOnce(astray, s.home)
	})
	t.Run("twice", func(t *testing.T) {
		o := s.orderOf(twice)
		s.pays(o, "5000000", o.Identifier)
		s.soldOnce(twice, s.home)
		s.pays(o, "5000000", o.Identifier)
		s.judged(o.Identifier, "duplicate")
		s.soldOnce(twice, s.home)
	})
	t.Run("wrong token, to nobody, and nothing at all", func(t *testing.T) {
		o := s.orderOf(foreign)
		for _, wrong := range []struct{ token, target, units string }{
			{"0x60D41b2A91676EF2081aad48aaf90A846C66E65a", o.Target, "5000000"},
			{s.token(), o.Target, "-5000000"},
			{s.token(), s.token(), "5000000"},
		} {
			if status, body := s.payByHand(wrong.token, wrong.target, wrong.units, o.Identifier); status < 400 {
				t.Errorf("the node pays %+v: %d %s", wrong, status, body)
			}
		}
		if n := len(s.history("artist", "EventPaymentReceivedSuccess", o.Identifier)); n != 0 {
			t.Errorf("%d payments have come", n)
		}
		// A payment of nothing does go through a node. The seller has looked at it once the next order is paid.
		s.pays(o, "0", o.Identifier)
		s.stands(foreign, payments.Awaiting, "")
		s.notGranted(foreign)
	})
	t.Run("late", func(t *testing.T) {
		s.artists.stop()
		s.artists.env = append(s.artists.env, "ANTIPHON_PAYMENTS_INVOICE_LIFE=2s")
		if err := s.artists.open(s.within(soon)); err != nil {
			t.Fatal(err)
		}
		late, part := s.buyer("late"), s.buyer("part")
		o := s.orderOf(part)
		s.pays(o, "4000000", o.Identifier)
		s.stands(late, payments.Expired, "The invoice has expired.")
		s.stands(part, payments.Expired, "4 of 5 has arrived; the rest is still to be paid. The invoice has expired.")
		s.notGranted(late)
		s.notGranted(part)

		o = s.orderOf(late)
		s.pays(o, "5000000", o.Identifier)
		s.soldOnce(late, s.home)
		s.said(late, "came after the invoice had expired; it was honored")
		s.notGranted(part)
		o = s.orderOf(part)
		s.pays(o, "1000000", o.Identifier)
		s.soldOnce(part, s.home)
	})

	s.notGranted(foreign)
	if n := s.count(s.artists, "payments", "identifier = ?", s.orderOf(foreign).Identifier); n != 0 {
		t.Errorf("a payment of nothing was taken for one, %d times", n)
	}
	s.booksAgree()
	if n := s.ledgerSize(); n != 6 {
		t.Errorf("the ledger has %d records, want 6", n)
	}
}

// buyer is a new listener with an invoice for the track.
func (s *stage) buyer(name string) *user {
	s.tb.Helper()
	u, err := newUser(s.home.base, name)
	if err != nil {
		s.tb.Fatal(err)
	}
	ctx := s.within(soon)
	if err := u.signUp(ctx, name, ""); err != nil {
		s.tb.Fatal(err)
	}
	if _, err := u.postForm(ctx, "/buy", url.Values{"track": {s.track}}); err != nil {
		s.tb.Fatal(err)
	}
	s.eventually("the invoice of "+name+" comes", func() (bool, error) {
		return s.count(s.home, "purchases", "buyer = ? AND state = 'invoiced'", u.actor) == 1, nil
	})
	return u
}

// pays has the listeners' node pay the seller of an order.
func (s *stage) pays(o payments.Order, units, identifier string) {
	s.tb.Helper()
	if status, body := s.payByHand(s.token(), o.Target, units, identifier); status >= 300 {
		s.tb.Fatalf("the node does not pay %s for %s: %d %s", units, identifier, status, body)
	}
}

// stands waits until a buyer's order is in a state, with words that begin as given.
func (s *stage) stands(buyer *user, state payments.State, words string) {
	s.tb.Helper()
	s.eventually("the order of "+buyer.name+" is "+string(state)+": "+words, func() (bool, error) {
		o := s.orderOf(buyer)
		return o.State == state && strings.Contains(o.Words, words), nil
	})
}

// said checks what the buyer's order tells.
func (s *stage) said(buyer *user, words string) {
	s.tb.Helper()
	if o := s.orderOf(buyer); !strings.Contains(o.Words, words) {
		s.tb.Errorf("the order of %s says %q, want %q", buyer.name, o.Words, words)
	}
}

// judged waits until the seller has seen a payment with an identifier and taken it for what it is.
func (s *stage) judged(identifier, outcome string) {
	s.tb.Helper()
	s.eventually("payment "+identifier+" is "+outcome, func() (bool, error) {
		return s.count(s.artists, "payments", "identifier = ? AND outcome = ?", identifier, outcome) == 1, nil
	})
}

// notGranted checks that the buyer has nothing, on either side.
func (s *stage) notGranted(buyer *user) {
	s.tb.Helper()
	if n := s.count(s.artists, "grants", "buyer = ?", buyer.actor); n != 0 {
		s.tb.Errorf("the seller has granted to %s", buyer.name)
	}
	if n := s.count(s.home, "grants_held", "buyer = ?", buyer.actor); n != 0 {
		s.tb.Errorf("%s holds a grant", buyer.name)
	}
	if g, err := buyer.grant(s.tb.Context(), s.track); err == nil {
		s.tb.Errorf("the page of %s gets a grant: %s", buyer.name, g.Grant)
	}
}
