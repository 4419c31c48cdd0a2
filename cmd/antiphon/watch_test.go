package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/vault"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/purchase"
)

// rows is a reading handle to an instance's database, whether it runs or not.
func (s *stage) rows(i *instance) *gorm.DB {
	s.tb.Helper()
	if s.databases[i] == nil {
		d, err := db.Open(s.tb.Context(), filepath.Join(i.dir, "antiphon.db"), slog.New(slog.DiscardHandler))
		if err != nil {
			s.tb.Fatal(err)
		}
		s.tb.Cleanup(func() {
			if err := d.Close(); err != nil {
				s.tb.Error(err)
			}
		})
		s.databases[i] = d.Read
	}
	return s.databases[i].WithContext(s.tb.Context())
}

// count counts the rows of a table.
func (s *stage) count(i *instance, table, where string, args ...any) int64 {
	s.tb.Helper()
	var n int64
	if err := s.rows(i).Table(table).Where(where, args...).Count(&n).Error; err != nil {
		s.tb.Fatal(err)
	}
	return n
}

// orders are all orders at the seller.
func (s *stage) orders() []payments.Order {
	s.tb.Helper()
	orders, err := payments.OrdersOf(s.tb.Context(), s.rows(s.artists), s.ada.actor, 100)
	if err != nil {
		s.tb.Fatal(err)
	}
	return orders
}

// orderOf is the order of a buyer for the track that is on sale.
func (s *stage) orderOf(buyer *user) payments.Order {
	s.tb.Helper()
	var product string
	if err := s.rows(s.artists).Table("products").Where("track = ?", s.track).Pluck("uri", &product).Error; err != nil {
		s.tb.Fatal(err)
	}
	for _, o := range s.orders() {
		if o.Buyer == buyer.actor && o.Product == product {
			return o
		}
	}
	s.tb.Fatalf("%s has no order for %s", buyer.name, s.track)
	return payments.Order{}
}

