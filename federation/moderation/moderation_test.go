package moderation_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
	"antiphon/federation/moderation"
	"antiphon/internal/testkit"
	"antiphon/media"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const mastodon = `#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate
bad.example,suspend,FALSE,FALSE,"spam, and more",FALSE
Loud.Example,silence,true,false,,false
bücher.example,noop,false,true,,true
ex****le.com,suspend,false,false,,true
bad.example,silence,false,true,,false
nodomain,suspend,false,false,,false
odd.example,shout,false,false,,false
`

func TestReadList(t *testing.T) {
	t.Parallel()
	got, problems, err := moderation.ReadList([]byte(mastodon))
	if err != nil {
		t.Fatal(err)
	}
	want := []discover.Policy{
		{Subject: "bad.example", Severity: discover.Suspend, RejectReports: true, PublicComment: "spam, and more"},
		{Subject: "loud.example", Severity: discover.Silence, RejectMedia: true},
		{Subject: "xn--bcher-kva.example", Severity: discover.Noop, RejectReports: true, Obfuscate: true},
	}
	if len(got) != len(want) {
		t.Fatalf("read %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("read %+v, want %+v", got[i], want[i])
		}
	}
	why := map[int]string{}
	for _, p := range problems {
		why[p.Line] = p.Why
	}
	if len(why) != 3 || why[5] != "obfuscated" || why[7] != "nodomain" || why[8] != "severity" {
		t.Errorf("problems %+v", problems)
	}
	for name, text := range map[string]string{
		"empty": "", "a picture": "\x89PNG\x00", "prose": "dear admins\nplease block everybody\n", "too large": strings.Repeat("bad.example\n", 400_000),
	} {
		if _, _, err := moderation.ReadList([]byte(text)); !errors.Is(err, moderation.ErrList) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Only domains, as many lists are passed around; a header in another order.
	for _, text := range []string{"bad.example\n", "severity,domain\nsuspend,bad.example\n", "\ufeff#domain,#severity\nbad.example,suspend\n"} {
		got, problems, err := moderation.ReadList([]byte(text))
		if err != nil || len(got) != 1 || len(problems) != 0 || got[0].Subject != "bad.example" || got[0].Severity != discover.Suspend {
			t.Errorf("%q: %+v, %+v, %v", text, got, problems, err)
		}
	}
}

// What is written is read back as it was.
func FuzzReadList(f *testing.F) {
	f.Add([]byte(mastodon))
	f.Fuzz(func(t *testing.T, raw []byte) {
		policies, _, err := moderation.ReadList(raw)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := moderation.WriteList(&out, policies); err != nil {
			t.Fatal(err)
		}
		again, problems, err := moderation.ReadList(out.Bytes())
		if err != nil || len(problems) != 0 || len(again) != len(policies) {
			t.Fatalf("written and read again: %d of %d, %+v, %v", len(again), len(policies), problems, err)
		}
		for i := range again {
			if again[i].Subject != policies[i].Subject || again[i].Severity != policies[i].Severity {
				t.Errorf("%+v became %+v", policies[i], again[i])
			}
		}
	})
}

func TestImport(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{Idle: true, DSN: fresh()})
		ctx := t.Context()
		if err := i.Moderation.SetPolicy(ctx, "root", discover.Policy{Subject: "loud.example", Severity: discover.Suspend, PublicComment: "ours"}, "before"); err != nil {
			t.Fatal(err)
		}
		i.Clock.Advance(time.Second)
		preview, err := i.Moderation.Upload(ctx, []byte(mastodon))
		if err != nil {
			t.Fatal(err)
		}
		// What is stricter here stays; what the list adds to it is a change.
		if len(preview.Changes) != 3 || preview.Changes[1].Policy.Severity != discover.Suspend || preview.Changes[1].Was != discover.Suspend || !preview.Changes[1].Policy.RejectMedia {
			t.Errorf("preview %+v", preview.Changes)
		}
		if blocked, err := i.Hosts.IsBlocked(ctx, "bad.example"); err != nil || blocked {
			t.Errorf("a preview is in force: %v", err)
		}
		if _, err := i.Moderation.Import(ctx, "root", preview.ID, ""); !errors.Is(err, moderation.ErrReason) {
			t.Errorf("import without a reason: %v", err)
		}
		if n, err := i.Moderation.Import(ctx, "root", preview.ID, "the list of a friend"); err != nil || n != 3 {
			t.Errorf("%d changes, %v", n, err)
		}
		if blocked, err := i.Hosts.IsBlocked(ctx, "bad.example"); err != nil || !blocked {
			t.Errorf("not in force: %v", err)
		}
		if _, err := i.Moderation.Import(ctx, "root", preview.ID, "again"); !errors.Is(err, moderation.ErrNotFound) {
			t.Errorf("imported twice: %v", err)
		}
		again, err := i.Moderation.Upload(ctx, []byte(mastodon))
		if err != nil || len(again.Changes) != 0 || again.Same != 3 {
			t.Errorf("the same list again: %+v, %v", again, err)
		}
		if acts, total, err := moderation.Acts(ctx, i.DB.Read, 0, 10); err != nil || total != 4 || acts[0].Who != "root" || acts[3].Why != "before" {
			t.Errorf("%d acts, %+v, %v", total, acts, err)
		}
	})
}

