package fabric_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/fabric"
	"antiphon/payments/ledger/fabricdev"
)

func payment(n int) contract.Payment {
	return contract.Payment{
		Order: fmt.Sprintf("https://a.example/agreements/%d", n), Payee: fmt.Sprintf("https://a.example/users/%d", n),
		Amount: amount.New(10, "iso4217:EUR"), Provider: "raiden", PaymentHash: fmt.Sprintf("%064x", n),
	}
}

func TestNetwork(t *testing.T) {
	programs, err := fabricdev.Programs("")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	step := func(what string) { t.Logf("%6.1f s: %s", time.Since(begin).Seconds(), what) }
	n, err := fabricdev.Start(t.Context(), fabricdev.Config{Dir: filepath.Join(t.TempDir(), "n"), Programs: programs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	step("started")
	if err := n.Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	step("deployed")
	b, err := fabric.Open(n.Member(0))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	step("ready")
	if err := b.Submit(t.Context(), payment(1)); err != nil {
		t.Fatal(err)
	}
	step("first payment")
	if err := b.Submit(t.Context(), payment(1)); !errors.Is(err, contract.ErrDuplicate) {
		t.Fatal(err)
	}
	err = b.Range(t.Context(), "", "~", func(k, v string) error { t.Log(k, v); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Events(t.Context(), func(e contract.Event) error { t.Log(e); return nil }); err != nil {
		t.Fatal(err)
	}
}
