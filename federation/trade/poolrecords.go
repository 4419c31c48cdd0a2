package trade

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
	"antiphon/payments/ledger"
	"antiphon/payments/pool"
	"antiphon/payments/royalty"
)

// PoolPath is where an instance of a pool answers for what its members have paid, by month.
const PoolPath = "/antiphon/v1/pool/"

// PoolRecords answers an instance of the pool, which signs as its actor, with what this instance's ledger says of its
// members' payments for a month: a [pool.Page] of the records from ?from= on.
func (s *Service) PoolRecords() http.Handler {
	verifier := &httpsig.Verifier{Origin: s.BaseURL, Keys: s.Actors.Keys(), Now: s.Now}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		key, err := verifier.Verify(r.Context(), r, nil)
		if err != nil {
			http.Error(w, "the signature was not accepted: "+err.Error(), http.StatusUnauthorized)
			return
		}
		month, err := royalty.ParseMonth(strings.TrimPrefix(r.URL.Path, PoolPath))
		from, number := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
		if err != nil || number != nil || from < 0 {
			http.Error(w, "ask for a month such as 2026-11, from a record on", http.StatusBadRequest)
			return
		}
		if instance, err := instanceOf(key.Owner); err != nil || instance != key.Owner || !s.Pool.Pool.Shares(actor.HostOf(key.Owner)) {
			http.Error(w, "your instance is not of this pool", http.StatusForbidden)
			return
		}
		page, err := s.poolPage(r.Context(), month, from)
		if err != nil {
			s.Log.Error("payments of the pool not served", "error", err)
			http.Error(w, "this server has a problem; try again later", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(page); err != nil {
			s.Log.Debug("answer not taken", "error", err)
		}
	})
}

// maxPage is how many bytes of records a page has; one record always fits.
const maxPage = 600 << 10

func (s *Service) poolPage(ctx context.Context, month royalty.Month, from int64) (pool.Page, error) {
	page := pool.Page{Key: s.Pool.LedgerKey, Records: []ledger.RecordProof{}}
	if s.Pool.Ledger == nil {
		return page, nil
	}
	numbers, err := ledger.FindSubscriptions(ctx, s.DB.Read, month, from, pool.MaxRecords+1)
	if err != nil {
		return page, err
	}
	size := 0
	for i, n := range numbers {
		if page.More = i == pool.MaxRecords || size > maxPage; page.More {
			break
		}
		proof, err := s.Pool.Ledger.ProveRecord(ctx, s.DB.Read, n)
		if err != nil {
			return page, err
		}
		size += len(proof.Record)
		page.Records = append(page.Records, proof)
	}
	return page, nil
}

// ledgers reads those of other instances of the pool.
type ledgers struct {
	scheme string
	ask    func(ctx context.Context, uri string) ([]byte, error)
}

// PoolLedgers reads what the ledgers of other instances say of payments, by ask: a request that the instance's actor signs.
// base tells how instances are reached, by https or not.
func PoolLedgers(base string, ask func(ctx context.Context, uri string) ([]byte, error)) pool.Records {
	scheme, _, _ := strings.Cut(base, "://")
	return ledgers{scheme, ask}
}

// Page implements [pool.Records].
func (l ledgers) Page(ctx context.Context, host string, month royalty.Month, from int64) (pool.Page, error) {
	var page pool.Page
	body, err := l.ask(ctx, l.scheme+"://"+host+PoolPath+string(month)+"?from="+strconv.FormatInt(from, 10))
	if err != nil {
		return page, err
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return page, fmt.Errorf("payments of %s: %w", host, err)
	}
	if slices.ContainsFunc(page.Records, func(p ledger.RecordProof) bool { return len(p.Record) == 0 }) {
		return page, fmt.Errorf("payments of %s: a record is missing", host)
	}
	return page, nil
}