// tracks takes tracks down without the pipeline.
func withTracks(i *fedtest.Instance) {
	i.Moderation.Tracks = media.New(media.Config{BaseURL: i.BaseURL}, media.Parts{
		DB: i.DB, Jobs: i.Queue, Store: nil, Shop: openShop{}, Now: i.Clock.Now,
	})
}

type openShop struct{ media.Shop }

func (openShop) SetOpen(*gorm.DB, string, string, bool) error { return nil }

// A takedown reaches those who were told of the track; the artist learns why and cannot publish it again.
func TestTakedown(t *testing.T) {
	t.Parallel()
	seller, home := fedtest.New(t, fedtest.Options{}), fedtest.New(t, fedtest.Options{})
	withTracks(seller)
	ada, lin := seller.User(t, "ada", actor.Artist), home.User(t, "lin", actor.Listener)
	if _, err := home.Outbox.Follow(t.Context(), lin.URI, ada.URI); err != nil {
		t.Fatal(err)
	}
	fedtest.Until(t, "lin follows ada", func() bool {
		f, err := actor.FollowOf(t.Context(), home.DB.Read, lin.URI, ada.URI)
		return err == nil && f.State == actor.Accepted
	}, seller, home)
	track := seller.Track(t, ada.URI, "brassrain")
	fedtest.Until(t, "the track arrived", func() bool {
		return home.Count(t, "objects", "uri = ? AND deleted_at IS NULL", track.URI) == 1 && home.Count(t, "posts", "1 = 1") == 1
	}, seller, home)
	if err := seller.Moderation.TakeDown(t.Context(), "root", track.ID, " ", false); !errors.Is(err, moderation.ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
	seller.Clock.Advance(2 * time.Second)
	if err := seller.Moderation.TakeDown(t.Context(), "root", track.ID, "It is somebody else's.", false); err != nil {
		t.Fatal(err)
	}
	fedtest.Until(t, "the track is gone elsewhere", func() bool {
		return home.Count(t, "objects", "uri = ? AND deleted_at IS NOT NULL", track.URI) == 1 && home.Count(t, "posts", "1 = 1") == 0
	}, seller, home)
	told, err := moderation.Tidings(t.Context(), seller.DB.Read, ada.URI, true, 10)
	if err != nil || len(told) != 1 || told[0].Kind != moderation.TidingTakedown || told[0].Words != "It is somebody else's." {
		t.Errorf("the artist was told %+v, %v", told, err)
	}
	service := seller.Moderation.Tracks.(*media.Service)
	if refusal := (*media.Refusal)(nil); !errors.As(func() error { _, err := service.Publish(t.Context(), ada.URI, track.ID); return err }(), &refusal) {
		t.Error("the artist can publish it again")
	}
	if block, err := media.BlockByCID(t.Context(), seller.DB.Read, track.Manifest); err != nil || !block.Held {
		t.Errorf("what was bought is not served any more: %v", err)
	}
	if err := seller.Moderation.PutBack(t.Context(), "root", track.ID, "We were wrong."); err != nil {
		t.Fatal(err)
	}
	if got, err := media.ByID(t.Context(), seller.DB.Read, track.ID); err != nil || got.State != media.Unpublished {
		t.Errorf("given back, it is %s, %v", got.State, err)
	}
}

// Blocks that were denied are not served, but for those that another track shares.
func TestDeny(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{Idle: true, DSN: fresh()})
		ada := i.User(t, "ada", actor.Artist)
		track, other := i.Track(t, ada.URI, "one"), i.Track(t, ada.URI, "two")
		const alone = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
		err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			block := media.Block{CID: alone, Owner: track.URI, Kind: media.KindSegment, Size: 1, Held: true, CreatedAt: i.Clock.Now()}
			if err := media.Register(tx, block); err != nil {
				return err
			}
			return media.Deny(ctx, tx, track.URI, i.Clock.Now())
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := media.BlockByCID(t.Context(), i.DB.Read, alone); err == nil {
			t.Error("a denied block is served")
		}
		if _, err := media.BlockByCID(t.Context(), i.DB.Read, other.Manifest); err != nil {
			t.Errorf("a block that another track shares is denied: %v", err)
		}
	})
}

