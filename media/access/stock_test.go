package access_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/testkit"
	"antiphon/media/access"
	"antiphon/media/seal"
	"antiphon/vocab"
)

// stock makes a release hold tracks, and returns the product.
func (i *instance) stock(t *testing.T, in access.Stock) access.Product {
	t.Helper()
	made, err := i.Stock(t.Context(), in)
	must(t, err)
	must(t, i.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return made.Write(ctx, tx) }))
	return made.Product
}

func TestReleaseGrowsForItsBuyers(t *testing.T) { each(t, releaseGrowsForItsBuyers) }

func releaseGrowsForItsBuyers(t *testing.T, database fresh) {
	s := sell(t, database)
	ctx, ada := t.Context(), s.track.Artist
	keys := map[string]seal.ContentKey{s.track.URI: s.key}
	uris := []string{s.track.URI}
	for _, id := range []string{"t2", "t3", "t4"} {
		track, key := s.seller.publish(t, id)
		keys[track.URI], uris = key, append(uris, track.URI)
	}
	single := s.grant
	release := access.Stock{ID: "r1", Artist: ada, Kind: access.KindRelease, Name: "Brass", Tracks: []string{uris[2], uris[0]}}
	p := s.seller.stock(t, release)
	if p.Version != 1 || p.Open || p.Track != "" || p.Kind != access.KindRelease {
		t.Errorf("the release is %+v", p)
	}
	if got, err := s.seller.Items(ctx, p.URI, 1); err != nil || !slices.Equal(got, release.Tracks) {
		t.Errorf("it holds %v, %v", got, err)
	}
	if own, err := s.seller.ProductOf(ctx, uris[0]); err != nil || own.Kind != access.KindTrack {
		t.Errorf("the track's own product is %+v, %v", own, err)
	}
	if all, err := s.seller.ProductsOf(ctx, uris[0]); err != nil || len(all) != 2 || all[0].Kind != access.KindTrack || all[1].URI != p.URI {
		t.Errorf("its products are %+v, %v", all, err)
	}

	// One grant, all keys, although one of the tracks was bought before.
	s.issue(t, p, single.ReceivingKey, single.RequestingKey)
	s.deliver(t)
	opens := func(g vocab.Grant, want ...string) {
		t.Helper()
		if len(g.Items) != len(want) {
			t.Fatalf("the grant has %d items, want %d", len(g.Items), len(want))
		}
		for i, item := range g.Items {
			if key, err := access.Open(ctx, g, item, s.receiving, s.ask()); err != nil || item.Track != want[i] || key != keys[want[i]] {
				t.Errorf("item %d is %s: %v", i, item.Track, err)
			}
		}
	}
	opens(s.grant, uris[2], uris[0])

	// A buyer has paid for version 1, and is not granted yet; another one is being granted when a track is added.
	stocked := s.grant
	preparing, err := s.seller.Prepare(ctx, access.Request{
		Artist: ada, Buyer: "https://b.example/users/moe", Product: p.URI, Version: 1, Agreement: "https://s.example/agreements/a2",
		Receipt: "https://s.example/receipts/r2", ReceivingKey: single.ReceivingKey, RequestingKey: single.RequestingKey,
	})
	must(t, err)
	release.Tracks = []string{uris[0], uris[1], uris[2]}
	if p = s.seller.stock(t, release); p.Version != 1 {
		t.Errorf("what only grows has version %d", p.Version)
	}
	var moe string
	must(t, s.seller.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		moe, err = preparing.Issue(ctx, tx)
		return err
	}))
	must(t, s.seller.queue.Start(context.WithoutCancel(ctx)))
	t.Cleanup(func() { must(t, s.seller.queue.Stop(context.WithoutCancel(ctx))) })
	s.awaitSet(t, moe, 2)
	s.awaitSet(t, stocked.ID, 2)
	s.grant = s.accept(t, stocked.ID, 2)
	opens(s.grant, uris[2], uris[0], uris[1])
	if !s.grant.Updated.After(stocked.Updated) || s.grant.Set != 2 {
		t.Errorf("the grown grant is of %s, set %d", s.grant.Updated, s.grant.Set)
	}

	// A track is taken out and another one put in: a new version, and who has the first gets what was added.
	release.Tracks = []string{uris[3], uris[0]}
	if p = s.seller.stock(t, release); p.Version != 2 {
		t.Errorf("what lacks a track has version %d", p.Version)
	}
	if p.DelegatingKey == stocked.DelegatingKey {
		t.Error("two versions have one key")
	}
	s.awaitSet(t, stocked.ID, 3)
	opens(s.accept(t, stocked.ID, 3), uris[2], uris[0], uris[1], uris[3])
	if got, err := s.seller.Items(ctx, p.URI, 2); err != nil || !slices.Equal(got, release.Tracks) {
		t.Errorf("the second version holds %v, %v", got, err)
	}
	if granted, err := s.seller.Granted(ctx, stocked.To, p.URI); err != nil || granted != stocked.ID {
		t.Errorf("who has the first version has %q, %v", granted, err)
	}
	if n := s.seller.count(t, "capsules", "product = ? AND track = ?", p.URI, uris[2]); n != 1 {
		t.Errorf("%d capsules of what was taken out", n)
	}
}

