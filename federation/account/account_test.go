package account_test

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/account"
	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
	"antiphon/federation/moderation"
	"antiphon/internal/testkit"
	"antiphon/media/access"
	"antiphon/payments/pool"
	"antiphon/payments/subscription"
	"antiphon/vocab"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// home is an instance with this room.
type home struct {
	*fedtest.Instance
	members *account.Service
}

func newHome(t *testing.T, options fedtest.Options) home {
	t.Helper()
	h := home{}
	options.Join = func(i *fedtest.Instance) {
		h.members = account.New(account.Parts{
			Dir: t.TempDir(), DB: i.DB, Jobs: i.Queue, Actors: i.Actors, Hosts: i.Hosts, Outbox: i.Outbox, Log: slog.New(slog.DiscardHandler), Now: i.Clock.Now,
		})
		h.members.Register(i.Queue)
	}
	h.Instance = fedtest.New(t, options)
	return h
}

func (h home) follow(t *testing.T, who, target actor.Actor, all ...*fedtest.Instance) {
	t.Helper()
	if _, err := h.Outbox.Follow(t.Context(), who.URI, target.URI); err != nil {
		t.Fatal(err)
	}
	fedtest.Until(t, who.Name+" follows "+target.Name, func() bool { return h.state(t, who.URI, target.URI) == actor.Accepted }, all...)
}

func (h home) state(t *testing.T, follower, followed string) string {
	t.Helper()
	f, err := actor.FollowOf(t.Context(), h.DB.Read, follower, followed)
	if err != nil {
		return ""
	}
	return f.State
}

func (h home) get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", vocab.ActivityType)
	answer, err := h.HTTP.Do(t.Context(), req, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status, string(answer.Body)
}

// An artist moves from one instance to another: followers everywhere follow the new account, and are told.
func TestMove(t *testing.T) {
	t.Parallel()
	from, to, third := newHome(t, fedtest.Options{}), newHome(t, fedtest.Options{}), newHome(t, fedtest.Options{})
	all := []*fedtest.Instance{from.Instance, to.Instance, third.Instance}
	old, next := from.User(t, "ada", actor.Artist), to.User(t, "ada", actor.Artist)
	lin, bob := third.User(t, "lin", actor.Listener), from.User(t, "bob", actor.Listener)
	third.follow(t, lin, old, all...)
	from.follow(t, bob, old, all...)

	if _, err := from.members.Move(t.Context(), old.URI, next.URI); !errors.Is(err, account.ErrAlias) {
		t.Errorf("to an account that does not name it: %v", err)
	}
	if err := to.members.SetAliases(t.Context(), next.URI, []string{old.URI, " ", old.URI}); err != nil {
		t.Fatal(err)
	}
	if _, err := from.members.Move(t.Context(), old.URI, old.URI); !errors.Is(err, account.ErrTarget) {
		t.Errorf("to itself: %v", err)
	}
	from.Clock.Advance(2 * time.Minute) // so that the new account is asked for again
	if _, err := from.members.Move(t.Context(), old.URI, next.URI); err != nil {
		t.Fatal(err)
	}
	fedtest.Until(t, "lin and bob follow the new account", func() bool {
		return third.state(t, lin.URI, next.URI) == actor.Accepted && third.state(t, lin.URI, old.URI) == "" &&
			from.state(t, bob.URI, next.URI) == actor.Accepted && from.state(t, bob.URI, old.URI) == ""
	}, all...)
	fedtest.Until(t, "they were told", func() bool {
		return third.Count(t, "tidings", "owner = ? AND kind = ?", lin.URI, moderation.TidingMoved) == 1 &&
			from.Count(t, "tidings", "owner = ?", bob.URI) == 1
	}, all...)
	if followers, err := actor.Followers(t.Context(), to.DB.Read, next.URI, "", 10); err != nil || len(followers) != 2 {
		t.Errorf("the new account is followed by %v, %v", followers, err)
	}
	if status, body := from.get(t, old.URI); status != 200 || !strings.Contains(body, `"movedTo":"`+next.URI+`"`) {
		t.Errorf("the old account answers %d: %s", status, body)
	}
	if _, err := from.members.Move(t.Context(), old.URI, next.URI); !errors.Is(err, moderation.ErrMove) {
		t.Errorf("a second move in a week: %v", err)
	}
	if err := from.members.Stay(t.Context(), old.URI); err != nil {
		t.Fatal(err)
	}
	if _, body := from.get(t, old.URI); strings.Contains(body, `"movedTo":"http`) {
		t.Errorf("the sign still stands: %s", body)
	}
}

