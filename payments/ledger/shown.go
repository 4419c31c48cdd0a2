package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
)

var hexHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Witnessed verifies the proof against a checkpoint that at least one of the known keys has signed, the ledger's own or
// a witness's, and whose origin is on host; it returns the names of those who have. Otherwise the error wraps
// ErrTampered.
func (p RecordProof) Witnessed(host string, known ...note.Verifier) ([]string, error) {
	if len(p.Record) == 0 || len(p.Checkpoint) > maxCheckpoint || len(p.Hashes) > maxHashes {
		return nil, fmt.Errorf("%w: proof of a record", ErrTampered)
	}
	n, err := note.Open(p.Checkpoint, note.VerifierList(known...))
	if err != nil {
		return nil, fmt.Errorf("%w: checkpoint: %w", ErrTampered, err)
	}
	var c log.Checkpoint
	if _, err := c.Unmarshal([]byte(n.Text)); err != nil {
		return nil, fmt.Errorf("%w: checkpoint: %w", ErrTampered, err)
	}
	if origin, _, _ := strings.Cut(c.Origin, "/"); origin != host {
		return nil, fmt.Errorf("%w: checkpoint is of %.100q, not of %s", ErrTampered, c.Origin, host)
	}
	if len(c.Hash) != tlog.HashSize || c.Size > 1<<62 || p.N < 0 || p.N >= int64(c.Size) {
		return nil, fmt.Errorf("%w: checkpoint: size or hash", ErrTampered)
	}
	if err := tlog.CheckRecord(p.Hashes, int64(c.Size), tlog.Hash(c.Hash), p.N, tlog.RecordHash(p.Record)); err != nil {
		return nil, fmt.Errorf("%w: record %d: %w", ErrTampered, p.N, err)
	}
	names := make([]string, len(n.Sigs))
	for i, s := range n.Sigs {
		names[i] = s.Name
	}
	return names, nil
}

// The bounds of a proof from outside: a ledger of 2^62 records needs no more hashes.
const (
	maxCheckpoint = 64 << 10
	maxHashes     = 64
)

// FindPayment returns the number of the record of a payment, or ErrNotFound.
func FindPayment(ctx context.Context, tx *gorm.DB, paymentHash string) (int64, error) {
	if !hexHash.MatchString(paymentHash) {
		return 0, fmt.Errorf("%w: payment hash", ErrInvalid)
	}
	var row entry
	err := tx.WithContext(ctx).Where("record LIKE ?", `%"paymentHash":"`+paymentHash+`"%`).Order("n").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return 0, fmt.Errorf("%w: payment %s", ErrNotFound, paymentHash)
	}
	if err != nil {
		return 0, fmt.Errorf("find payment: %w", err)
	}
	return row.N, nil
}

// Shown is what a record of a payment says.
type Shown = contract.Shown

// ReadPayment reads a record whose place in a ledger was proved; a record of anything else is ErrInvalid.
func ReadPayment(data []byte) (Shown, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return Shown{}, fmt.Errorf("%w: record: %w", ErrInvalid, err)
	}
	if r.Version != 1 {
		return Shown{}, fmt.Errorf("%w: not the record of a payment", ErrInvalid)
	}
	return contract.ShowPayment(r.Function, r.Args, r.At)
}
