package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"antiphon/federation/evidence"
	"antiphon/internal/db"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	ada    = "https://s.example/users/ada"
	adaKey = ada + "#ed25519-1"
	asset  = "antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func key(seed byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)) }

func text(t testing.TB, k ed25519.PrivateKey) string {
	t.Helper()
	s, err := multikey.EncodeEd25519(k.Public().(ed25519.PublicKey))
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receipt is a receipt that the given key has signed.
func receipt(t testing.TB, k ed25519.PrivateKey) []byte {
	t.Helper()
	_, raw, err := proof.Sign(vocab.Receipt{
		ID: "https://s.example/receipts/1", AttributedTo: ada, To: "https://b.example/users/lin", Agreement: "https://s.example/agreements/1",
		Product: "https://s.example/products/9", Version: 1, Ground: vocab.GroundPayment,
		Price:    vocab.Price{Amount: "5000000", Asset: asset, Decimals: 6},
		Provider: "raiden", PaymentHash: bytes.Repeat([]byte{0xab}, 32),
		ReceivingKey: "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", RequestingKey: text(t, key(9)), PaidAt: now,
	}.Object(), k, adaKey, now)
	must(t, err)
	return raw
}

func snapshot(t testing.TB, k ed25519.PrivateKey) vocab.Snapshot {
	return vocab.Snapshot{ID: ada, ProofKeys: []vocab.Key{{ID: adaKey, Multikey: text(t, k)}}}
}

func bundled(t testing.TB, object []byte, p *ledger.RecordProof, keys ...vocab.Snapshot) []byte {
	t.Helper()
	raw, err := evidence.Bundle(object, keys, p)
	must(t, err)
	return raw
}

// given is a ring with ada's key.
func given(t testing.TB, k ed25519.PrivateKey) *evidence.Ring {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"keys": []any{snapshot(t, k).Object()}})
	must(t, err)
	ring := evidence.NewRing()
	must(t, ring.Give(raw))
	return ring
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good, other := key(1), key(2)
	seenLater := evidence.NewRing()
	must(t, seenLater.See(snapshot(t, good), now.Add(time.Hour), now.Add(2*time.Hour)))
	seen := evidence.NewRing()
	must(t, seen.See(snapshot(t, good), now.Add(-time.Hour), now))
	raw := receipt(t, good)
	for _, c := range []struct {
		name string
		file []byte
		ring *evidence.Ring
		at   time.Time
		by   evidence.By // empty for what is broken
	}{
		{"the key is given", raw, given(t, good), now, evidence.Given},
		{"the key was seen", raw, seen, now, evidence.Seen},
		{"the file brings the key that is given", bundled(t, raw, nil, snapshot(t, good)), given(t, good), now, evidence.Given},
		{"only the file brings the key", bundled(t, raw, nil, snapshot(t, good)), evidence.NewRing(), now, evidence.Nobody},
		{"the key was seen only later", bundled(t, raw, nil, snapshot(t, good)), seenLater, now, evidence.Nobody},
		{"the key was seen later, and later is now", raw, seenLater, now.Add(time.Hour), evidence.Seen},
		{"no key anywhere", raw, evidence.NewRing(), now, ""},
		{"signed with another key", receipt(t, other), given(t, good), now, ""},
		{"signed with another key, which the file brings", bundled(t, receipt(t, other), nil, snapshot(t, other)), given(t, good), now, ""},
		{"signed with another key, brought by the file to one who knows nothing", bundled(t, receipt(t, other), nil, snapshot(t, other)), evidence.NewRing(), now, evidence.Nobody},
		{"the key of somebody else", bundled(t, raw, nil, vocab.Snapshot{ID: ada + "2", ProofKeys: []vocab.Key{{ID: adaKey, Multikey: text(t, good)}}}), given(t, good), now, ""},
		{"made in the future", raw, given(t, good), now.Add(-time.Hour), ""},
		{"not JSON", []byte("receipt"), given(t, good), now, ""},
		{"an object without a proof", []byte(`{"type":["Receipt","Document"]}`), given(t, good), now, ""},
		{"another type", []byte(`{"type":"Note"}`), given(t, good), now, ""},
		{"twice the same member", []byte(`{"type":"Note","type":"Note"}`), given(t, good), now, ""},
		{"more in the bundle", []byte(`{"object":` + string(raw) + `,"more":1}`), given(t, good), now, ""},
		{"a checkpoint alone", []byte(`{"object":` + string(raw) + `,"checkpoint":"x"}`), given(t, good), now, ""},
	} {
		f, err := evidence.Check(c.file, c.ring, c.at)
		switch {
		case c.by == "" && !errors.Is(err, evidence.ErrBroken):
			t.Errorf("%s: %+v, %v", c.name, f.Trust, err)
		case c.by != "" && (err != nil || f.Trust.By != c.by):
			t.Errorf("%s: by %q, %v, want %q", c.name, f.Trust.By, err, c.by)
		}
	}
}

