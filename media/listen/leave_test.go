package listen_test

import (
	"context"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/testkit"
	"antiphon/media/listen"
)

// What somebody heard who has left stays until the month is divided, and goes then; of others nothing goes.
func TestWhatIsLeftOfWhoIsGone(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		clock := testkit.NewClock(time.Date(2026, 10, 15, 12, 0, 0, 0, time.UTC))
		r := openRoom(t, fresh(), clock, nil)
		const gone, name, stays = "https://a.example/users/gone", "0123456789abcdef0123456789abcdef", "https://a.example/users/stays"
		for _, who := range []string{gone, stays} {
			for _, day := range []string{"2026-09-30", "2026-10-14"} {
				must(t, r.db.Write.Exec(`INSERT INTO plays (listener, session, artist, track, day, started_at, reported_at, seconds, length, heard, bytes, blocks, network, agent, source, counted)
					VALUES (?, ?, 'a', 't', ?, ?, ?, 60, 60, '', 0, '', '', '', '', ?)`, who, day, day, clock.Now(), clock.Now(), true).Error)
			}
		}
		must(t, r.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			return listen.Leave(ctx, tx, gone, map[string]string{"2026-10": name})
		}))
		count := func(who string) (n int64) {
			must(t, r.db.Read.Table("plays").Where("listener = ?", who).Count(&n).Error)
			return n
		}
		if count(gone) != 0 || count(name) != 1 || count(stays) != 2 {
			t.Errorf("after leaving: %d, %d and %d", count(gone), count(name), count(stays))
		}
		for _, c := range []struct {
			at   time.Time
			left int64
		}{{time.Date(2026, 12, 31, 12, 0, 0, 0, time.UTC), 1}, {time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC), 0}} {
			clock.Set(c.at)
			must(t, r.ForgetGone(t.Context()))
			if count(name) != c.left || count(stays) != 2 {
				t.Errorf("on %s: %d and %d", c.at, count(name), count(stays))
			}
		}
	})
}
