package discover_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
	"antiphon/federation/httpsig"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	expect := func(h *discover.Hosts, host string, want httpsig.Dialect) {
		t.Helper()
		if got, err := h.Dialect(t.Context(), host); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", host, got, err, want)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect(i.Hosts, "new.example", httpsig.Cavage)
	do(i.Hosts.Heard(t.Context(), "new.example", httpsig.Cavage))
	if n := i.Count(t, "hosts", "1=1"); n != 0 {
		t.Errorf("the usual dialect wrote %d rows", n)
	}
	do(i.Hosts.Heard(t.Context(), "New.example.", httpsig.RFC9421))
	expect(i.Hosts, "new.example", httpsig.RFC9421)
	do(i.Hosts.Heard(t.Context(), "new.example", httpsig.Cavage))
	expect(i.Hosts, "new.example", httpsig.RFC9421)

	// What it refused, it is not asked to take again, though it uses it itself.
	do(i.Hosts.Refused(t.Context(), "new.example"))
	do(i.Hosts.Heard(t.Context(), "new.example", httpsig.RFC9421))
	expect(i.Hosts, "new.example", httpsig.Cavage)

	// Another process over the same database learns it in time, and what else is known of the host stays.
	other := discover.NewHosts(discover.HostsConfig{Scheme: "http"}, i.DB, i.HTTP, slog.New(slog.DiscardHandler), i.Clock.Now)
	expect(other, "late.example", httpsig.Cavage)
	do(i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Hosts.Block(ctx, tx, "late.example", true) }))
	do(i.Hosts.Heard(t.Context(), "late.example", httpsig.RFC9421))
	expect(other, "late.example", httpsig.Cavage)
	i.Clock.Advance(time.Hour)
	expect(other, "late.example", httpsig.RFC9421)
	if blocked, err := i.Hosts.IsBlocked(t.Context(), "late.example"); err != nil || !blocked {
		t.Errorf("blocked: %t, %v", blocked, err)
	}
}