// A deleted account is gone everywhere where it was known: also where nobody follows it.
func TestLeave(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		here, there := newHome(t, fedtest.Options{DSN: fresh()}), newHome(t, fedtest.Options{DSN: fresh()})
		all := []*fedtest.Instance{here.Instance, there.Instance}
		ada, lin := here.User(t, "ada", actor.Artist), there.User(t, "lin", actor.Listener)
		there.follow(t, lin, ada, all...)
		track := here.Track(t, ada.URI, "brassrain")
		fedtest.Until(t, "the track arrived", func() bool { return there.Count(t, "objects", "uri = ?", track.URI) == 1 }, all...)
		bystander := fedtest.NewPeer(t)
		if _, err := here.Actors.Find(t.Context(), bystander.Person(t, "zoe").URI, false); err != nil {
			t.Fatal(err)
		}
		there.Clock.Advance(2 * time.Minute) // so that the actor is asked for again
		// Sells by the month, and subscribes to somebody herself, by standing order.
		now, tier := here.Clock.Now().UTC(), here.BaseURL+"/products/tier"
		for _, row := range []any{
			&access.Product{ID: "tier", URI: tier, Artist: ada.URI, Kind: access.KindTier, Name: "Engine Room", Units: "0", Open: true, CreatedAt: now, UpdatedAt: now},
			&subscription.Held{ID: "held", Listener: ada.URI, Artist: lin.URI, Tier: "https://b.example/products/1", Offer: "https://b.example/offers/1", State: subscription.Active, CreatedAt: now, UpdatedAt: now},
			&subscription.Standing{Listener: ada.URI, Product: "https://b.example/products/1", Until: now, CreatedAt: now},
			&pool.Membership{Listener: ada.URI, State: pool.Active, JoinedAt: now, UpdatedAt: now},
		} {
			if err := here.DB.Write.Create(row).Error; err != nil {
				t.Fatal(err)
			}
		}
		err := here.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return here.members.Leave(ctx, tx, ada.URI) })
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"subscriptions_held", "standing_orders", "pool_members"} {
			if n := here.Count(t, table, "listener = ?", ada.URI); n != 0 {
				t.Errorf("%d rows of hers are in %s", n, table)
			}
		}
		if here.Count(t, "products", "uri = ? AND NOT open", tier) != 1 {
			t.Error("her tier is still sold")
		}
		fedtest.Until(t, "ada is gone there", func() bool {
			return there.Count(t, "actors", "uri = ?", ada.URI) == 0 && there.state(t, lin.URI, ada.URI) == "" &&
				there.Count(t, "posts", "1 = 1") == 0 && there.Count(t, "objects", "owner = ? AND deleted_at IS NULL", ada.URI) == 0
		}, all...)
		fedtest.Until(t, "a server that only is known was told", func() bool {
			return slices.ContainsFunc(bystander.Received(), func(r fedtest.Received) bool { return strings.Contains(string(r.Body), `"Delete"`) })
		}, all...)
		fedtest.Until(t, "her tracks are withdrawn", func() bool {
			return here.Count(t, "objects", "owner = ? AND deleted_at IS NULL", ada.URI) == 0
		}, all...)
		if status, body := here.get(t, ada.URI); status != http.StatusGone || !strings.Contains(body, "Tombstone") {
			t.Errorf("the account answers %d: %s", status, body)
		}
		if status, _ := here.get(t, ada.URI+"/outbox"); status != http.StatusGone && status != http.StatusNotFound {
			t.Errorf("its outbox answers %d", status)
		}
		if status, _ := here.get(t, here.BaseURL+"/.well-known/webfinger?resource=acct:ada@"+here.Host); status != http.StatusNotFound {
			t.Errorf("WebFinger answers %d", status)
		}
		// The name is never given away again.
		keys, err := here.Actors.NewKeys()
		if err != nil {
			t.Fatal(err)
		}
		err = here.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			_, err := here.Actors.CreateLocal(ctx, tx, actor.Local{Name: "ada", Kind: actor.Artist, Keys: keys})
			return err
		})
		if !errors.Is(err, actor.ErrTaken) {
			t.Errorf("the name can be had again: %v", err)
		}
	})
}

