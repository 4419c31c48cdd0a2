package raidendev

import (
	"testing"

	"antiphon/payments/raiden/raidentest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	raidentest.Run(t, func(t testing.TB) raidentest.Pair {
		b := setup(t)
		nodes := b.Nodes() // the hub, ada, lin
		return raidentest.Pair{Payer: nodes[2].URL, Payee: nodes[1].URL, Token: b.Token(), TooMuch: units(1001)}
	})
}
