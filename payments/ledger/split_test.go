package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
)

// TestSplits posts one payment to three, and takes it back from the same three, whoever asks for that later.
func TestSplits(t *testing.T) {
	both(t, func(t *testing.T, b bundle) {
		ada, moe, kim := "https://s.example/users/ada", "https://s.example/users/moe", "https://b.example/users/kim"
		hash := strings.Repeat("ab", 32)
		pay := ledger.Payment{
			Order: "https://s.example/agreements/1", Payee: ada, Amount: amount.New(101, token), Provider: "raiden", PaymentHash: hash,
			Splits: []contract.Split{{Payee: ada, BasisPoints: 5000}, {Payee: moe, BasisPoints: 2500}, {Payee: kim, BasisPoints: 2500}},
		}
		post := func(c ledger.Command) error {
			return b.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				_, err := b.Post(ctx, tx, c)
				return err
			})
		}
		owed := func(want map[string]string) {
			t.Helper()
			for payee, units := range want {
				if got, err := ledger.Owed(t.Context(), b.db.Read, payee, token); err != nil || got.Units.String() != units {
					t.Errorf("%s is owed %s, %v; want %s", payee, got.Units, err, units)
				}
			}
		}
		for name, bad := range map[string][]contract.Split{
			"less than all":  {{Payee: ada, BasisPoints: 5000}, {Payee: moe, BasisPoints: 4999}},
			"more than all":  {{Payee: ada, BasisPoints: 5000}, {Payee: moe, BasisPoints: 5001}},
			"one twice":      {{Payee: ada, BasisPoints: 5000}, {Payee: ada, BasisPoints: 5000}},
			"nothing":        {{Payee: ada, BasisPoints: 10_000}, {Payee: moe, BasisPoints: 0}},
			"below nothing":  {{Payee: ada, BasisPoints: 10_001}, {Payee: moe, BasisPoints: -1}},
			"twenty and one": make([]contract.Split, 21),
		} {
			in := pay
			in.Splits = bad
			if err := post(in); !errors.Is(err, ledger.ErrInvalid) {
				t.Errorf("parts of %s: %v", name, err)
			}
		}
		if err := post(pay); err != nil {
			t.Fatal(err)
		}
		owed(map[string]string{ada: "51", moe: "25", kim: "25"}) // 50.5, 25.25, 25.25
		if err := post(pay); !errors.Is(err, ledger.ErrDuplicate) {
			t.Errorf("twice: %v", err)
		}
		refund := ledger.Refund{Order: pay.Order, Payee: ada, Amount: pay.Amount, Provider: pay.Provider, PaymentHash: hash}
		if err := post(refund); err != nil {
			t.Fatal(err)
		}
		owed(map[string]string{ada: "0", moe: "0", kim: "0"})
		if n, err := b.VerifyAll(t.Context(), b.db.Read); err != nil || n != 2 {
			t.Errorf("verified %d entries, %v", n, err)
		}
	})
}
