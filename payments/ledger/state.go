package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gowebpki/jcs"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// write is what a record says about a key: the hash of its new value.
type write struct {
	Key  string `json:"k"`
	Hash string `json:"sha256"`
}

// record is one leaf of the log.
type record struct {
	Version  int             `json:"v"`
	Caller   string          `json:"caller"`
	Function string          `json:"fn"`
	Args     json.RawMessage `json:"args"`
	At       string          `json:"at"`
	Writes   []write         `json:"writes"`
}

const recordVersion = 1

// encode is the record in canonical form (RFC 8785).
func (r record) encode() ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	out, err := jcs.Transform(raw)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return out, nil
}

// buffer is the State of one call: it reads what is committed and keeps what is written.
type buffer struct {
	committed func(key string) (string, bool, error)
	written   map[string]string
}

func (b *buffer) Get(key string) (string, bool, error) { return b.committed(key) }

func (b *buffer) Put(key, value string) error {
	if _, twice := b.written[key]; twice {
		return fmt.Errorf("%w: key %s is written twice", ErrInvalid, key)
	}
	b.written[key] = value
	return nil
}

// writes are the written keys in order, with the hashes of their values.
func (b *buffer) writes() []write {
	out := make([]write, 0, len(b.written))
	for key, value := range b.written {
		sum := sha256.Sum256([]byte(value))
		out = append(out, write{key, hex.EncodeToString(sum[:])})
	}
	slices.SortFunc(out, func(a, b write) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// run calls a contract function on what is committed and returns the record of it, and the values to commit.
func run(committed func(string) (string, bool, error), caller, name string, args []byte, at time.Time) (record, map[string]string, error) {
	fn, known := contract[name]
	if !known {
		return record{}, nil, fmt.Errorf("%w: no function %q", ErrInvalid, name)
	}
	b := &buffer{committed: committed, written: map[string]string{}}
	if err := fn(b, args); err != nil {
		return record{}, nil, err
	}
	return record{
		Version: recordVersion, Caller: caller, Function: name, Args: args, At: at.UTC().Format(time.RFC3339), Writes: b.writes(),
	}, b.written, nil
}

// value is a row of ledger_state.
type value struct {
	K string `gorm:"primaryKey"`
	V string
}

func (value) TableName() string { return "ledger_state" }

func committedIn(tx *gorm.DB) func(string) (string, bool, error) {
	return func(key string) (string, bool, error) {
		var row value
		err := tx.Where("k = ?", key).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return "", false, nil
		}
		if err != nil {
			return "", false, fmt.Errorf("read ledger state: %w", err)
		}
		return row.V, true, nil
	}
}

func commitTo(tx *gorm.DB, written map[string]string) error {
	rows := make([]value, 0, len(written))
	for k, v := range written {
		rows = append(rows, value{k, v})
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b value) int { return strings.Compare(a.K, b.K) })
	if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&rows).Error; err != nil {
		return fmt.Errorf("write ledger state: %w", err)
	}
	return nil
}
