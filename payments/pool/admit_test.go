package pool_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
	"antiphon/payments/royalty"
)

const far = "far.example"

// elsewhere is the ledger of another instance, and whatever it makes of it.
type elsewhere struct {
	ledger.Embedded
	key string
	// spoil changes a page before it is given.
	spoil func(p *pool.Page)
	err   error
	asked int
}

func (w *world) elsewhere(t *testing.T, origin string, seed byte) *elsewhere {
	t.Helper()
	database, err := db.Open(t.Context(), t.TempDir()+"/there.db", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { _ = database.Close() })
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), 32)))
	book, err := ledger.New(ledger.Config{Origin: origin, Key: key, Now: w.now})
	must(t, err)
	text, err := note.NewEd25519VerifierKey(origin, key.Public().(ed25519.PublicKey))
	must(t, err)
	return &elsewhere{Embedded: ledger.Embedded{Ledger: book, DB: database}, key: text}
}

// pays posts payments of a month by listeners whose pseudonyms are counted from the first.
func (e *elsewhere) pays(t *testing.T, month royalty.Month, first, n int) {
	t.Helper()
	post := func(c contract.Command) { must(t, e.Submit(t.Context(), c)) }
	if _, err := contract.NodeAt(t.Context(), e, far); errors.Is(err, contract.ErrUnknown) {
		post(contract.DefaultPolicy(month))
		post(contract.Node{Host: far, Caller: e.Ledger.Verifier().Name(), Owner: contract.Digest("owner", far)})
	}
	batch := contract.Subscriptions{Node: far}
	for i := first; i < first+n; i++ {
		batch.Lines = append(batch.Lines, contract.Subscription{
			Pseudonym: fmt.Sprintf("%032x", i), Month: month, Micro: royalty.Fee, Paid: amount.New(10_000_000, asset), Provider: "raiden",
			PaymentHash: fmt.Sprintf("%064x", i),
		})
	}
	post(batch)
}

// Page implements pool.Records.
func (e *elsewhere) Page(ctx context.Context, _ string, month royalty.Month, from int64) (pool.Page, error) {
	e.asked++
	page := pool.Page{Key: e.key}
	numbers, err := ledger.FindSubscriptions(ctx, e.DB.Read, month, from, pool.MaxRecords+1)
	if err != nil || e.err != nil {
		return page, errors.Join(err, e.err)
	}
	for i, n := range numbers {
		if page.More = i == pool.MaxRecords; page.More {
			break
		}
		proof, err := e.Ledger.ProveRecord(ctx, e.DB.Read, n)
		if err != nil {
			return page, err
		}
		page.Records = append(page.Records, proof)
	}
	if e.spoil != nil {
		e.spoil(&page)
	}
	return page, nil
}

