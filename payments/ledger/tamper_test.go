package ledger_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
)

// cosigner is a witness that signs whatever it is shown.
func cosigner(t testing.TB, name string, seed byte) (vkey string, sign func(signed []byte) []byte) {
	t.Helper()
	secret := make([]byte, ed25519.SeedSize)
	secret[0] = seed
	plain, err := note.NewEd25519VerifierKey(name, ed25519.NewKeyFromSeed(secret).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := fnote.NewSignerForCosignatureV1(fmt.Sprintf("PRIVATE+KEY+%s+00000000+%s", name, base64.StdEncoding.EncodeToString(append([]byte{4}, secret...))))
	if err != nil {
		t.Fatal(err)
	}
	vkey, err = fnote.VKeyToCosignatureV1(plain)
	if err != nil {
		t.Fatal(err)
	}
	return vkey, func(signed []byte) []byte {
		n, err := note.Open(signed, note.VerifierList())
		unverified := (*note.UnverifiedNoteError)(nil)
		if !errors.As(err, &unverified) {
			t.Fatal(n, err)
		}
		both, err := note.Sign(&note.Note{Text: unverified.Note.Text}, signer)
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(string(both), "\n\n")
		return []byte(line)
	}
}

// small is a ledger with records of both versions over three days, and a cosignature.
func small(t testing.TB, b bundle) {
	t.Helper()
	if _, err := b.post(t.Context(), payment(1, 10)); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(24 * time.Hour)
	e := ledger.Embedded{Ledger: b.Ledger, DB: b.db}
	for _, c := range []contract.Command{contract.DefaultPolicy("2026-11"), contracttest.Nodes("music.example/ledger")[0]} {
		if err := e.Submit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(time.Hour)
	}
	b.cosign(t, "w.example/witness", 7)
	b.clock.Advance(24 * time.Hour)
	if _, err := b.post(t.Context(), payment(2, 10)); err != nil {
		t.Fatal(err)
	}
	b.verify(t, 4)
}

func (b bundle) cosign(t testing.TB, name string, seed byte) {
	t.Helper()
	vkey, sign := cosigner(t, name, seed)
	head, err := b.Checkpoint(t.Context(), b.db.Read)
	if err != nil {
		t.Fatal(err)
	}
	size, err := ledger.Size(t.Context(), b.db.Read)
	if err != nil {
		t.Fatal(err)
	}
	err = b.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return b.AddCosignature(ctx, tx, size, vkey, sign(head)) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestEveryColumn changes a byte in every place of every row of every table of the ledger that there is in the schema:
// VerifyAll finds each. Of long values a dozen bytes are tried, and the last ones.
func TestEveryColumn(t *testing.T) {
	t.Parallel()
	b := setup(t, sqlite(t))
	small(t, b)
	var tables []string
	if err := b.db.Read.Raw("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ledger_%'").Scan(&tables).Error; err != nil || len(tables) < 5 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	tried := 0
	for _, table := range tables {
		var columns []string
		if err := b.db.Read.Raw("SELECT name FROM pragma_table_info(?)", table).Scan(&columns).Error; err != nil {
			t.Fatal(err)
		}
		for _, column := range columns {
			tried += flip(t, b, table, column)
		}
	}
	b.verify(t, 4)
	t.Logf("%d changes in %v, all found", tried, tables)
}

func flip(t *testing.T, b bundle, table, column string) int {
	t.Helper()
	var ids []int64
	if err := b.db.Read.Raw("SELECT rowid FROM " + table).Scan(&ids).Error; err != nil || len(ids) == 0 {
		t.Fatalf("%s has no rows: %v", table, err)
	}
	tried := 0
	for _, id := range ids {
		var kind string
		if err := b.db.Read.Raw("SELECT typeof("+column+") FROM "+table+" WHERE rowid = ?", id).Scan(&kind).Error; err != nil {
			t.Fatal(err)
		}
		try := func(what string, change, back any) {
			t.Helper()
			if err := b.db.Write.Exec("UPDATE "+table+" SET "+column+" = ? WHERE rowid = ?", change, id).Error; errors.Is(err, gorm.ErrDuplicatedKey) {
				return // the table itself refuses it
			} else if err != nil {
				t.Fatalf("%s.%s: %v", table, column, err)
			}
			tried++
			if _, err := b.VerifyAll(t.Context(), b.db.Read); !errors.Is(err, ledger.ErrTampered) {
				t.Errorf("%s.%s, row %d, %s: %v", table, column, id, what, err)
			}
			if r := b.db.Write.Exec("UPDATE "+table+" SET "+column+" = ? WHERE rowid = ?", back, id); r.Error != nil || r.RowsAffected != 1 {
				t.Fatalf("%s.%s is not put back: %v", table, column, r.Error)
			}
		}
		if kind == "integer" {
			var n int64
			if err := b.db.Read.Raw("SELECT "+column+" FROM "+table+" WHERE rowid = ?", id).Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			try("plus a thousand", n+1000, n)
			continue
		}
		var raw []byte
		if err := b.db.Read.Raw("SELECT CAST("+column+" AS BLOB) FROM "+table+" WHERE rowid = ?", id).Row().Scan(&raw); err != nil {
			t.Fatal(err)
		}
		value := func(raw []byte) any {
			if kind == "text" {
				return string(raw)
			}
			return raw
		}
		step := max(1, len(raw)/12)
		for at := range raw {
			if at%step != 0 && at != len(raw)-1 && at != len(raw)-2 {
				continue
			}
			changed := append([]byte(nil), raw...)
			changed[at] ^= 1
			try(fmt.Sprintf("byte %d of %d", at, len(raw)), value(changed), value(raw))
		}
	}
	return tried
}

// TestBase64HasOneForm: the last letter of a signature has bits that mean nothing; they are checked all the same.
func TestBase64HasOneForm(t *testing.T) {
	t.Parallel()
	b := setup(t, sqlite(t))
	small(t, b)
	for table, column := range map[string]string{"ledger_checkpoints": "note", "ledger_cosignatures": "line"} {
		var text string
		if err := b.db.Read.Table(table).Select(column).Limit(1).Scan(&text).Error; err != nil {
			t.Fatal(err)
		}
		i := strings.LastIndexAny(strings.TrimRight(text, "=\n"), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
		for _, letter := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
			changed := text[:i] + string(letter) + text[i+1:]
			if changed == text {
				continue
			}
			if err := b.db.Write.Exec("UPDATE "+table+" SET "+column+" = ? WHERE "+column+" = ?", changed, text).Error; err != nil {
				t.Fatal(err)
			}
			if _, err := b.VerifyAll(t.Context(), b.db.Read); !errors.Is(err, ledger.ErrTampered) {
				t.Errorf("%s ends in %c: %v", table, letter, err)
			}
			if err := b.db.Write.Exec("UPDATE "+table+" SET "+column+" = ? WHERE "+column+" = ?", text, changed).Error; err != nil {
				t.Fatal(err)
			}
		}
	}
	b.verify(t, 4)
}

// TestCosignatures: they stand beside the checkpoint, the last of a day; those of another ledger are refused.
func TestCosignatures(t *testing.T) {
	both(t, func(t *testing.T, b bundle) {
		for i := range 3 {
			if _, err := b.post(t.Context(), payment(i, 10)); err != nil {
				t.Fatal(err)
			}
			b.cosign(t, "w.example/witness", 7)
			b.cosign(t, "v.example/witness", 8)
		}
		head, err := b.Checkpoint(t.Context(), b.db.Read)
		if err != nil || strings.Count(string(head), "\n— ") != 3 {
			t.Errorf("checkpoint %s, %v", head, err)
		}
		p, err := b.ProveRecord(t.Context(), b.db.Read, 1)
		if err != nil {
			t.Fatal(err)
		}
		vkey, sign := cosigner(t, "w.example/witness", 7)
		witness, err := fnote.NewVerifierForCosignatureV1(vkey)
		if err != nil {
			t.Fatal(err)
		}
		if by, err := p.Witnessed("music.example", witness); err != nil || len(by) != 1 {
			t.Errorf("witnessed by %v, %v", by, err)
		}
		all, err := ledger.Witnesses(t.Context(), b.db.Read)
		if err != nil || len(all) != 2 || all[1].Name != "w.example/witness" || all[1].Size != 3 || time.Since(all[1].At) > time.Hour {
			t.Errorf("%+v, %v", all, err)
		}
		b.verify(t, 3)
		other := setup(t, sqlite(t))
		if _, err := other.post(t.Context(), payment(9, 1)); err != nil {
			t.Fatal(err)
		}
		theirs, err := other.Checkpoint(t.Context(), other.db.Read)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			size  int64
			lines []byte
			key   string
			want  error
		}{
			"another ledger":   {1, sign(theirs), vkey, ledger.ErrTampered},
			"another size":     {2, sign(head), vkey, ledger.ErrTampered},
			"more than it has": {4, sign(head), vkey, ledger.ErrNotFound},
			"nothing":          {0, sign(head), vkey, ledger.ErrNotFound},
			"no key":           {3, sign(head), "key", ledger.ErrInvalid},
			"no line":          {3, nil, vkey, ledger.ErrTampered},
			"a flood":          {3, make([]byte, 1<<20), vkey, ledger.ErrInvalid},
		} {
			err := b.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return b.AddCosignature(ctx, tx, c.size, c.key, c.lines) })
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	})
}
