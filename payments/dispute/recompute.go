package dispute

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// Recompute compiles the disputed month from evidence and from the reader's own ledger, without the lines that do not count
// ([report.Month.Doubtful]), and says what follows: keep when the same root comes out, remove when lines did not count,
// correct when the arithmetic was wrong. Whoever has the same ledger and the same file gets the same vote.
func Recompute(ctx context.Context, r contract.Reader, d contract.Dispute, file io.ReaderAt, size int64) (contract.Vote, error) {
	st, _, err := contract.Reported(ctx, r, d.Month, d.Node)
	if err != nil {
		return contract.Vote{}, err
	}
	m, err := prepare(ctx, r, d, st, file, size)
	if err != nil {
		return contract.Vote{}, err
	}
	doubtful, err := m.Doubtful(d.Artist)
	if err != nil {
		return contract.Vote{}, err
	}
	removed := false
	m.Tolerant = true
	m.Exclude = func(day string, l royalty.Line) bool {
		out := doubtful(day, l)
		removed = removed || out
		return out
	}
	compiled, err := m.Compile(nil, nil)
	if err != nil {
		return contract.Vote{}, fmt.Errorf("%w: %w", ErrEvidence, err)
	}
	v := contract.Vote{Dispute: d.ID, Verdict: contract.Keep, Root: compiled.Statement.SplitsRoot, Delta: []contract.ArtistTotal{}, Evidence: d.Evidence}
	if v.Root == d.SplitsRoot {
		return v, nil
	}
	v.Verdict = contract.Correct
	if removed {
		v.Verdict = contract.Remove
	}
	v.Delta = delta(st, compiled)
	return v, nil
}

// prepare reads the evidence and holds it against the ledger.
func prepare(ctx context.Context, r contract.Reader, d contract.Dispute, st contract.Statement, file io.ReaderAt, size int64) (report.Month, error) {
	m, err := report.Read(file, size)
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrEvidence, err)
	}
	if m.Node != d.Node || m.Month != d.Month {
		return m, fmt.Errorf("%w: it is of %s in %s", ErrEvidence, m.Node, m.Month)
	}
	var carried royalty.Micro
	for _, c := range m.Carried {
		if carried += c.Micro; carried < 0 || c.Micro > contract.MaxMicro {
			return m, fmt.Errorf("%w: what was carried is out of bounds", ErrEvidence)
		}
	}
	if carried != st.CarryIn {
		return m, fmt.Errorf("%w: %s was carried into the month, and it has %s", ErrEvidence, st.CarryIn, carried)
	}
	policy, err := contract.PolicyFor(ctx, r, d.Month)
	if err != nil {
		return m, err
	}
	days, err := report.Days(ctx, r, d.Month, d.Node)
	if err != nil {
		return m, err
	}
	payers, err := report.PayersOf(ctx, r, d.Month, d.Node)
	if err != nil {
		return m, err
	}
	return m.WithLedger(policy, days, payers), nil
}

// delta is what changes for each artist, in the order of their hashes, so that it adds up to nothing: what goes to nobody
// stands under the hash of what is carried, and what is too much for one vote under that of all others.
func delta(st contract.Statement, c report.Compiled) []contract.ArtistTotal {
	change := map[string]royalty.Micro{}
	for uri, micro := range c.Artists {
		change[contract.Digest("payee", uri)] += micro
	}
	known := int64(len(st.Artists)) == st.ArtistCount
	if !known {
		// The totals are under a root alone: only the sum can be told.
		change = map[string]royalty.Micro{contract.Digest("all", st.Node): c.Statement.Splits - st.Splits}
	}
	for _, t := range st.Artists {
		change[t.Artist] -= t.Micro
	}
	maps.DeleteFunc(change, func(_ string, m royalty.Micro) bool { return m == 0 })
	if len(change) >= contract.MaxLines {
		var sum royalty.Micro
		for _, m := range change {
			sum += m
		}
		change = map[string]royalty.Micro{contract.Digest("all", st.Node): sum}
	}
	var left royalty.Micro
	for _, m := range change {
		left -= m
	}
	if left != 0 || len(change) == 0 {
		change[contract.Digest("carry", st.Node)] = left
	}
	out := make([]contract.ArtistTotal, 0, len(change))
	for _, artist := range slices.Sorted(maps.Keys(change)) {
		out = append(out, contract.ArtistTotal{Artist: artist, Micro: change[artist]})
	}
	return out
}
