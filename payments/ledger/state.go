package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gowebpki/jcs"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/ledger/contract"
)

// write is what a record says about a key: the hash of its new value.
type write struct {
	Key  string `json:"k"`
	Hash string `json:"sha256"`
}

// event is what a function has emitted; its payload is in base64.
type event struct {
	Name    string `json:"name"`
	Payload string `json:"payload"`
}

// record is one leaf of the log. Version 2 may have an event and deletes; a record that has neither is of version 1, and
// the same to the byte as it always was. The members stand in the order of canonical JSON.
type record struct {
	Args     json.RawMessage `json:"args"`
	At       string          `json:"at"`
	Caller   string          `json:"caller"`
	Deletes  []string        `json:"deletes,omitempty"`
	Event    *event          `json:"event,omitempty"`
	Function string          `json:"fn"`
	Version  int             `json:"v"`
	Writes   []write         `json:"writes"`
}

// encode is the record in canonical form (RFC 8785); its arguments are in that form already.
func (r record) encode() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	raw := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if !bytes.ContainsFunc(raw, func(c rune) bool { return c == '\\' || c > '~' }) {
		return raw, nil
	}
	// Only in what has to be escaped do the two forms differ.
	canonical, err := jcs.Transform(raw)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return canonical, nil
}

// committed is what a call can read.
type committed interface {
	get(key string) (string, bool, error)
	scan(start, end string, fn func(key, value string) error) error
}

// call is everything that decides what a function does, besides what is committed.
type call struct {
	n        int64
	caller   string
	function string
	args     []byte
	at       time.Time
}

// buffer is the State of one call: it reads what is committed and keeps what is written.
type buffer struct {
	committed
	call    call
	written map[string]string
	deleted map[string]bool
	event   *event
}

var _ contract.State = (*buffer)(nil)

func (b *buffer) Get(key string) (string, bool, error) { return b.get(key) }

func (b *buffer) Range(start, end string, fn func(key, value string) error) error {
	return b.scan(start, end, fn)
}

func (b *buffer) once(key string) error {
	if _, twice := b.written[key]; twice || b.deleted[key] {
		return fmt.Errorf("%w: key %s is written twice", ErrInvalid, key)
	}
	if key == "" {
		return fmt.Errorf("%w: a key without a name", ErrInvalid)
	}
	return nil
}

func (b *buffer) Put(key, value string) error {
	if err := b.once(key); err != nil {
		return err
	}
	if value == "" {
		return fmt.Errorf("%w: key %s without a value", ErrInvalid, key)
	}
	b.written[key] = value
	return nil
}

func (b *buffer) Delete(key string) error {
	if err := b.once(key); err != nil {
		return err
	}
	b.deleted[key] = true
	return nil
}

func (b *buffer) Emit(name string, payload []byte) error {
	if b.event != nil || name == "" {
		return fmt.Errorf("%w: event %q after another one, or without a name", ErrInvalid, name)
	}
	b.event = &event{name, base64.StdEncoding.EncodeToString(payload)}
	return nil
}

func (b *buffer) TxID() string    { return fmt.Sprint(b.call.n) }
func (b *buffer) Time() time.Time { return b.call.at }
func (b *buffer) Caller() string  { return b.call.caller }

// record is what the call leaves in the log, its keys in order, with the hashes of the values.
func (b *buffer) record() record {
	r := record{
		Version: 1, Caller: b.call.caller, Function: b.call.function, Args: b.call.args, At: b.call.at.Format(time.RFC3339),
		Writes: make([]write, 0, len(b.written)), Deletes: slices.Sorted(maps.Keys(b.deleted)), Event: b.event,
	}
	if b.event != nil || len(b.deleted) > 0 {
		r.Version = 2
	}
	for key, value := range b.written {
		sum := sha256.Sum256([]byte(value))
		r.Writes = append(r.Writes, write{key, hex.EncodeToString(sum[:])})
	}
	slices.SortFunc(r.Writes, func(a, b write) int { return strings.Compare(a.Key, b.Key) })
	return r
}

// run calls a contract function on what is committed; the buffer has what is to be committed.
func run(from committed, c call) (*buffer, error) {
	c.at = c.at.UTC().Truncate(time.Second)
	b := &buffer{committed: from, call: c, written: map[string]string{}, deleted: map[string]bool{}}
	return b, contract.Run(b, c.function, c.args)
}

// value is a row of ledger_state.
type value struct {
	K string `gorm:"primaryKey"`
	V string
}

func (value) TableName() string { return "ledger_state" }

// table is the ledger_state that a transaction sees.
type table struct{ tx *gorm.DB }

func (t table) get(key string) (string, bool, error) {
	var row value
	err := t.tx.Where("k = ?", key).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read ledger state: %w", err)
	}
	return row.V, true, nil
}

func (t table) scan(start, end string, fn func(key, value string) error) error {
	// The order of bytes, whatever the order of the database's language.
	where, next, order := "k >= ? AND k < ?", "k > ? AND k < ?", "k"
	if t.tx.Name() == "postgres" {
		where, next, order = `k COLLATE "C" >= ? AND k COLLATE "C" < ?`, `k COLLATE "C" > ? AND k COLLATE "C" < ?`, `k COLLATE "C"`
	}
	for {
		var rows []value
		if err := t.tx.Where(where, start, end).Order(order).Limit(batch).Find(&rows).Error; err != nil {
			return fmt.Errorf("read ledger state: %w", err)
		}
		for _, row := range rows {
			if err := fn(row.K, row.V); err != nil {
				return err
			}
		}
		if len(rows) < batch {
			return nil
		}
		where, start = next, rows[batch-1].K
	}
}

// commitTo writes what a call has changed.
func (b *buffer) commitTo(tx *gorm.DB) error {
	if len(b.deleted) > 0 {
		keys := slices.Sorted(maps.Keys(b.deleted))
		if err := tx.Where("k IN ?", keys).Delete(&value{}).Error; err != nil {
			return fmt.Errorf("write ledger state: %w", err)
		}
	}
	rows := make([]value, 0, len(b.written))
	for k, v := range b.written {
		rows = append(rows, value{k, v})
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b value) int { return strings.Compare(a.K, b.K) })
	if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).CreateInBatches(&rows, batch).Error; err != nil {
		return fmt.Errorf("write ledger state: %w", err)
	}
	return nil
}
