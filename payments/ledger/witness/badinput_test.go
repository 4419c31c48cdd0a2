package witness_test

import (
	"errors"
	"path/filepath"
	"testing"

	"antiphon/internal/testkit"
	"antiphon/payments/ledger/witness"
)

// Two pasts of one ledger, each shown to a witness of its own.
func TestBadInput(t *testing.T) {
	t.Parallel()
	two := func(t *testing.T) (a, b *witness.Witness) {
		return newWitness(t, open(t, filepath.Join(t.TempDir(), "a.db")), nil), newWitness(t, open(t, filepath.Join(t.TempDir(), "b.db")), nil)
	}
	add := func(t *testing.T, w *witness.Witness, s witness.Submission) error {
		_, err := w.Add(t.Context(), s)
		return err
	}
	testkit.BadInput(t, "G6", func(t *testing.T) {
		a, b := two(t)
		one, other := newLog(t, 1).grow(0, 3), newLog(t, 1).grow(100, 3)
		if err := errors.Join(add(t, a, one.from(0)), add(t, b, other.from(0))); err != nil {
			t.Fatal(err)
		}
		sameA, sameB := other.from(0), one.from(0)
		sameA.Old, sameB.Old = 3, 3
		// As soon as one of them sees the other past, grown or not, it keeps both as evidence and signs nothing.
		one.grow(3, 2)
		other.grow(103, 2)
		for _, c := range []struct {
			w    *witness.Witness
			same witness.Submission
			more witness.Submission
		}{{a, sameA, other.from(3)}, {b, sameB, one.from(3)}} {
			conflict := (*witness.Conflict)(nil)
			if err := add(t, c.w, c.same); !errors.As(err, &conflict) || !conflict.Fork {
				t.Errorf("another past: %v", err)
			}
			if err := add(t, c.w, c.more); !errors.Is(err, witness.ErrProof) {
				t.Errorf("another past that has grown: %v", err)
			}
			if forks, err := c.w.Forks(t.Context(), origin); err != nil || len(forks) != 2 {
				t.Errorf("%d forks are kept, %v", len(forks), err)
			}
		}
	}, func(t *testing.T) {
		a, b := two(t)
		l := newLog(t, 1).grow(0, 3)
		if err := errors.Join(add(t, a, l.from(0)), add(t, b, l.from(0))); err != nil {
			t.Fatal(err)
		}
		l.grow(3, 2)
		if err := errors.Join(add(t, a, l.from(3)), add(t, b, l.from(3))); err != nil {
			t.Error(err)
		}
		for _, w := range []*witness.Witness{a, b} {
			if forks, err := w.Forks(t.Context(), origin); err != nil || len(forks) != 0 {
				t.Errorf("%d forks, %v", len(forks), err)
			}
		}
	})
}
