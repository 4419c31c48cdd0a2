package trade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
	"antiphon/federation/inbox"
	"antiphon/federation/outbox"
	"antiphon/internal/jobs"
	"antiphon/media/access"
	"antiphon/payments/ledger"
	"antiphon/payments/pool"
	"antiphon/payments/royalty"
	"antiphon/vocab"
)

// PoolPath is where an instance of a pool answers for what its members have paid, by month.
const PoolPath = "/antiphon/v1/pool/"

// membershipLife is how long a membership that is shown to somebody can be used.
const membershipLife = 24 * time.Hour

// PoolParts are what the pool's part of the room is joined with.
type PoolParts struct {
	Pool *pool.Service
	// Tracks are the published tracks that a local artist has put into the pool, the latest first.
	Tracks func(ctx context.Context, artist string) ([]string, error)
	// Ledger and LedgerKey, its verifier key, are the instance's own; nil when it has none of its own.
	Ledger    *ledger.Ledger
	LedgerKey string
}

func (s *Service) registerPool(q *jobs.Queue) {
	if s.Pool == nil {
		return
	}
	worker(q, func(ctx context.Context, f pool.Asking) error { return s.showMembership(ctx, f.Offer) })
}

func (s *Service) receivePool(in *inbox.Inbox) {
	if s.Pool == nil {
		return
	}
	in.Handle(vocab.VerbOffer, string(vocab.KindMembership), s.judged(s.offerMembership))
}

// instanceOf is the actor of the instance that somebody lives on. Every Antiphon instance has it at the same place.
func instanceOf(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("instance of %q: %w", uri, vocab.ErrInvalid)
	}
	return u.Scheme + "://" + u.Host + "/actor", nil
}

// showMembership asks an artist's instance for a member's grant of this month, as soon as the payment stands on the ledger,
// where the other side looks for it.
func (s *Service) showMembership(ctx context.Context, offer string) error {
	q, err := s.Pool.Pool.Asked(ctx, offer)
	if errors.Is(err, pool.ErrNotFound) {
		return nil // there is a later try
	}
	if err != nil || q.State != pool.AskWaiting {
		return err
	}
	if posted, err := s.Pool.Pool.Posted(ctx, q.Listener, q.Month); err != nil {
		return err
	} else if !posted {
		if royalty.MonthOf(s.Now()) != q.Month {
			return nil
		}
		return jobs.Later(time.Second)
	}
	seller, err := instanceOf(q.Artist)
	if err != nil {
		return err
	}
	m := vocab.Membership{
		AttributedTo: s.Access.InstanceActor(), Subject: q.Listener, Audience: seller, Month: string(q.Month),
		ReceivingKey: q.ReceivingKey, RequestingKey: q.RequestingKey, EndTime: s.Now().UTC().Truncate(time.Second).Add(membershipLife),
	}
	if s.Actors.Own(q.Artist) {
		return s.lendHere(ctx, q, m)
	}
	raw, err := s.sign(ctx, m.AttributedTo, m.Object())
	if err != nil {
		return err
	}
	return s.send(ctx, nil, vocab.Activity{
		ID: q.Offer, Type: vocab.VerbOffer, Actor: m.AttributedTo, Object: vocab.Ref{Raw: raw}, Target: vocab.Ref{ID: q.Artist}, To: []string{seller},
	})
}

// lendHere is what happens to a membership when the artist lives here too: nothing is signed, and nothing travels.
func (s *Service) lendHere(ctx context.Context, q pool.Question, m vocab.Membership) error {
	home, err := s.Actors.Local(ctx, m.AttributedTo)
	if err != nil {
		return err
	}
	err = s.lend(ctx, m, home, q.Artist)
	refused := refusalOf(err)
	if refused == nil {
		return err
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return s.Pool.Pool.Refused(tx, s.Actors.Host(), q.Offer, refused.Code, refused.Words)
	})
}

// offerMembership grants a member of an instance of the pool what a local artist has put into it, for a month.
func (s *Service) offerMembership(ctx context.Context, in inbox.Incoming) error {
	offer := in.Activity
	verified, err := s.check(ctx, offer.Object.Raw, in.Actor.URI)
	if err != nil {
		return fmt.Errorf("membership: %w", err)
	}
	m, err := vocab.ReadMembership(verified.Raw)
	if err != nil {
		return fmt.Errorf("membership: %w", err)
	}
	if m.EndTime.After(verified.Created.Add(membershipLife)) {
		return s.reject(ctx, offer, s.Access.InstanceActor(), "too-long", "A membership holds for a day at most.")
	}
	err = s.lend(ctx, m, in.Actor, offer.Target.ID)
	if refused := refusalOf(err); refused != nil {
		return s.reject(ctx, offer, s.Access.InstanceActor(), refused.Code, refused.Words)
	}
	return err
}

