package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/amount"
)

var (
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
// log's hashes and a signed checkpoint; the caller commits. ErrDuplicate and ErrInvalid leave tx as it was and usable.
// Only one transaction at a time can post: on PostgreSQL a second one waits, as every writer does on SQLite.
func (l *Ledger) Post(ctx context.Context, tx *gorm.DB, c Command) (int64, error) {
	name, args, err := c.call()
	if err != nil {
		return 0, err
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return 0, fmt.Errorf("encode %s: %w", name, err)
	}
	tx = tx.WithContext(ctx)
	if tx.Name() == "postgres" {
		if err := tx.Exec("LOCK TABLE ledger_entries IN SHARE ROW EXCLUSIVE MODE").Error; err != nil {
			return 0, fmt.Errorf("lock the ledger: %w", err)
		}
	}
	at := l.now().UTC()
	r, written, err := run(committedIn(tx), l.origin, name, raw, at)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	data, err := r.encode()
	if err != nil {
		return 0, err
	}
	n, err := size(tx)
	if err != nil {
		return 0, err
	}
	if err := commitTo(tx, written); err != nil {
		return 0, err
	}
	if err := grow(tx, n, data); err != nil {
		return 0, err
	}
	return n, l.sign(tx, n+1, at)
}

// checkpoint is a row of ledger_checkpoints.
type checkpoint struct {
	Size int64
	Day  string `gorm:"primaryKey"`
	Note string
}

func (checkpoint) TableName() string { return "ledger_checkpoints" }

// sign writes the checkpoint of a size in the place of the day's earlier one.
func (l *Ledger) sign(tx *gorm.DB, size int64, at time.Time) error {
	root, err := tlog.TreeHash(size, reader(tx))
	if err != nil {
		return fmt.Errorf("hash ledger: %w", err)
	}
	text := log.Checkpoint{Origin: l.origin, Size: uint64(size), Hash: root[:]}.Marshal()
	signed, err := note.Sign(&note.Note{Text: string(text)}, l.signer)
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
	s := &buffer{committed: committedIn(tx.WithContext(ctx))}
	balance, err := readBalance(s, balanceKey(asset, owed(digest("payee", payee))))
	if err != nil {
		return amount.Amount{}, err
	}
	return amount.FromBig(balance.Neg(balance), asset)
}