// A member's report goes to the server of whom it is about, in the instance's name.
func TestReportForwarded(t *testing.T) {
	t.Parallel()
	here, there := fedtest.New(t, fedtest.Options{}), fedtest.New(t, fedtest.Options{})
	lin, eve := here.User(t, "lin", actor.Listener), there.User(t, "eve", actor.Artist)
	if _, err := here.Actors.Find(t.Context(), eve.URI, false); err != nil {
		t.Fatal(err)
	}
	r, err := here.Moderation.Report(t.Context(), moderation.Complaint{From: lin.URI, Target: eve.URI, Words: "spam", Forward: true})
	if err != nil {
		t.Fatal(err)
	}
	var got moderation.Report
	fedtest.Until(t, "the report arrived", func() bool {
		return there.DB.Read.WithContext(t.Context()).Where("uri = ?", r.URI).Take(&got).Error == nil
	}, here, there)
	if got.Reporter != here.Actors.Instance() || got.Target != eve.URI || got.Words != "spam" || got.Local || strings.Contains(got.Objects, "lin") {
		t.Errorf("arrived as %+v", got)
	}
	// Its end is told to who made it, and only there.
	if err := here.Moderation.Close(t.Context(), "root", r.ID, moderation.Resolved, "They were warned."); err != nil {
		t.Fatal(err)
	}
	if err := there.Moderation.Close(t.Context(), "boss", got.ID, moderation.Dismissed, "No."); err != nil {
		t.Fatal(err)
	}
	told, err := moderation.Tidings(t.Context(), here.DB.Read, lin.URI, false, 10)
	if err != nil || len(told) != 1 || told[0].Words != "They were warned." {
		t.Errorf("lin was told %+v, %v", told, err)
	}
	if n := there.Count(t, "tidings", "1 = 1"); n != 0 {
		t.Errorf("%d tidings there", n)
	}
}

func TestReportsAreBounded(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	lin, eve := i.User(t, "lin", actor.Listener), i.User(t, "eve", actor.Artist)
	c := moderation.Complaint{From: lin.URI, Target: eve.URI, Words: strings.Repeat("x", 5000)}
	for range 20 {
		r, err := i.Moderation.Report(t.Context(), c)
		if err != nil || len(r.Words) != 2000 {
			t.Fatalf("%d characters are kept, %v", len(r.Words), err)
		}
	}
	if _, err := i.Moderation.Report(t.Context(), c); !errors.Is(err, moderation.ErrTooMany) {
		t.Errorf("the 21st of a day: %v", err)
	}
	c.Target = lin.URI
	if _, err := i.Moderation.Report(t.Context(), c); !errors.Is(err, moderation.ErrSelf) {
		t.Errorf("of oneself: %v", err)
	}
}

// What a member mutes or blocks is not in its timeline, and in the others' it is.
func TestUnavoided(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{Idle: true, DSN: fresh()})
		lin, bob := i.User(t, "lin", actor.Listener), i.User(t, "bob", actor.Listener)
		peer := fedtest.NewPeer(t)
		eve := peer.Person(t, "eve")
		if _, err := i.Actors.Find(t.Context(), eve.URI, false); err != nil {
			t.Fatal(err)
		}
		if err := i.Moderation.Avoid(t.Context(), lin.URI, eve.URI, moderation.Mute); err != nil {
			t.Fatal(err)
		}
		seen := func(owner string) int64 {
			t.Helper()
			var n int64
			if err := moderation.Unavoided(i.DB.Read.WithContext(t.Context()).Table("actors").Where("uri = ? OR uri = ?", eve.URI, "x"), "actors.uri", owner).Count(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		if seen(lin.URI) != 0 || seen(bob.URI) != 1 {
			t.Errorf("muted: lin sees %d, bob %d", seen(lin.URI), seen(bob.URI))
		}
		if err := errors.Join(i.Moderation.Meet(t.Context(), lin.URI, eve.URI), i.Moderation.Avoid(t.Context(), bob.URI, peer.Host, moderation.Block)); err != nil {
			t.Fatal(err)
		}
		if seen(lin.URI) != 1 || seen(bob.URI) != 0 {
			t.Errorf("server blocked: lin sees %d, bob %d", seen(lin.URI), seen(bob.URI))
		}
	})
}