// refusalOf is the no in an error, nil when there is none.
func refusalOf(err error) *pool.Refusal {
	var refused *pool.Refusal
	var byAccess *access.Refusal
	if !errors.As(err, &refused) && errors.As(err, &byAccess) {
		refused = &pool.Refusal{Code: byAccess.Code, Words: byAccess.Words}
	}
	return refused
}

// lend checks a membership that its own instance has signed, and grants.
func (s *Service) lend(ctx context.Context, m vocab.Membership, home actor.Actor, artist string) error {
	now := s.Now()
	instance, err := instanceOf(home.URI)
	if err != nil {
		return err
	}
	switch {
	case m.AttributedTo != home.URI || home.URI != instance:
		return &pool.Refusal{Code: "forbidden", Words: "Only an instance itself says who its members are."}
	case m.Audience != s.Access.InstanceActor():
		return &pool.Refusal{Code: "audience", Words: "This membership was shown to another instance."}
	case !s.Pool.Pool.Shares(actor.HostOf(home.URI)):
		// Nobody else has us fetch anything.
		return &pool.Refusal{Code: "not-in-pool", Words: "This instance shares no listening pool with yours."}
	case !m.EndTime.After(now):
		return &pool.Refusal{Code: "expired", Words: "This membership has expired."}
	}
	month, err := royalty.ParseMonth(m.Month)
	if err != nil {
		return fmt.Errorf("membership: %w: %w", vocab.ErrInvalid, err)
	}
	if !s.Actors.Own(artist) {
		return &pool.Refusal{Code: "unknown-artist", Words: "This artist does not live here."}
	}
	if err := s.knowsKeys(ctx, m); err != nil {
		return err
	}
	product, err := s.openPool(ctx, artist, month)
	if err != nil {
		return err
	}
	if err := s.Access.CheckReceivingKey(ctx, product.URI, m.ReceivingKey); err != nil {
		return &pool.Refusal{Code: "bad-key", Words: "Nothing can be granted to this receiving key."}
	}
	if err := s.Pool.Pool.Admit(ctx, pool.Claim{Host: actor.HostOf(home.URI), Listener: m.Subject, Month: month}); err != nil {
		return err
	}
	return s.grantPool(ctx, m, product, month)
}

// knowsKeys refuses keys that the listener does not publish.
func (s *Service) knowsKeys(ctx context.Context, m vocab.Membership) error {
	listener, err := s.Actors.Find(ctx, m.Subject, true)
	if errors.Is(err, actor.ErrNotFound) || errors.Is(err, actor.ErrGone) {
		return &pool.Refusal{Code: "unknown-listener", Words: "This listener is not known."}
	}
	if err != nil {
		return fmt.Errorf("fetch listener: %w", err)
	}
	if listener.ReceivingKey != m.ReceivingKey || listener.RequestingKey != m.RequestingKey {
		return &pool.Refusal{Code: "unknown-key", Words: "The keys of the membership are not the ones that the listener publishes."}
	}
	return nil
}

// period is a month as the version of a product.
func period(month royalty.Month) int {
	start := month.Start()
	return start.Year()*100 + int(start.Month())
}

func (s *Service) openPool(ctx context.Context, artist string, month royalty.Month) (access.Product, error) {
	if month != s.Pool.Pool.Month() {
		return access.Product{}, &pool.Refusal{Code: "wrong-month", Words: "This membership is of another month."}
	}
	tracks, err := s.Pool.Tracks(ctx, artist)
	if err != nil {
		return access.Product{}, err
	}
	product, err := s.Access.OpenPool(ctx, artist, period(month), tracks)
	if errors.Is(err, access.ErrEmpty) {
		return product, &pool.Refusal{Code: "not-in-pool", Words: "This artist has nothing in the listening pool."}
	}
	return product, err
}

// RestockPool brings what artists have put into the pool since to those who were granted their part of this month.
func (s *Service) RestockPool(ctx context.Context) error {
	month := s.Pool.Pool.Month()
	artists, err := s.Access.PoolArtists(ctx, period(month))
	if err != nil {
		return err
	}
	var failed []error
	for _, artist := range artists {
		if _, err := s.openPool(ctx, artist, month); err != nil {
			failed = append(failed, fmt.Errorf("restock the pool of %s: %w", artist, err))
		}
	}
	return errors.Join(failed...)
}