func TestArchive(t *testing.T) {
	t.Parallel()
	here := newHome(t, fedtest.Options{})
	ada, lin := here.User(t, "ada", actor.Artist), here.User(t, "lin", actor.Listener)
	here.follow(t, ada, lin, here.Instance)
	here.follow(t, lin, ada, here.Instance)
	track := here.Track(t, ada.URI, "brassrain")
	fedtest.Until(t, "the track is told", func() bool { return here.Count(t, "outbox", "public AND actor = ?", ada.URI) == 2 }, here.Instance)
	a, err := here.members.MakeArchive(t.Context(), ada.URI)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := here.members.MakeArchive(t.Context(), ada.URI); !errors.Is(err, account.ErrTooSoon) {
		t.Errorf("a second one at once: %v", err)
	}
	fedtest.Until(t, "the archive is ready", func() bool {
		list, err := here.members.Archives(t.Context(), ada.URI)
		return err == nil && len(list) == 1 && list[0].State == account.Ready && list[0].Done == list[0].Total && list[0].Total > 0
	}, here.Instance)
	if _, err := here.members.OpenArchive(t.Context(), lin.URI, a.ID); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("somebody else's archive: %v", err)
	}
	f, err := here.members.OpenArchive(t.Context(), ada.URI, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name] = string(b)
	}
	var out struct {
		Type         string
		TotalItems   int
		OrderedItems []struct{ ID, Type string }
	}
	if err := json.Unmarshal([]byte(files["outbox.json"]), &out); err != nil || out.Type != "OrderedCollection" || out.TotalItems != 2 || len(out.OrderedItems) != 2 {
		t.Errorf("outbox.json: %v, %.300s", err, files["outbox.json"])
	}
	for name, want := range map[string]string{
		"actor.json":    `"id":"` + ada.URI + `"`,
		"following.csv": "Account address,Show boosts,Notify on new posts,Languages\nlin@" + here.Host + ",true,false,\n",
		"followers.csv": "Account address\nlin@" + here.Host + "\n",
		"tracks/" + string(track.ID) + "/track.json": "Brass",
		"library.json": "[]", "orders.json": `"sales"`,
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s is %.300q, want %q in it", name, files[name], want)
		}
	}
	here.Clock.Advance(8 * 24 * time.Hour)
	if err := here.members.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := here.members.OpenArchive(t.Context(), ada.URI, a.ID); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("an old archive: %v", err)
	}
}

func TestBringFollows(t *testing.T) {
	t.Parallel()
	here, there := newHome(t, fedtest.Options{}), newHome(t, fedtest.Options{})
	lin := here.User(t, "lin", actor.Listener)
	var csv strings.Builder
	csv.WriteString("Account address,Show boosts,Notify on new posts,Languages\n")
	for _, name := range []string{"ada", "bob", "cid", "dan", "eli", "fay"} {
		there.User(t, name, actor.Artist)
		csv.WriteString(name + "@" + there.Host + ",true,false,\n")
	}
	csv.WriteString("nobody@" + there.Host + ",true,false,\nlin@" + here.Host + "\nADA@" + there.Host + "\nx@blocked.example\n")
	if err := here.Moderation.SetPolicy(t.Context(), "root", discover.Policy{Subject: "blocked.example", Severity: discover.Suspend}, "a test"); err != nil {
		t.Fatal(err)
	}
	if _, err := here.members.BringFollows(t.Context(), lin.URI, []byte(csv.String())); err != nil {
		t.Fatal(err)
	}
	var last account.Progress
	fedtest.Until(t, "all lines are done", func() bool {
		list, err := here.members.Imports(t.Context(), lin.URI)
		if err != nil || len(list) != 1 {
			return false
		}
		last = list[0]
		return last.Waiting() == 0
	}, here.Instance, there.Instance)
	why := map[string]string{}
	for _, line := range last.Failed {
		why[line.Address] = line.Words
	}
	if last.Total != 9 || last.Followed != 6 || len(why) != 3 || why["nobody@"+there.Host] != "notfound" || why["lin@"+here.Host] != "self" || why["x@blocked.example"] != "blocked" {
		t.Errorf("%d of %d followed, %v", last.Followed, last.Total, why)
	}
	fedtest.Until(t, "they agreed", func() bool { return here.Count(t, "follows", "follower = ? AND state = 'accepted'", lin.URI) == 6 }, here.Instance, there.Instance)
	for name, text := range map[string]string{"empty": "", "prose": "dear server\n", "a picture": "\x00", "an address with a path": "a@b.example/x\n"} {
		if _, err := here.members.BringFollows(t.Context(), lin.URI, []byte(text)); !errors.Is(err, account.ErrList) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
