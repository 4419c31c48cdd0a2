package access_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"antiphon/media/access"
)

// code is the protocol's answer of a proxy to a well-signed request for the sale's capsule.
func (s *sale) code(t *testing.T, i *instance) string {
	t.Helper()
	return codeOf(s.request(t, i, s.grant.Set))
}

func (s *sale) request(t *testing.T, i *instance, set int) error {
	t.Helper()
	body, err := json.Marshal(access.ReencryptRequest{
		Grant: s.grant.ID, Set: set, Capsules: []string{base64.RawURLEncoding.EncodeToString(s.grant.Items[0].Capsule)},
	})
	must(t, err)
	_, err = reencrypt(t.Context(), i, body, rand.Text())
	return err
}

func codeOf(err error) string {
	var refused *access.Refusal
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case err != nil:
		return err.Error()
	}
	return "ok"
}

func (i *instance) count(t *testing.T, table, where string, args ...any) int64 {
	t.Helper()
	var n int64
	must(t, i.db.Read.Table(table).Where(where, args...).Count(&n).Error)
	return n
}

func TestRevoke(t *testing.T) { each(t, revoke) }

func revoke(t *testing.T, database fresh) {
	s := sell(t, database)
	s.deliver(t)
	ctx := t.Context()
	if err := s.seller.Revoke(ctx, "https://s.example/users/eve", s.grant.ID, ""); !errors.Is(err, access.ErrUnknownGrant) {
		t.Errorf("another artist takes it back: %v", err)
	}
	must(t, s.seller.Revoke(ctx, s.track.Artist, s.grant.ID, strings.Repeat("ä", 400)))
	must(t, s.seller.Revoke(ctx, s.track.Artist, s.grant.ID, "again"))
	r, err := s.seller.RevokedGrant(ctx, s.grant.ID)
	must(t, err)
	if len(r.Proxies) != 2 || len(r.Kfrags) != 3 || r.Buyer != "https://b.example/users/lin" || r.Reason != strings.Repeat("ä", access.MaxReason/2) {
		t.Errorf("revoked: %+v", r)
	}
	if _, err := s.seller.Grant(ctx, s.grant.ID); !errors.Is(err, access.ErrRevoked) {
		t.Errorf("the grant is still given out: %v", err)
	}
	if got := s.code(t, s.seller); got != "revoked" {
		t.Errorf("the seller answers %s", got)
	}
	if granted, err := s.seller.Granted(ctx, "https://b.example/users/lin", s.grant.Product); err != nil || granted != "" {
		t.Errorf("it still counts as granted: %q, %v", granted, err)
	}
	// What was taken back can be granted anew.
	old := s.grant
	product, err := s.seller.Product(ctx, old.Product)
	must(t, err)
	s.issue(t, product, old.ReceivingKey, old.RequestingKey)
	if s.grant.ID == old.ID || s.code(t, s.seller) != "ok" {
		t.Errorf("the new grant %s is not open", s.grant.ID)
	}
}

func TestMissedRevocation(t *testing.T) { each(t, missedRevocation) }

// missedRevocation has proxies hear of a revocation by the seller's list alone.
func missedRevocation(t *testing.T, database fresh) {
	s := sell(t, database)
	s.deliver(t)
	ctx := t.Context()
	must(t, s.seller.Revoke(ctx, s.track.Artist, s.grant.ID, ""))
	// The home has not re-encrypted for this seller since it began: it reads first.
	if got := s.code(t, s.home); got != "revoked" {
		t.Errorf("the home's first answer is %s", got)
	}
	// The proxy cannot reach the seller, and goes on with what it knows until it can.
	s.seller.away.Store(true)
	if got := s.code(t, s.proxy); got != "ok" {
		t.Errorf("without the seller the proxy answers %s", got)
	}
	s.seller.away.Store(false)
	must(t, s.proxy.Round(ctx))
	if got := s.code(t, s.proxy); got != "revoked" {
		t.Errorf("after a round the proxy answers %s", got)
	}
	if n := s.proxy.count(t, "kfrags_held", "1 = 1") + s.home.count(t, "kfrags_held", "1 = 1"); n != 0 {
		t.Errorf("%d fragments are left", n)
	}
	// Who has read behind an entry has erased what it names: that is how the seller hears of it.
	if n := s.seller.count(t, "revocations", "acknowledged_at IS NOT NULL"); n != 2 {
		t.Errorf("%d proxies have acknowledged, want 2", n)
	}
	last, err := s.seller.RevocationsFor(ctx, s.home.InstanceActor(), "")
	must(t, err)
	rest, err := s.seller.RevocationsFor(ctx, s.home.InstanceActor(), last[len(last)-1].Cursor)
	if err != nil || len(last) != 1 || len(rest) != 0 {
		t.Errorf("the list is %v, then %v, %v", last, rest, err)
	}
	if _, err := s.seller.RevocationsFor(ctx, s.home.InstanceActor(), "x"); codeOf(err) != "malformed" {
		t.Errorf("a cursor that is none: %v", err)
	}
}

func TestASellerThatHangsIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	s := sell(t, func() string { return t.TempDir() + "/a.db" })
	s.deliver(t)
	s.seller.hangs.Store(true)
	began := time.Now()
	if got := s.code(t, s.proxy); got != "ok" {
		t.Errorf("the proxy answers %s", got)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it waited %s for the seller", took)
	}
	readings := s.proxy.readings.Load()
	if got := s.code(t, s.proxy); got != "ok" || s.proxy.readings.Load() != readings {
		t.Errorf("the next request answers %s after %d readings", got, s.proxy.readings.Load())
	}
}