// awaitSet waits until a grant has a set of fragments.
func (s *sale) awaitSet(t *testing.T, grant string, set int) {
	t.Helper()
	testkit.Until(t, fmt.Sprintf("set %d of %s is there", set, grant), func() bool {
		return s.seller.count(t, "grant_sets", "grant_uri = ? AND number = ?", grant, set) > 0
	})
}

// accept has all proxies take a set of fragments, and returns the grant as it is then.
func (s *sale) accept(t *testing.T, grant string, set int) vocab.Grant {
	t.Helper()
	var err error
	s.kfrags, err = s.seller.KfragsWaiting(t.Context(), grant, set)
	must(t, err)
	s.deliver(t)
	for _, k := range s.kfrags {
		must(t, s.seller.KfragAnswered(t.Context(), k.Proxy, k.URI, ""))
	}
	g, err := s.seller.Grant(t.Context(), grant)
	must(t, err)
	return g
}

func TestStockRefuses(t *testing.T) { each(t, stockRefuses) }

func stockRefuses(t *testing.T, database fresh) {
	s := sell(t, database)
	ctx, ada := t.Context(), s.track.Artist
	good := access.Stock{ID: "r1", Artist: ada, Kind: access.KindRelease, Name: "Brass", Tracks: []string{s.track.URI}}
	for name, spoil := range map[string]func(in *access.Stock){
		"nothing":              func(in *access.Stock) { in.Tracks = nil },
		"a track twice":        func(in *access.Stock) { in.Tracks = append(in.Tracks, in.Tracks[0]) },
		"an unknown track":     func(in *access.Stock) { in.Tracks = []string{"https://s.example/tracks/t9"} },
		"somebody else's":      func(in *access.Stock) { in.Artist = "https://s.example/users/eve" },
		"a track's kind":       func(in *access.Stock) { in.Kind = access.KindTrack },
		"a tier of no period":  func(in *access.Stock) { in.Kind = access.KindTier },
		"a release of a month": func(in *access.Stock) { in.Version = 202611 },
		"a track's product":    func(in *access.Stock) { in.ID = "t1" },
	} {
		in := good
		in.Tracks = slices.Clone(good.Tracks)
		spoil(&in)
		if _, err := s.seller.Stock(ctx, in); err == nil {
			t.Errorf("%s is stocked", name)
		}
	}
	// Of two stocks that were made at once, one is written.
	first, err := s.seller.Stock(ctx, good)
	must(t, err)
	second, err := s.seller.Stock(ctx, good)
	must(t, err)
	write := func(m *access.Stocked) error {
		return s.seller.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return m.Write(ctx, tx) })
	}
	must(t, write(first))
	if err := write(second); !errors.Is(err, access.ErrChanged) {
		t.Errorf("the second stock: %v", err)
	}
	// A tier's period has its own key, and its grants end.
	tier := access.Stock{ID: "i1", Artist: ada, Kind: access.KindTier, Name: "Engine room", Version: 202611, Tracks: good.Tracks}
	november := s.seller.stock(t, tier)
	end := s.seller.now.Add(24 * time.Hour).Truncate(time.Second)
	prepared, err := s.seller.Prepare(ctx, access.Request{
		Artist: ada, Buyer: s.grant.To, Product: november.URI, Version: 202611, Agreement: "https://s.example/agreements/a3",
		Receipt: "https://s.example/receipts/r3", ReceivingKey: s.grant.ReceivingKey, RequestingKey: s.grant.RequestingKey, End: &end,
	})
	must(t, err)
	var uri string
	must(t, s.seller.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		uri, err = prepared.Issue(ctx, tx)
		return err
	}))
	g, err := s.seller.Grant(ctx, uri)
	must(t, err)
	if g.EndTime == nil || !g.EndTime.Equal(end) || g.Version != 202611 {
		t.Errorf("the grant of a period is %+v", g)
	}
	if granted, err := s.seller.Granted(ctx, s.grant.To, november.URI); err != nil || granted != uri {
		t.Errorf("granted in November: %q, %v", granted, err)
	}
	tier.Version = 202612
	december := s.seller.stock(t, tier)
	if granted, err := s.seller.Granted(ctx, s.grant.To, november.URI); err != nil || granted != "" {
		t.Errorf("granted in December: %q, %v", granted, err)
	}
	if december.DelegatingKey == november.DelegatingKey || december.URI != november.URI {
		t.Error("two periods have one key, or two products")
	}
	tier.Version = 202611
	s.seller.stock(t, tier)
	if p, err := s.seller.Product(ctx, december.URI); err != nil || p.Version != 202612 || p.DelegatingKey != december.DelegatingKey {
		t.Errorf("a tier goes back to November: %+v, %v", p, err)
	}
}