// grantPool gives a member the grant of an artist's part of the pool, or sends the one that stands again. Who has new keys
// gets a new one in its place.
func (s *Service) grantPool(ctx context.Context, m vocab.Membership, product access.Product, month royalty.Month) error {
	stands, err := s.Access.StandingGrant(ctx, m.Subject, product.URI, period(month))
	switch {
	case err == nil && stands.ReceivingKey == m.ReceivingKey && stands.RequestingKey == m.RequestingKey:
		return s.again(ctx, m.EndTime.String(), stands.URI)
	case err == nil:
		if err := s.Access.Revoke(ctx, product.Artist, stands.URI, "The listener has new keys."); err != nil {
			return err
		}
	case !errors.Is(err, access.ErrUnknownGrant):
		return err
	}
	end := month.Next().Start().Add(pool.Grace)
	prepared, err := s.Access.Prepare(ctx, access.Request{
		Artist: product.Artist, Buyer: m.Subject, Product: product.URI, Version: period(month), Receipt: s.Outbox.NewID("receipts"),
		ReceivingKey: m.ReceivingKey, RequestingKey: m.RequestingKey, End: &end,
	})
	if err != nil {
		return fmt.Errorf("prepare grant: %w", err)
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		_, err := prepared.Issue(ctx, tx)
		return err
	})
}

// sendPoolReceipt is the receipt of what the pool lends: it names the membership as its ground, and no payment.
func (s *Service) sendPoolReceipt(ctx context.Context, g vocab.Grant) error {
	raw, err := s.signed(ctx, g.Receipt, g.AttributedTo, func() (map[string]any, error) {
		return vocab.Receipt{
			ID: g.Receipt, AttributedTo: g.AttributedTo, To: g.To, Product: g.Product, Version: g.Version, Ground: vocab.GroundMembership,
			Price: vocab.Price{Amount: "0"}, ReceivingKey: g.ReceivingKey, RequestingKey: g.RequestingKey, PaidAt: g.StartTime.UTC(),
		}.Object(), nil
	})
	if err != nil {
		return err
	}
	return s.create(ctx, s.object(g.Receipt, vocab.KindReceipt, g.AttributedTo, g.To, raw), g.To)
}

// lent is the question that a grant without an agreement answers.
func (s *Service) lent(ctx context.Context, artist, listener string, version int, receiving, requesting string) (pool.Question, error) {
	bad := &access.Refusal{Code: "unasked", Words: "Nobody here has asked for this."}
	if s.Pool == nil {
		return pool.Question{}, bad
	}
	month := royalty.Month(fmt.Sprintf("%04d-%02d", version/100, version%100))
	q, err := s.Pool.Pool.QuestionOf(ctx, listener, artist, month)
	if errors.Is(err, pool.ErrNotFound) || err == nil && (q.ReceivingKey != receiving || q.RequestingKey != requesting) {
		return q, bad
	}
	return q, err
}

// poolGrant keeps a grant of the pool, or a later form of one.
func (s *Service) poolGrant(ctx context.Context, g vocab.Grant, raw []byte, keys map[string]string) error {
	q, err := s.lent(ctx, g.AttributedTo, g.To, g.Version, g.ReceivingKey, g.RequestingKey)
	if err != nil {
		return err
	}
	if g.EndTime == nil {
		return &access.Refusal{Code: "bad-grant", Words: "What the pool lends ends with its month."}
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.Pool.Pool.Granted(tx, q, g.ID, g.Receipt); err != nil {
			return err
		}
		return s.Access.TakePoolGrant(ctx, tx, g, raw, keys)
	})
}

// poolReceipt keeps the receipt of what the pool lends.
func (s *Service) poolReceipt(ctx context.Context, r vocab.Receipt, raw []byte) error {
	if _, err := s.lent(ctx, r.AttributedTo, r.To, r.Version, r.ReceivingKey, r.RequestingKey); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		now := s.Now().UTC()
		return outbox.PutObject(ctx, tx, outbox.Object{
			URI: r.ID, Kind: string(vocab.KindReceipt), Owner: r.AttributedTo, Audience: []string{r.To}, Raw: raw, Created: now, Updated: now,
		})
	})
}

// membershipRejected takes an instance's no to a membership, and reports whether the offer was one.
func (s *Service) membershipRejected(ctx context.Context, in inbox.Incoming, words string) (bool, error) {
	instance, err := instanceOf(in.Actor.URI)
	if s.Pool == nil || err != nil || instance != in.Actor.URI {
		return false, nil
	}
	err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return s.Pool.Pool.Refused(tx, actor.HostOf(in.Actor.URI), in.Activity.Object.ID, in.Activity.Code, words)
	})
	if errors.Is(err, pool.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

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
