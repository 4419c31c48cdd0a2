package witness

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/time/rate"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/db"
)

// Why a submission is refused.
var (
	// ErrUnknown means that this witness does not sign for the log.
	ErrUnknown = errors.New("witness does not know this log")
	// ErrSignature means that the checkpoint is not signed with the log's key.
	ErrSignature = errors.New("checkpoint is not signed with the key of its log")
	// ErrOld means that the old size is larger than the checkpoint's.
	ErrOld = errors.New("old size is larger than the checkpoint's")
	// ErrProof means that nothing shows that the checkpoint goes on from the last one.
	ErrProof = errors.New("checkpoint does not go on from the last one")
	// ErrBusy means that too many ask at once.
	ErrBusy = errors.New("witness is busy")
	// ErrFull means that the witness signs for as many logs as it can.
	ErrFull = errors.New("witness signs for as many logs as it can")
)

// Conflict is the refusal of a submission that begins at another size than the last checkpoint, or that has the same size
// and another root.
type Conflict struct {
	// Size is that of the last checkpoint that was signed.
	Size int64
	// Fork is whether the log has signed two roots for that size.
	Fork bool
}

// Error says which.
func (c *Conflict) Error() string {
	if c.Fork {
		return fmt.Sprintf("another root was signed for size %d", c.Size)
	}
	return fmt.Sprintf("the last checkpoint has size %d", c.Size)
}

// Config of a witness.
type Config struct {
	// Name of its key, such as "music.example/witness", and the key, which is for nothing else.
	Name string
	Key  ed25519.PrivateKey
	// LogKey gives the verifier key of a log, as signed notes have it, the first time that it is met; ErrUnknown for
	// one that is not signed for. It may ask the log's own host. Later the key that was given then counts.
	LogKey func(ctx context.Context, origin string) (string, error)
	// Logs is for how many logs it signs; 10,000 when 0.
	Logs int64
	Now  func() time.Time
	Log  *slog.Logger
}

// Witness signs for the ledgers of others.
type Witness struct {
	config Config
	db     *db.DB
	signer note.Signer
	key    string
	// any bounds what is looked at in a second, and first how many logs are met for the first time.
	any, first *rate.Limiter
}

// New makes a witness over the tables of migrations/00016_witness.sql.
func New(cfg Config, d *db.DB) (*Witness, error) {
	if len(cfg.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("witness: want an Ed25519 private key")
	}
	if cfg.Logs == 0 {
		cfg.Logs = 10_000
	}
	plain, err := note.NewEd25519VerifierKey(cfg.Name, cfg.Key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	key, err := fnote.VKeyToCosignatureV1(plain)
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	verifier, err := fnote.NewVerifierForCosignatureV1(key)
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	const cosignatureV1 = 4
	secret := base64.StdEncoding.EncodeToString(append([]byte{cosignatureV1}, cfg.Key.Seed()...))
	signer, err := fnote.NewSignerForCosignatureV1(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", cfg.Name, verifier.KeyHash(), secret))
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	return &Witness{cfg, d, signer, key, rate.NewLimiter(20, 100), rate.NewLimiter(1, 20)}, nil
}

// Key is the verifier key of the witness's cosignatures, as signed notes have it.
func (w *Witness) Key() string { return w.key }

// seen is a row of witnessed_logs.
type seen struct {
	Origin string `gorm:"primaryKey"`
	Key    string
	Size   int64
	Root   []byte
	Note   string
	SeenAt time.Time
}

func (seen) TableName() string { return "witnessed_logs" }

// fork is a row of witnessed_forks.
type fork struct {
	ID      string `gorm:"primaryKey"`
	Origin  string
	Proved  bool
	Seen    string
	Refused string
	FoundAt time.Time
}

func (fork) TableName() string { return "witnessed_forks" }

// maxForks is how many refused checkpoints of one log are kept: one is evidence enough.
const maxForks = 16

// Add signs a checkpoint that goes on from the last one of its log, and returns the cosignature as a line of a note; it is
// remembered before it is returned. Two checkpoints of a log that do not fit together are kept as evidence. The time in
// a cosignature is the system's.
func (w *Witness) Add(ctx context.Context, s Submission) ([]byte, error) {
	if !w.any.Allow() {
		return nil, ErrBusy
	}
	c, err := readCheckpoint(s.Note)
	if err != nil {
		return nil, err
	}
	key, err := w.logKey(ctx, c.origin)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(key)
	if err != nil || verifier.Name() != c.origin {
		return nil, fmt.Errorf("%w: key of %.100q", ErrSignature, c.origin)
	}
	opened, err := note.Open(s.Note, note.VerifierList(verifier))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if s.Old > c.size {
		return nil, fmt.Errorf("%w: %d and %d", ErrOld, s.Old, c.size)
	}
	if (s.Old == 0 || s.Old == c.size) && len(s.Proof) > 0 {
		return nil, fmt.Errorf("%w: a proof where there is nothing to prove", ErrProof)
	}
	// The log's own signature alone is kept: what others have signed is theirs to show.
	own, err := note.Sign(&note.Note{Text: opened.Text, Sigs: opened.Sigs})
	if err != nil {
		return nil, fmt.Errorf("write checkpoint: %w", err)
	}
	var refused error
	err = w.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		refused, err = w.move(tx, s, c, key, string(own))
		return err
	})
	if err = errors.Join(err, refused); err != nil {
		return nil, err
	}
	return w.cosign(c.text)
}

// cosign returns the line that is the witness's cosignature.
func (w *Witness) cosign(text string) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: text}, w.signer)
	if err != nil {
		return nil, fmt.Errorf("cosign: %w", err)
	}
	_, line, _ := strings.Cut(string(signed), "\n\n")
	return []byte(line), nil
}

