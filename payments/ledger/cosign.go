package ledger

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// cosignature is a row of ledger_cosignatures.
type cosignature struct {
	Name string `gorm:"primaryKey"`
	Day  string `gorm:"primaryKey"`
	Size int64
	Key  string
	Line string
}

func (cosignature) TableName() string { return "ledger_cosignatures" }

// text is what is signed of a ledger of a size.
func (l *Ledger) text(size int64, root tlog.Hash) string {
	return string(log.Checkpoint{Origin: l.origin, Size: uint64(size), Hash: root[:]}.Marshal())
}

// AddCosignature keeps what a witness has signed (cosignature/v1): lines of a note, of which the one by key counts. It must
// be of this ledger as it is at that size, otherwise the error wraps ErrTampered. Of each witness the last one of a day
// is kept.
func (l *Ledger) AddCosignature(ctx context.Context, tx *gorm.DB, size int64, key string, lines []byte) error {
	tx = tx.WithContext(ctx)
	have, err := Size(ctx, tx)
	if err != nil {
		return err
	}
	if size < 1 || size > have {
		return fmt.Errorf("%w: size %d of %d", ErrNotFound, size, have)
	}
	root, err := tlog.TreeHash(size, reader(tx))
	if err != nil {
		return fmt.Errorf("hash ledger: %w", err)
	}
	row, err := readCosignature(l.text(size, root), size, key, lines)
	if err != nil {
		return err
	}
	err = tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "name"}, {Name: "day"}}, DoUpdates: clause.AssignmentColumns([]string{"size", "key", "line"}),
	}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("write cosignature: %w", err)
	}
	return nil
}

// readCosignature finds and checks the key's cosignature of a text.
func readCosignature(text string, size int64, key string, lines []byte) (cosignature, error) {
	verifier, err := fnote.NewVerifierForCosignatureV1(key)
	if err != nil {
		return cosignature{}, fmt.Errorf("%w: key of a witness: %w", ErrInvalid, err)
	}
	if len(lines) > maxCheckpoint {
		return cosignature{}, fmt.Errorf("%w: cosignature of %d bytes", ErrInvalid, len(lines))
	}
	n, err := note.Open([]byte(text+"\n"+string(lines)), note.VerifierList(verifier))
	if err != nil {
		return cosignature{}, fmt.Errorf("%w: cosignature of %s: %w", ErrTampered, verifier.Name(), err)
	}
	at, err := fnote.CoSigV1Timestamp(n.Sigs[0])
	if err != nil {
		return cosignature{}, fmt.Errorf("%w: cosignature of %s: %w", ErrTampered, verifier.Name(), err)
	}
	// The one form of the line: base64 has several for the same bytes.
	raw, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil {
		return cosignature{}, fmt.Errorf("%w: cosignature of %s: %w", ErrTampered, verifier.Name(), err)
	}
	if key, err = oneForm(key, verifier); err != nil {
		return cosignature{}, err
	}
	return cosignature{
		Name: verifier.Name(), Day: at.UTC().Format(time.DateOnly), Size: size, Key: key,
		Line: "— " + verifier.Name() + " " + base64.StdEncoding.EncodeToString(raw) + "\n",
	}, nil
}

// oneForm is a witness's key in the one form that it is kept in: of cosignature/v1, with the hash that follows from it.
func oneForm(key string, verifier note.Verifier) (string, error) {
	const cosignatureV1 = 4
	parts := strings.SplitN(key, "+", 3)
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[len(parts)-1])
	if err != nil || len(parts) != 3 || len(raw) == 0 {
		return "", fmt.Errorf("%w: key of a witness", ErrInvalid)
	}
	raw[0] = cosignatureV1
	return fmt.Sprintf("%s+%08x+%s", verifier.Name(), verifier.KeyHash(), base64.StdEncoding.EncodeToString(raw)), nil
}

// cosigned adds to a checkpoint what witnesses have signed of it.
func cosigned(tx *gorm.DB, row checkpoint) (checkpoint, error) {
	var lines []string
	err := tx.Model(&cosignature{}).Where("size = ?", row.Size).Distinct().Order("line").Limit(maxCosigned).Pluck("line", &lines).Error
	if err != nil {
		return row, fmt.Errorf("read cosignatures: %w", err)
	}
	row.Note += strings.Join(lines, "")
	return row, nil
}

// maxCosigned is how many cosignatures go with a checkpoint; readers of notes bound them too.
const maxCosigned = 32

// Witness is how far a witness has signed for the ledger.
type Witness struct {
	Name string
	// Key is its verifier key, as signed notes have it.
	Key  string
	Size int64
	At   time.Time
}

// Witnesses are those who have signed, in the order of their names, each with the last that it signed.
func Witnesses(ctx context.Context, tx *gorm.DB) ([]Witness, error) {
	var rows []cosignature
	if err := tx.WithContext(ctx).Order("name, day").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read cosignatures: %w", err)
	}
	var out []Witness
	for _, row := range rows {
		at, err := row.at()
		if err != nil {
			return nil, err
		}
		w := Witness{row.Name, row.Key, row.Size, at}
		if n := len(out); n > 0 && out[n-1].Name == row.Name {
			out[n-1] = w
			continue
		}
		out = append(out, w)
	}
	return out, nil
}

func (c cosignature) at() (time.Time, error) {
	fields := strings.Fields(c.Line)
	if len(fields) != 3 {
		return time.Time{}, fmt.Errorf("%w: cosignature of %s", ErrTampered, c.Name)
	}
	at, err := fnote.CoSigV1Timestamp(note.Signature{Name: c.Name, Base64: fields[2]})
	if err != nil {
		return at, fmt.Errorf("%w: cosignature of %s: %w", ErrTampered, c.Name, err)
	}
	return at, nil
}

// cosignatures checks every stored cosignature against the ledger as it is at its size.
func (v *verification) cosignatures(tx *gorm.DB) error {
	var rows []cosignature
	if err := tx.Order("name, day").Find(&rows).Error; err != nil {
		return fmt.Errorf("read cosignatures: %w", err)
	}
	for _, row := range rows {
		if row.Size < 1 || row.Size > v.size {
			return fmt.Errorf("%w: %s has signed %d records, and there are %d", ErrTampered, row.Name, row.Size, v.size)
		}
		root, err := tlog.TreeHash(row.Size, tlog.HashReaderFunc(v.reader))
		if err != nil {
			return fmt.Errorf("hash ledger: %w", err)
		}
		again, err := readCosignature(v.ledger.text(row.Size, root), row.Size, row.Key, []byte(row.Line))
		if err != nil {
			return fmt.Errorf("%w: %s has signed another ledger of %d records: %w", ErrTampered, row.Name, row.Size, err)
		}
		if again != row {
			return fmt.Errorf("%w: cosignature of %s", ErrTampered, row.Name)
		}
	}
	return nil
}