// TestEveryByte changes each byte of a receipt and of a bundle in several ways: none is accepted with a known key.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	good := key(1)
	raw := receipt(t, good)
	p, notes := recorded(t, "", text(t, good))
	ring := given(t, good)
	must(t, ring.Give(notes))
	for name, file := range map[string][]byte{
		"receipt": raw, "bundle": bundled(t, raw, nil, snapshot(t, good)), "ledger": bundled(t, raw, &p, snapshot(t, good)),
	} {
		if f, err := evidence.Check(file, ring, now); err != nil || f.Trust.By != evidence.Given {
			t.Fatalf("%s: %+v, %v", name, f, err)
		}
		changed := make([]byte, len(file))
		for i := range file {
			// The lowest bit makes another letter or digit, and the sixth the other case.
			for _, flip := range []byte{1, 1 << 5} {
				if name != "receipt" && i%2 == int(flip&1) {
					continue // the longer files take half as long, and still lose every byte
				}
				copy(changed, file)
				changed[i] ^= flip
				if _, err := evidence.Check(changed, ring, now); err == nil {
					t.Errorf("%s: byte %d is %q instead of %q, and that is accepted: …%s…", name, i, changed[i], file[i], changed[max(0, i-40):min(len(file), i+40)])
				}
			}
		}
	}
}