func claim(n int) pool.Claim {
	return pool.Claim{Host: far, Listener: fmt.Sprintf("https://%s/users/l%d", far, n), Month: "2026-10"}
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var refused *pool.Refusal
	if code == "" && err != nil || code != "" && (!errors.As(err, &refused) || refused.Code != code || refused.Words == "") {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

// TestNoMoreListenersThanPayments: listeners of another instance are admitted as far as its ledger proves payments. The
// other ledger lies in a database of its own, as on another machine.
func TestNoMoreListenersThanPayments(t *testing.T) {
	t.Parallel()
	w := open(t, t.TempDir()+"/here.db")
	e := w.elsewhere(t, far+"/ledger", 'f')
	s := w.sharing(t, e)
	ctx := t.Context()
	wantCode(t, "before anything was paid", s.Admit(ctx, claim(1)), "too-many-listeners")
	e.pays(t, "2026-10", 1, 2)
	e.pays(t, "2026-10", 3, 1)
	for n := 1; n <= 3; n++ {
		wantCode(t, "paid", s.Admit(ctx, claim(n)), "")
		wantCode(t, "paid, again", s.Admit(ctx, claim(n)), "")
	}
	wantCode(t, "one more than was paid", s.Admit(ctx, claim(4)), "too-many-listeners")
	for i := range 6 {
		e.pays(t, "2026-10", 10+i, 1)
	}
	asked := e.asked
	wantCode(t, "paid since", s.Admit(ctx, claim(4)), "")
	if e.asked != asked+2 { // six records are two pages
		t.Errorf("asked for %d pages", e.asked-asked)
	}
	for n := 5; n <= 9; n++ {
		wantCode(t, "paid since", s.Admit(ctx, claim(n)), "")
	}
	if e.asked != asked+2 {
		t.Errorf("asked again for what was known")
	}
	wantCode(t, "one too many", s.Admit(ctx, claim(10)), "too-many-listeners")

	other := claim(11)
	other.Host = "stranger.example"
	wantCode(t, "an instance of no pool", s.Admit(ctx, other), "not-in-pool")
	other = claim(11)
	other.Month = "2026-11"
	wantCode(t, "another month", s.Admit(ctx, other), "wrong-month")
	other = claim(11)
	other.Listener = "https://else.example/users/l"
	wantCode(t, "somebody else's listener", s.Admit(ctx, other), "forbidden")
}

// TestLedgersThatLie: what a ledger does not prove is not counted.
func TestLedgersThatLie(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t, t.TempDir()+"/here.db")
	for name, c := range map[string]struct {
		origin string
		spoil  func(p *pool.Page)
		err    error
		code   string
	}{
		"away":              {err: errors.New("connection refused"), code: "not-counted"},
		"a changed record":  {spoil: func(p *pool.Page) { p.Records[0].Record[20] ^= 1 }, code: "not-counted"},
		"no proof":          {spoil: func(p *pool.Page) { p.Records[0].Hashes = nil }, code: "not-counted"},
		"another key":       {spoil: func(p *pool.Page) { p.Key = "far.example/ledger+00000000+AAAA" }, code: "not-counted"},
		"a record twice":    {spoil: func(p *pool.Page) { p.Records = append(p.Records, p.Records[0]) }, code: "not-counted"},
		"too many records":  {spoil: func(p *pool.Page) { p.Records = make([]ledger.RecordProof, pool.MaxRecords+1) }, code: "not-counted"},
		"of another host":   {origin: "else.example/ledger", code: "not-counted"},
		"nothing but words": {spoil: func(p *pool.Page) { p.Records, p.More = nil, true }, code: "too-many-listeners"},
	} {
		t.Run(name, func(t *testing.T) {
			origin := c.origin
			if origin == "" {
				origin = far + "/ledger"
			}
			e := w.elsewhere(t, origin, 'f')
			s := w.sharing(t, e)
			e.pays(t, "2026-10", 1, 1)
			e.spoil, e.err = c.spoil, c.err
			wantCode(t, name, s.Admit(ctx, claim(1)), c.code)
			if w.count(t, "pool_admitted", "") != 0 {
				t.Error("somebody was admitted")
			}
		})
	}
}

// TestCopiesComeLate: what the own ledger has been told of another instance's payments is enough, and when it is not, the
// other one's ledger is read.
func TestCopiesComeLate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t, t.TempDir()+"/here.db")
	e := w.elsewhere(t, far+"/ledger", 'f')
	s := w.sharing(t, e)
	must(t, w.books.Submit(ctx, contract.DefaultPolicy("2026-10")))
	must(t, w.books.Submit(ctx, contract.Node{Host: far, Caller: far + "/ledger", Owner: contract.Digest("owner", far)}))
	told := func(first, n int) {
		batch := contract.Subscriptions{Node: far}
		for i := first; i < first+n; i++ {
			batch.Lines = append(batch.Lines, contract.Subscription{
				Pseudonym: fmt.Sprintf("%032x", i), Month: "2026-10", Micro: royalty.Fee, Paid: amount.New(10_000_000, asset), Provider: "raiden",
				PaymentHash: fmt.Sprintf("%064x", i),
			})
		}
		must(t, w.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			_, err := w.books.Ledger.PostAs(ctx, tx, far+"/ledger", batch)
			return err
		}))
	}
	e.pays(t, "2026-10", 1, 2)
	wantCode(t, "before the copy came", s.Admit(ctx, claim(1)), "")
	told(1, 2)
	asked := e.asked
	wantCode(t, "after it came", s.Admit(ctx, claim(2)), "")
	e.err = errors.New("connection refused")
	wantCode(t, "no place, and the other is away", s.Admit(ctx, claim(3)), "not-counted")
	told(3, 2)
	wantCode(t, "a copy, while the other is away", s.Admit(ctx, claim(3)), "")
	wantCode(t, "a copy, while the other is away", s.Admit(ctx, claim(4)), "")
	if e.asked != asked+1 {
		t.Errorf("asked %d times for what was known", e.asked-asked-1)
	}
	e.err = nil
	e.pays(t, "2026-10", 3, 2)
	wantCode(t, "one more than was paid", s.Admit(ctx, claim(5)), "too-many-listeners")
	e.pays(t, "2026-10", 5, 1)
	wantCode(t, "paid since, and told to nobody", s.Admit(ctx, claim(5)), "")
	wantCode(t, "one more than was paid", s.Admit(ctx, claim(6)), "too-many-listeners")
}

// TestALedgersKeyIsPinned: a ledger that comes back with another key is not believed.
func TestALedgersKeyIsPinned(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t, t.TempDir()+"/here.db")
	e := w.elsewhere(t, far+"/ledger", 'f')
	s := w.sharing(t, e)
	e.pays(t, "2026-10", 1, 1)
	wantCode(t, "first", s.Admit(ctx, claim(1)), "")
	forged := w.elsewhere(t, far+"/ledger", 'g')
	forged.pays(t, "2026-10", 1, 400)
	forged.pays(t, "2026-10", 500, 400)
	*e = *forged
	wantCode(t, "with another key", s.Admit(ctx, claim(2)), "ledger-key")
}
