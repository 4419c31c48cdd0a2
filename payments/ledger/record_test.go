package ledger_test

import (
	"bytes"
	"context"
	_ "embed"
	"strings"
	"testing"

	"gorm.io/gorm"

	"antiphon/payments/amount"
	"antiphon/payments/ledger"
)

// versionOne are the records of a payment and of its refund as the first ledgers wrote them, never to change.
//
//go:embed testdata/records-v1.jsonl
var versionOne []byte

// TestRecordsOfVersionOne: what was recorded before there were events is written the same to the byte today.
func TestRecordsOfVersionOne(t *testing.T) {
	t.Parallel()
	b := setup(t, sqlite(t))
	p := payment(1, 10)
	p.ProofKey = "z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd"
	refund := ledger.Refund{Order: p.Order, Payee: p.Payee, Amount: amount.New(10, token), Provider: "raiden", PaymentHash: p.PaymentHash}
	for i, c := range []ledger.Command{p, refund} {
		err := b.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			_, err := b.Post(ctx, tx, c)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		proof, err := b.ProveRecord(t.Context(), b.db.Read, int64(i))
		if err != nil {
			t.Fatal(err)
		}
		if want := bytes.Split(versionOne, []byte("\n"))[i]; !bytes.Equal(proof.Record, want) {
			t.Errorf("record %d is\n%s\nwant\n%s", i, proof.Record, want)
		}
	}
	head, err := b.Checkpoint(t.Context(), b.db.Read)
	if err != nil || !strings.Contains(string(head), "\n2\nsMk3cFJx0Oeoiy3CxEGOlb189ohkKWuZ0xyj3hUw44M=\n") {
		t.Errorf("checkpoint %s, %v", head, err)
	}
	b.verify(t, 2)
}