// recorded is a ledger's proof of the receipt's payment, with the checkpoint's signers cut to those that are wanted, and
// the file of the ledger's and a witness's keys.
func recorded(t testing.TB, order, proofKey string) (ledger.RecordProof, []byte) {
	t.Helper()
	d, err := db.Open(t.Context(), t.TempDir()+"/ledger.db", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	l, err := ledger.New(ledger.Config{Origin: "s.example/ledger", Key: key(5), Now: func() time.Time { return now }})
	must(t, err)
	if order == "" {
		order = "https://s.example/agreements/1"
	}
	for n, p := range []ledger.Payment{
		{Order: "https://s.example/agreements/0", Payee: ada, Amount: amount.New(1, asset), Provider: "raiden", PaymentHash: strings.Repeat("00", 32)},
		{Order: order, Payee: ada, Amount: amount.New(5_000_000, asset), Provider: "raiden", PaymentHash: strings.Repeat("ab", 32), ProofKey: proofKey},
		{Order: "https://s.example/agreements/2", Payee: ada, Amount: amount.New(1, asset), Provider: "raiden", PaymentHash: strings.Repeat("11", 32)},
	} {
		tx := d.Write.Begin()
		if _, err := l.Post(t.Context(), tx, p); err != nil {
			t.Fatalf("post %d: %v", n, err)
		}
		must(t, tx.Commit().Error)
	}
	n, err := ledger.FindPayment(t.Context(), d.Read, strings.Repeat("ab", 32))
	must(t, err)
	p, err := l.ProveRecord(t.Context(), d.Read, n)
	must(t, err)
	vkey, err := note.NewEd25519VerifierKey("s.example/ledger", key(5).Public().(ed25519.PublicKey))
	must(t, err)
	notes, err := json.Marshal(map[string]any{"notes": []string{vkey}})
	must(t, err)
	return p, notes
}

func TestLedger(t *testing.T) {
	t.Parallel()
	good := key(1)
	raw := receipt(t, good)
	p, notes := recorded(t, "", text(t, good))
	ring := evidence.NewRing()
	must(t, ring.Give(notes))

	f, err := evidence.Check(bundled(t, raw, &p, snapshot(t, good)), ring, now)
	if err != nil || f.Trust.By != evidence.Ledger || f.Record != 1 || f.Trust.Signers[0] != "s.example/ledger" {
		t.Errorf("recorded: %+v, %v", f, err)
	}
	if f, err := evidence.Check(bundled(t, raw, &p, snapshot(t, good)), evidence.NewRing(), now); err != nil || f.Trust.By != evidence.Nobody || f.Record != -1 {
		t.Errorf("a checkpoint of an unknown key: %+v, %v", f.Trust, err)
	}
	// Signed again with a key that the file brings: the ledger has recorded another one.
	if f, err := evidence.Check(bundled(t, receipt(t, key(2)), &p, snapshot(t, key(2))), ring, now); !errors.Is(err, evidence.ErrBroken) {
		t.Errorf("signed again: %+v, %v", f.Trust, err)
	}
	for name, record := range map[string][2]string{"no key": {"", ""}, "another order": {"https://s.example/agreements/x", text(t, good)}} {
		p, _ := recorded(t, record[0], record[1])
		if f, err := evidence.Check(bundled(t, raw, &p, snapshot(t, good)), ring, now); !errors.Is(err, evidence.ErrBroken) {
			t.Errorf("record of %s: %+v, %v", name, f.Trust, err)
		}
	}

	// A witness alone is known, and has cosigned.
	skey, vkey, err := note.GenerateKey(zeros{}, "w.example/witness")
	must(t, err)
	witness, err := fnote.NewSignerForCosignatureV1(skey)
	must(t, err)
	n, err := note.Open(p.Checkpoint, note.VerifierList())
	unverified := (*note.UnverifiedNoteError)(nil)
	if !errors.As(err, &unverified) {
		t.Fatal(n, err)
	}
	cosigned, err := note.Sign(unverified.Note, witness)
	must(t, err)
	knowsWitness := evidence.NewRing()
	file, err := json.Marshal(map[string]any{"notes": []string{vkey}})
	must(t, err)
	must(t, knowsWitness.Give(file))
	if _, err := evidence.Check(bundled(t, raw, &p, snapshot(t, good)), knowsWitness, now); !errors.Is(err, evidence.ErrBroken) {
		t.Errorf("the witness has not signed: %v", err)
	}
	p.Checkpoint = cosigned
	f, err = evidence.Check(bundled(t, raw, &p, snapshot(t, good)), knowsWitness, now)
	if err != nil || f.Trust.By != evidence.Ledger || f.Trust.Signers[0] != "w.example/witness" {
		t.Errorf("cosigned: %+v, %v", f.Trust, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestGiveRefuses(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		``, `[]`, `{}`, `{"keys":{}}`, `{"keys":[{}]}`, `{"id":"https://s.example/users/ada"}`, `{"notes":["x"]}`, `{"notes":"x"}`,
		`{"keys":[{"id":"https://s.example/users/ada","assertionMethod":[{"id":"https://x.example/#k","type":"Multikey"}]}]}`,
	} {
		if err := evidence.NewRing().Give([]byte(file)); err == nil {
			t.Errorf("%s is taken", file)
		}
	}
}

func FuzzCheck(f *testing.F) {
	good := key(1)
	raw := receipt(f, good)
	p, notes := recorded(f, "", text(f, good))
	f.Add(raw)
	f.Add(bundled(f, raw, nil, snapshot(f, good)))
	f.Add(bundled(f, raw, &p, snapshot(f, good)))
	ring := given(f, key(3))
	must(f, ring.Give(notes))
	f.Fuzz(func(t *testing.T, file []byte) {
		// The ring knows another key for ada: what is accepted would be a forgery.
		if found, err := evidence.Check(file, ring, now); err == nil && found.Trust.By == evidence.Given {
			t.Errorf("%+v", found)
		}
	})
}
