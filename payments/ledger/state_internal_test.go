package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	"antiphon/internal/db"
	"antiphon/internal/testkit"
)

// TestBuffer: what a call writes is not seen by it, a key is written once, and a record says all of it.
func TestBuffer(t *testing.T) {
	t.Parallel()
	state := newMemory()
	first := &buffer{committed: state, call: call{at: time.Unix(0, 0).UTC()}, written: map[string]string{}, deleted: map[string]bool{}}
	for _, key := range []string{"b", "a", "c", "b/1"} {
		if err := first.Put(key, "1"); err != nil {
			t.Fatal(err)
		}
		if _, found, err := first.Get(key); err != nil || found {
			t.Errorf("%s is seen before it is committed: %t, %v", key, found, err)
		}
	}
	if r := first.record(); r.Version != 1 {
		t.Errorf("a record without an event has version %d", r.Version)
	}
	state.commit(first)
	b := &buffer{committed: state, call: call{at: time.Unix(0, 0).UTC()}, written: map[string]string{}, deleted: map[string]bool{}}
	for name, err := range map[string]error{
		"delete": b.Delete("b"), "put": b.Put("d", "2"), "emit": b.Emit("x", []byte("{}")), "delete nothing": b.Delete("z"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"put what is deleted": b.Put("b", "3"), "delete what is put": b.Delete("d"), "delete twice": b.Delete("b"), "put twice": b.Put("d", "3"),
		"no value": b.Put("e", ""), "no key": b.Put("", "1"), "emit twice": b.Emit("y", nil),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	keys := func() (out string) {
		if err := b.Range("a", "d", func(key, _ string) error { out += key + " "; return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := keys(); got != "a b b/1 c " {
		t.Errorf("before: %s", got)
	}
	state.commit(b)
	if got := keys(); got != "a b/1 c " {
		t.Errorf("after: %s", got)
	}
	if err := b.Range("a", "z", func(string, string) error { return ErrNotFound }); !errors.Is(err, ErrNotFound) {
		t.Errorf("an error of the caller's: %v", err)
	}
	b.call.args = []byte("{}")
	raw, err := b.record().encode()
	const want = `{"args":{},"at":"1970-01-01T00:00:00Z","caller":"","deletes":["b","z"],"event":{"name":"x","payload":"e30="},"fn":"","v":2,` +
		`"writes":[{"k":"d","sha256":"d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35"}]}`
	if err != nil || string(raw) != want {
		t.Errorf("record %s, %v", raw, err)
	}
}

// TestTable does to both databases what TestBuffer does to the memory; keys come in the order of their bytes.
func TestTable(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		d, err := db.Open(t.Context(), fresh(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		b := &buffer{written: map[string]string{"a/B": "1", "a/a": "2", "a-b": "3", "a/é": "4", "b": "5"}}
		gone := &buffer{written: map[string]string{"a/B": "6"}, deleted: map[string]bool{"a/a": true, "z": true}}
		for n := range 2 * batch {
			b.written[fmt.Sprintf("many/%04d", n)] = "x"
		}
		for _, one := range []*buffer{b, gone} {
			if err := one.commitTo(d.Write); err != nil {
				t.Fatal(err)
			}
		}
		got, n := "", 0
		err = table{d.Read}.scan("a", "b", func(key, value string) error { got += key + "=" + value + " "; return nil })
		if err != nil || got != "a-b=3 a/B=6 a/é=4 " {
			t.Errorf("%s, %v", got, err)
		}
		if err := (table{d.Read}).scan("many/", "many0", func(string, string) error { n++; return nil }); err != nil || n != 2*batch {
			t.Errorf("%d of many keys, %v", n, err)
		}
	})
}

// TestEncode: however a record comes to its bytes, they are those of RFC 8785.
func TestEncode(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a.example/ledger", "<&>", "\u2028", `"\`, "\x7f", "é"}))
		args, err := json.Marshal(map[string]string{text.Draw(r, "name"): text.Draw(r, "value")})
		if err != nil {
			r.Fatal(err)
		}
		if args, err = jcs.Transform(args); err != nil {
			r.Fatal(err)
		}
		one := record{
			Args: args, At: "2026-11-20T12:00:00Z", Caller: text.Draw(r, "caller"), Function: text.Draw(r, "function"), Version: 2,
			Writes: []write{{text.Draw(r, "key"), "00"}}, Deletes: []string{text.Draw(r, "deleted")}, Event: &event{text.Draw(r, "event"), ""},
		}
		plain, err := json.Marshal(one)
		if err != nil {
			r.Fatal(err)
		}
		want, err := jcs.Transform(plain)
		if err != nil {
			r.Fatal(err)
		}
		if got, err := one.encode(); err != nil || string(got) != string(want) {
			r.Fatalf("%s, %v; want %s", got, err, want)
		}
	})
}
