package db_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Of many that share commits, those that fail leave nothing behind, and nobody else notices.
func TestGrouped(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		d, err := db.Open(t.Context(), fresh(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := d.Write.Exec("CREATE TABLE grouped (id BIGINT PRIMARY KEY)").Error; err != nil {
			t.Fatal(err)
		}
		const many = 500
		refusal := errors.New("refused")
		ended, end := context.WithCancel(t.Context())
		end()
		errs := make([]error, many)
		var wait sync.WaitGroup
		for n := range many {
			wait.Go(func() {
				ctx := db.Grouped(t.Context())
				if n%10 == 4 {
					ctx = db.Grouped(ended)
				}
				errs[n] = d.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
					if err := tx.Exec("INSERT INTO grouped VALUES (?)", n).Error; err != nil {
						return err
					}
					switch n % 10 {
					case 1:
						return refusal
					case 2:
						return tx.Exec("INSERT INTO grouped VALUES (?)", n).Error // the same once more
					case 3:
						panic("on purpose")
					case 5:
						return d.Tx(ctx, func(context.Context, *gorm.DB) error { return nil })
					}
					return nil
				})
			})
		}
		wait.Wait()
		for n, err := range errs {
			ok := map[int]bool{
				1: errors.Is(err, refusal), 2: errors.Is(err, gorm.ErrDuplicatedKey) || err != nil, 4: errors.Is(err, context.Canceled), 5: errors.Is(err, db.ErrNested),
				3: err != nil && strings.Contains(err.Error(), "on purpose"),
			}
			if bad := n%10 >= 1 && n%10 <= 5; bad && !ok[n%10] || !bad && err != nil {
				t.Errorf("%d: %v", n, err)
			}
			var there int64
			if err := d.Read.Raw("SELECT COUNT(*) FROM grouped WHERE id = ?", n).Scan(&there).Error; err != nil {
				t.Fatal(err)
			}
			if want := int64(1); (n%10 == 0 || n%10 > 5) != (there == want) {
				t.Errorf("%d stands there %d times", n, there)
			}
		}
		// A commit that fails fails for all of it, and for none after it.
		if err := d.Write.Exec("DROP TABLE grouped").Error; err != nil {
			t.Fatal(err)
		}
		err = d.Tx(db.Grouped(t.Context()), func(_ context.Context, tx *gorm.DB) error { return tx.Exec("INSERT INTO grouped VALUES (1)").Error })
		if err == nil {
			t.Error("an insert into no table succeeds")
		}
		if err := d.Tx(db.Grouped(t.Context()), func(_ context.Context, tx *gorm.DB) error { return tx.Exec("SELECT 1").Error }); err != nil {
			t.Error(fmt.Errorf("afterwards: %w", err))
		}
	})
}
