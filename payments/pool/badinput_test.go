package pool_test

import (
	"testing"

	"antiphon/internal/testkit"
)

// Listeners that an instance has invented: more than have paid.
func TestBadInput(t *testing.T) {
	t.Parallel()
	three := func(t *testing.T) *world {
		w := open(t, t.TempDir()+"/here.db")
		e := w.elsewhere(t, far+"/ledger", 'f')
		e.pays(t, "2026-10", 1, 3)
		w.Service = w.sharing(t, e)
		for n := 1; n <= 3; n++ {
			wantCode(t, "paid", w.Admit(t.Context(), claim(n)), "")
		}
		return w
	}
	testkit.BadInput(t, "G4", func(t *testing.T) {
		w := three(t)
		for n := 4; n < 50; n++ {
			wantCode(t, "one more than was paid", w.Admit(t.Context(), claim(n)), "too-many-listeners")
		}
		if n := w.count(t, "pool_admitted", "host = ?", far); n != 3 {
			t.Errorf("%d are admitted", n)
		}
	}, func(t *testing.T) {
		w := three(t)
		if n := w.count(t, "pool_admitted", "host = ?", far); n != 3 {
			t.Errorf("%d are admitted", n)
		}
	})
}
