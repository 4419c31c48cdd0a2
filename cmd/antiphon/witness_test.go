package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	seen "antiphon/federation/witness"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
)

// bookkeeper is an instance with a server for its pages, of which the ledger is used.
type bookkeeper struct {
	*house
	t    *testing.T
	file string
}

// keepBooks opens one; it asks the given witnesses.
func keepBooks(t *testing.T, witnesses ...string) *bookkeeper {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	b := &bookkeeper{t: t, file: filepath.Join(dir, "antiphon.toml")}
	quoted := fmt.Sprintf("%q", witnesses)
	text := fmt.Sprintf("[server]\nbase_url = %q\ndata_dir = %q\ndevelopment = true\n[ledger]\nwitnesses = %s\n", server.URL, filepath.Join(dir, "data"), strings.ReplaceAll(quoted, `" "`, `", "`))
	if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(b.file, false, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	b.house, err = openHouse(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	handler = b.handler
	return b
}

func (b *bookkeeper) post(n int, units uint64) {
	b.t.Helper()
	err := b.db.Tx(b.t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		_, err := b.ledger.Post(ctx, tx, ledger.Payment{
			Order: fmt.Sprint("https://a.example/agreements/", n), Payee: "https://a.example/users/ada", Amount: amount.New(units, "iso4217:EUR"),
			Provider: "manual", PaymentHash: fmt.Sprintf("%064x", n),
		})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// verify is antiphon ledger verify.
func (b *bookkeeper) verify(args ...string) (string, error) {
	b.t.Helper()
	var out bytes.Buffer
	err := runLedger(b.t.Context(), append([]string{"--config", b.file, "verify"}, args...), &out, &out)
	return out.String(), err
}

// TestLedgerRewritten: two instances; one rewrites its log by hand, whole and with its own key. The other one refuses it and
// keeps both, and antiphon ledger verify ends with an error.
func TestLedgerRewritten(t *testing.T) {
	t.Parallel()
	b := keepBooks(t)
	a := keepBooks(t, b.config.Server.BaseURL)
	for n := range 4 {
		a.post(n, 10)
	}
	if err := a.witnesses.Ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	address := b.config.Server.BaseURL
	out, err := a.verify("--witness", address)
	if err != nil || !strings.Contains(out, "4 records") || !strings.Contains(out, "/witness has signed for 4 of them") || !strings.Contains(out, "has seen 4 records") {
		t.Fatalf("before: %v\n%s", err, out)
	}
	for _, table := range []string{"ledger_entries", "ledger_nodes", "ledger_checkpoints", "ledger_state"} {
		if err := a.db.Write.Exec("DELETE FROM " + table).Error; err != nil {
			t.Fatal(err)
		}
	}
	for n := range 6 {
		a.post(n, 9)
	}
	if out, err := a.verify(); err == nil || !strings.Contains(err.Error(), "has signed another ledger") {
		t.Errorf("with the old cosignature: %v\n%s", err, out)
	}
	if err := a.db.Write.Exec("DELETE FROM ledger_cosignatures").Error; err != nil {
		t.Fatal(err)
	}
	// Nothing that lies here tells any more: only the witness does.
	if out, err := a.verify(); err != nil {
		t.Errorf("a whole past: %v\n%s", err, out)
	}
	if out, err := a.verify("--witness", address); err == nil || !strings.Contains(err.Error(), "not the ledger that the witness has seen") {
		t.Errorf("compared: %v\n%s", err, out)
	}
	if err := a.witnesses.Ask(t.Context()); err == nil {
		t.Error("the witness signs for another past")
	}
	if out, err := a.verify(); err == nil || !strings.Contains(err.Error(), "refuses to sign") {
		t.Errorf("refused: %v\n%s", err, out)
	}
	var kept int64
	if err := b.db.Read.Table("witnessed_forks").Where("origin = ?", a.ledger.Verifier().Name()).Count(&kept).Error; err != nil || kept != 1 {
		t.Errorf("%d forks are kept, %v", kept, err)
	}
	if _, err := seen.Compare(t.Context(), b.http, a.ledger, a.db.Read, "http://127.0.0.1:1"); err == nil {
		t.Error("nobody was asked, and said yes")
	}
	if b.config.Ledger.WitnessFor = nil; b.signsFor(t.Context(), "a.example") {
		t.Error("signs for everybody when it is to sign for nobody")
	}
	if b.config.Ledger.WitnessFor = []string{"a.example"}; !b.signsFor(t.Context(), "a.example") || b.signsFor(t.Context(), "c.example") {
		t.Error("signs for other hosts than it is told")
	}
	if b.config.Ledger.WitnessFor = []string{"known"}; b.signsFor(t.Context(), "c.example") {
		t.Error("signs for somebody whom nobody knows")
	}
	if _, err := a.verify("--witness"); err == nil {
		t.Error("--witness without an address")
	}
	if err := runLedger(t.Context(), []string{"key", "--witness", address}, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
		t.Error("--witness with key")
	}
}
