package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
)

// What the contract offers, under the names that the ledger's callers know.
type (
	// Command is a call of a function of the contract.
	Command = contract.Command
	// Payment says that a payment for an order has become final.
	Payment = contract.Payment
	// Refund says that a recorded payment was given back whole.
	Refund = contract.Refund
)

var (
	// ErrDuplicate means that a payment with this hash was recorded before.
	ErrDuplicate = contract.ErrDuplicate
	// ErrInvalid means that a command is incomplete or malformed.
	ErrInvalid = contract.ErrInvalid
	// ErrTampered means that the ledger is not what was written: a record, a hash, a balance or a checkpoint.
	ErrTampered = errors.New("ledger was tampered with")
	// ErrNotFound means that there is no such record or checkpoint.
	ErrNotFound = errors.New("not in the ledger")
)

// Config of a ledger.
type Config struct {
	// Origin names the ledger in its checkpoints and never changes: the instance's host and a path, such as
	// "music.example/ledger". It holds neither spaces nor '+'.
	Origin string
	// Key signs checkpoints. It is the ledger's own, not an actor's.
	Key ed25519.PrivateKey
	Now func() time.Time
}

// Ledger posts to and proves from the tables of migrations/00007_ledger.sql.
type Ledger struct {
	origin   string
	signer   signer
	verifier note.Verifier
	now      func() time.Time
}

// New makes the ledger; it reads nothing.
func New(cfg Config) (*Ledger, error) {
	if cfg.Origin == "" || strings.ContainsAny(cfg.Origin, " \t\n+") {
		return nil, fmt.Errorf("%w: origin %q", ErrInvalid, cfg.Origin)
	}
	if len(cfg.Key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: want an Ed25519 private key", ErrInvalid)
	}
	text, err := note.NewEd25519VerifierKey(cfg.Origin, cfg.Key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("ledger key: %w", err)
	}
	verifier, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("ledger key: %w", err)
	}
	return &Ledger{cfg.Origin, signer{verifier, cfg.Key}, verifier, cfg.Now}, nil
}

// Verifier checks the ledger's checkpoints.
func (l *Ledger) Verifier() note.Verifier { return l.verifier }

// signer is the note.Signer of an Ed25519 key.
type signer struct {
	note.Verifier // for the name and the key's hash
	key           ed25519.PrivateKey
}

func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// Post runs a command inside tx and returns the number of its record, from 0. It writes the record, the state, the
// log's hashes and a signed checkpoint; the caller commits. What the contract refuses leaves tx as it was and usable.
// Only one transaction at a time can post: on PostgreSQL a second one waits, as every writer does on SQLite.
func (l *Ledger) Post(ctx context.Context, tx *gorm.DB, c Command) (int64, error) {
	return l.PostAs(ctx, tx, l.origin, c)
}

// PostAs is Post for a command that somebody else has signed: caller is the origin of that one's ledger, and whoever
// calls PostAs has checked the signature.
func (l *Ledger) PostAs(ctx context.Context, tx *gorm.DB, caller string, c Command) (int64, error) {
	name, args, err := contract.Encode(c)
	if err != nil {
		return 0, err
	}
	tx = tx.WithContext(ctx)
	if tx.Name() == "postgres" {
		if err := tx.Exec("LOCK TABLE ledger_entries IN SHARE ROW EXCLUSIVE MODE").Error; err != nil {
			return 0, fmt.Errorf("lock the ledger: %w", err)
		}
	}
	n, err := size(tx)
	if err != nil {
		return 0, err
	}
	at := l.now().UTC()
	b, err := run(table{tx}, call{n, caller, name, args, at})
	if err != nil {
		return 0, err
	}
	data, err := b.record().encode()
	if err != nil {
		return 0, err
	}
	if err := b.commitTo(tx); err != nil {
		return 0, err
	}
	root, err := grow(tx, n, data)
	if err != nil {
		return 0, err
	}
	return n, l.sign(tx, n+1, root, at)
}

// checkpoint is a row of ledger_checkpoints.
type checkpoint struct {
	Size int64
	Day  string `gorm:"primaryKey"`
	Note string
}

func (checkpoint) TableName() string { return "ledger_checkpoints" }

// sign writes the checkpoint of a size in the place of the day's earlier one.
func (l *Ledger) sign(tx *gorm.DB, size int64, root tlog.Hash, at time.Time) error {
	signed, err := note.Sign(&note.Note{Text: l.text(size, root)}, l.signer)
	if err != nil {
		return fmt.Errorf("sign checkpoint: %w", err)
	}
	row := checkpoint{Size: size, Day: at.Format(time.DateOnly), Note: string(signed)}
	err = tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "day"}}, DoUpdates: clause.AssignmentColumns([]string{"size", "note"}),
	}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}

// Owed is what the ledger says that a payee, by URI, is owed of an asset.
func Owed(ctx context.Context, tx *gorm.DB, payee string, asset amount.Asset) (amount.Amount, error) {
	return contract.Owed(table{tx.WithContext(ctx)}.get, payee, asset)
}