// ledgerSize checks the seller's ledger from its first record to its last, and returns how many there are.
func (s *stage) ledgerSize() int64 {
	s.tb.Helper()
	v, err := vault.Load(filepath.Join(s.artists.dir, "keys", "master.key"), false, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	seed, err := v.Key("ledger")
	if err != nil {
		s.tb.Fatal(err)
	}
	l, err := ledger.New(ledger.Config{Origin: host(s.artists.base) + "/ledger", Key: ed25519.NewKeyFromSeed(seed[:]), Now: time.Now})
	if err != nil {
		s.tb.Fatal(err)
	}
	size, err := l.VerifyAll(s.tb.Context(), s.rows(s.artists))
	if err != nil {
		s.tb.Fatalf("the seller's ledger: %v", err)
	}
	return size
}

// soldOnce checks that everything about the sale of the track to a buyer exists once, on both sides, and agrees.
func (s *stage) soldOnce(buyer *user, at *instance) {
	s.tb.Helper()
	s.eventually("grant and receipt of "+buyer.name+" come", func() (bool, error) {
		return s.count(at, "purchases", "buyer = ? AND track = ? AND state = 'granted' AND receipt <> ''", buyer.actor, s.track) > 0, nil
	})
	o := s.orderOf(buyer)
	if o.State != payments.Granted && o.State != payments.Delivered {
		s.tb.Errorf("the order is %q (%s), want it granted", o.State, o.Words)
	}
	var bought []purchase.Purchase
	if err := s.rows(at).Where("buyer = ? AND track = ?", buyer.actor, s.track).Find(&bought).Error; err != nil {
		s.tb.Fatal(err)
	}
	if len(bought) != 1 {
		s.tb.Fatalf("%s has %d purchases of the track, want 1: %+v", buyer.name, len(bought), bought)
	}
	p := bought[0]
	if p.State != purchase.Granted || p.Agreement != o.URI || p.Receipt != o.Receipt || p.GrantURI != o.GrantURI || len(p.ReceiptRaw) == 0 {
		s.tb.Errorf("the purchase is %q of agreement %s with receipt %s and grant %s; the order is %s with %s and %s",
			p.State, p.Agreement, p.Receipt, p.GrantURI, o.URI, o.Receipt, o.GrantURI)
	}
	for _, one := range []struct {
		at    *instance
		table string
		where string
		args  []any
	}{
		{s.artists, "orders", "buyer = ? AND product = ?", []any{buyer.actor, o.Product}},
		{s.artists, "payments", "order_uri = ? AND outcome IN ('credited', 'overpaid', 'late')", []any{o.URI}},
		{s.artists, "grants", "buyer = ? AND product = ?", []any{buyer.actor, o.Product}},
		{s.artists, "objects", "kind = 'Receipt' AND uri = ?", []any{o.Receipt}},
		{s.artists, "ledger_state", "k = ?", []any{"payment/" + o.PaymentHash}},
		{at, "grants_held", "buyer = ? AND product = ?", []any{buyer.actor, o.Product}},
		{at, "objects", "kind = 'Receipt' AND uri = ?", []any{o.Receipt}},
	} {
		if n := s.count(one.at, one.table, one.where, one.args...); n != 1 {
			s.tb.Errorf("%s has %d rows of %s where %s %v, want 1", one.at.name, n, one.table, one.where, one.args)
		}
	}
}

// booksAgree checks that whatever was granted was paid, and stands in the ledger once.
func (s *stage) booksAgree() {
	s.tb.Helper()
	granted := int64(0)
	for _, o := range s.orders() {
		var paid []amount.Units
		err := s.rows(s.artists).Table("payments").
			Where("order_uri = ? AND outcome IN ('credited', 'overpaid', 'late', 'underpaid')", o.URI).Pluck("units", &paid).Error
		if err != nil {
			s.tb.Fatal(err)
		}
		var sum amount.Units
		for _, units := range paid {
			if sum, err = sum.Add(units); err != nil {
				s.tb.Fatal(err)
			}
		}
		if o.GrantURI == "" {
			continue
		}
		granted++
		if sum.Cmp(o.Units) < 0 {
			s.tb.Errorf("order %s was granted for %s of %s", o.URI, sum, o.Units)
		}
	}
	if n := s.count(s.artists, "grants", "1 = 1"); n != granted {
		s.tb.Errorf("there are %d grants for %d granted orders", n, granted)
	}
	if n := s.ledgerSize(); n != granted {
		s.tb.Errorf("the ledger has %d records for %d granted orders", n, granted)
	}
}

// nodePayment is a line of a Raiden node's history.
type nodePayment struct {
	Event      string `json:"event"`
	Identifier string `json:"identifier"`
	Amount     string `json:"amount"`
}

// token is the address of the development network's token.
func (s *stage) token() string {
	return s.network.Asset[strings.LastIndex(s.network.Asset, ":")+1:]
}

// history is what the listener's node has sent, or the artist's received, of an identifier.
func (s *stage) history(node, event, identifier string) []nodePayment {
	s.tb.Helper()
	var all []nodePayment
	status, body := s.askNode(http.MethodGet, node, "/payments/"+s.token(), nil)
	if status != http.StatusOK {
		s.tb.Fatalf("history of node %s: status %d: %s", node, status, body)
	}
	if err := json.Unmarshal(body, &all); err != nil {
		s.tb.Fatal(err)
	}
	var some []nodePayment
	for _, p := range all {
		if p.Event == event && p.Identifier == identifier {
			some = append(some, p)
		}
	}
	return some
}

// payByHand has the listener's node pay what it is told, as a person at the node's own API does.
func (s *stage) payByHand(token, target, units, identifier string) (int, string) {
	s.tb.Helper()
	status, body := s.askNode(http.MethodPost, "listener", "/payments/"+token+"/"+target, map[string]string{"amount": units, "identifier": identifier})
	return status, string(body)
}

func (s *stage) askNode(method, node, path string, in any) (int, []byte) {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(s.tb.Context(), soon)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		s.tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.network.Nodes[node]+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		s.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		s.tb.Fatal(err)
	}
	return resp.StatusCode, answer
}

// showOrders tells of a failure where every order stands.
func (s *stage) showOrders() {
	for _, o := range s.orders() {
		s.tb.Log(fmt.Sprintf("order %s of %s: %s, %q", o.URI, o.Buyer, o.State, o.Words))
	}
}