// logKey is the key that a log was first met with.
func (w *Witness) logKey(ctx context.Context, origin string) (string, error) {
	row, err := rowOf(w.db.Read.WithContext(ctx), origin)
	if err == nil || !errors.Is(err, ErrUnknown) {
		return row.Key, err
	}
	var n int64
	if err := w.db.Read.WithContext(ctx).Model(&seen{}).Count(&n).Error; err != nil {
		return "", fmt.Errorf("count logs: %w", err)
	}
	if n >= w.config.Logs {
		return "", ErrFull
	}
	if !w.first.Allow() {
		return "", ErrBusy
	}
	return w.config.LogKey(ctx, origin)
}

func rowOf(tx *gorm.DB, origin string) (seen, error) {
	var row seen
	err := tx.Where("origin = ?", origin).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, ErrUnknown
	}
	if err != nil {
		return row, fmt.Errorf("read log: %w", err)
	}
	return row, nil
}

// move takes the checkpoint as the last one; what is refused is an outcome that is committed too, with its evidence.
func (w *Witness) move(tx *gorm.DB, s Submission, c checkpoint, key, own string) (refused, err error) {
	if err := lock(tx); err != nil {
		return nil, err
	}
	last, err := rowOf(tx, c.origin)
	first := errors.Is(err, ErrUnknown)
	if err != nil && !first {
		return nil, err
	}
	row := seen{Origin: c.origin, Key: key, Size: c.size, Root: c.root[:], Note: own, SeenAt: w.config.Now().UTC()}
	switch {
	case first && s.Old != 0:
		return &Conflict{}, nil
	case !first && last.Key != key:
		// Somebody else met the log in between, with another key.
		return ErrSignature, nil
	case !first && s.Old != last.Size:
		return &Conflict{Size: last.Size}, nil
	case !first && c.size == last.Size && c.root != tlog.Hash(last.Root):
		return &Conflict{Size: last.Size, Fork: true}, w.keep(tx, last, own, true)
	case !first && c.size > last.Size && last.Size > 0:
		if err := tlog.CheckTree(s.Proof, c.size, c.root, last.Size, tlog.Hash(last.Root)); err != nil {
			return fmt.Errorf("%w: %w", ErrProof, err), w.keep(tx, last, own, false)
		}
	case c.size == 0 && c.root != tlog.Hash(sha256.Sum256(nil)):
		return fmt.Errorf("%w: an empty log has another root", ErrProof), nil
	}
	if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
		return nil, fmt.Errorf("write log: %w", err)
	}
	return nil, nil
}

// lock lets one transaction at a time decide; SQLite has one writer anyway.
func lock(tx *gorm.DB) error {
	if tx.Name() != "postgres" {
		return nil
	}
	if err := tx.Exec("LOCK TABLE witnessed_logs IN SHARE ROW EXCLUSIVE MODE").Error; err != nil {
		return fmt.Errorf("lock the logs: %w", err)
	}
	return nil
}

// keep keeps two checkpoints that do not fit together, both signed by their log. Of those without a proof, which anybody
// could make of a good checkpoint, only the newest is kept.
func (w *Witness) keep(tx *gorm.DB, last seen, refused string, proved bool) error {
	w.config.Log.Warn("a ledger does not go on from what it was", "origin", last.Origin, "size", last.Size, "proved", proved)
	what := last.Origin
	if proved {
		what = last.Note + "\x00" + refused
		var n int64
		if err := tx.Model(&fork{}).Where("origin = ? AND proved", last.Origin).Count(&n).Error; err != nil {
			return fmt.Errorf("count forks: %w", err)
		}
		if n >= maxForks {
			return nil
		}
	}
	sum := sha256.Sum256([]byte(what))
	row := fork{hex.EncodeToString(sum[:]), last.Origin, proved, last.Note, refused, w.config.Now().UTC()}
	if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error; err != nil {
		return fmt.Errorf("keep fork: %w", err)
	}
	return nil
}

// Seen is the last checkpoint of a log that this witness has signed for, with its cosignature; ErrUnknown when there is
// none.
func (w *Witness) Seen(ctx context.Context, origin string) ([]byte, error) {
	row, err := rowOf(w.db.Read.WithContext(ctx), origin)
	if err != nil {
		return nil, err
	}
	text, _, _ := strings.Cut(row.Note, "\n\n")
	line, err := w.cosign(text + "\n")
	return append([]byte(row.Note), line...), err
}

// Fork is two checkpoints of a log that do not fit together.
type Fork struct {
	// Proved is whether both are of one size, so that they prove by themselves that the log has signed two pasts. For
	// others the log can still show that it went on; if it cannot, they prove the same.
	Proved bool `json:"proved"`
	// Seen is the checkpoint that the witness had signed for, Refused the one that did not go on from it; both have the
	// log's signature.
	Seen    string    `json:"seen"`
	Refused string    `json:"refused"`
	FoundAt time.Time `json:"foundAt"`
}

// Forks are the evidence against a log, the oldest first.
func (w *Witness) Forks(ctx context.Context, origin string) ([]Fork, error) {
	var rows []fork
	if err := w.db.Read.WithContext(ctx).Where("origin = ?", origin).Order("found_at, id").Limit(maxForks + 1).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read forks: %w", err)
	}
	out := []Fork{}
	for _, row := range rows {
		out = append(out, Fork{row.Proved, row.Seen, row.Refused, row.FoundAt.UTC()})
	}
	return out, nil
}
