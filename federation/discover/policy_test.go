package discover_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
)

func set(t *testing.T, i *fedtest.Instance, p discover.Policy) {
	t.Helper()
	if err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Hosts.SetPolicy(ctx, tx, p) }); err != nil {
		t.Fatal(err)
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" Bad.Example. ": "bad.example", "https://bad.example/": "bad.example", "https://BAD.example:443": "bad.example", "*.bad.example": "bad.example",
		"bücher.example": "xn--bcher-kva.example", "bad.example:8443": "bad.example:8443", "192.0.2.7": "192.0.2.7", "[2001:DB8::1]": "2001:db8::1",
		"https://Bad.Example/users/Eve#main-key": "https://bad.example/users/Eve", "https://bad.example:443/@eve": "https://bad.example/@eve",
		"": "", "no domain": "", "a/b": "", "...": "", "ex*mple.com": "", "ftp://bad.example/x": "",
	} {
		got, err := discover.Subject(in)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, discover.ErrSubject) {
			t.Errorf("%q becomes %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{Idle: true, DSN: fresh()})
		set(t, i, discover.Policy{Subject: "bad.example", Severity: discover.Suspend})
		set(t, i, discover.Policy{Subject: "loud.example", Severity: discover.Silence, RejectMedia: true})
		set(t, i, discover.Policy{Subject: "worse.loud.example", Severity: discover.Noop, RejectReports: true})
		set(t, i, discover.Policy{Subject: "https://mixed.example/users/eve", Severity: discover.Suspend})
		check := func() {
			t.Helper()
			for uri, want := range map[string]discover.Verdict{
				"https://bad.example/users/x":        {Blocked: true},
				"https://loud.example/users/x":       {Silenced: true, RejectMedia: true},
				"https://worse.loud.example/users/x": {Silenced: true, RejectMedia: true, RejectReports: true},
				"https://mixed.example/users/eve":    {Blocked: true},
				"https://MIXED.example./users/eve":   {Blocked: true},
				"https://mixed.example/users/bob":    {},
				"https://good.example/users/x":       {},
				"no uri":                             {Blocked: true},
			} {
				if got, err := i.Hosts.JudgeActor(t.Context(), uri); err != nil || got != want {
					t.Errorf("%s: %+v, %v; want %+v", uri, got, err, want)
				}
			}
		}
		check() // from the database, while a change may not be committed yet
		i.Clock.Advance(time.Minute)
		check() // from memory
		// What another process changes is seen after a few seconds; what this one does, at once.
		if err := i.DB.Write.Exec("DELETE FROM policies WHERE subject = 'bad.example'").Error; err != nil {
			t.Fatal(err)
		}
		if blocked, err := i.Hosts.IsBlocked(t.Context(), "bad.example"); err != nil || !blocked {
			t.Errorf("memory was not used: %t, %v", blocked, err)
		}
		i.Clock.Advance(6 * time.Second)
		if blocked, err := i.Hosts.IsBlocked(t.Context(), "bad.example"); err != nil || blocked {
			t.Errorf("the change of another process is not seen: %t, %v", blocked, err)
		}
		set(t, i, discover.Policy{Subject: "bad.example", Severity: discover.Suspend})
		if blocked, err := i.Hosts.IsBlocked(t.Context(), "bad.example"); err != nil || !blocked {
			t.Errorf("the own change is not seen at once: %t, %v", blocked, err)
		}
	})
}

// A decision holds when its transaction commits, not before, also when somebody asks in between.
func TestPolicyHoldsAtCommit(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	ask := func() bool {
		t.Helper()
		blocked, err := i.Hosts.IsBlocked(t.Context(), "bad.example")
		if err != nil {
			t.Fatal(err)
		}
		return blocked
	}
	undone := errors.New("undone")
	for _, end := range []error{undone, nil} {
		err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			if err := i.Hosts.Block(ctx, tx, "bad.example", true); err != nil {
				return err
			}
			if ask() {
				t.Error("it holds before it is committed")
			}
			return end
		})
		if !errors.Is(err, end) {
			t.Fatal(err)
		}
		if ask() != (end == nil) {
			t.Errorf("after the end with %v: %t", end, ask())
		}
	}
}

func TestAllowList(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true, AllowList: true})
	set(t, i, discover.Policy{Subject: "friend.example", Severity: discover.Allow})
	set(t, i, discover.Policy{Subject: "bad.friend.example", Severity: discover.Suspend})
	for host, want := range map[string]bool{
		"friend.example": false, "music.friend.example": false, "bad.friend.example": true, "stranger.example": true, i.Host: false,
	} {
		if got, err := i.Hosts.IsBlocked(t.Context(), host); err != nil || got != want {
			t.Errorf("%s blocked: %t, %v", host, got, err)
		}
	}
}

func TestPolicyOfNoSeverity(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		return i.Hosts.SetPolicy(ctx, tx, discover.Policy{Subject: "bad.example", Severity: "hate"})
	})
	if !errors.Is(err, discover.ErrSeverity) {
		t.Errorf("%v", err)
	}
}
