package account_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/pool"
	"antiphon/payments/royalty"
)

// Who leaves is in the books of the pool under the pseudonyms of its months alone: others are owed a part of what was paid.
func TestLeaveTheBooks(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		here := newHome(t, fedtest.Options{DSN: fresh(), Clock: testkit.NewClock(time.Date(2026, 10, 15, 12, 0, 0, 0, time.UTC))})
		lin, mo := here.User(t, "lin", actor.Listener), here.User(t, "mo", actor.Listener)
		const october, september = royalty.Month("2026-10"), royalty.Month("2026-09")
		now := here.Clock.Now()
		ten, err := amount.Parse("10000000", "antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
		if err != nil {
			t.Fatal(err)
		}
		write := func(sql string, args ...any) {
			t.Helper()
			if err := here.DB.Write.Exec(sql, args...).Error; err != nil {
				t.Fatal(err)
			}
		}
		var pseudonyms [2]string
		for _, who := range []actor.Actor{lin, mo} {
			demand := here.BaseURL + "/agreements/" + who.Name
			for _, row := range []any{
				&pool.Membership{Listener: who.URI, State: pool.Active, Month: october, JoinedAt: now, UpdatedAt: now},
				&pool.Payment{Hash: "1" + who.Name, Listener: who.URI, OrderURI: demand, State: pool.Counted, Month: october, Units: ten.Units, Asset: ten.Asset, FinalAt: now},
				&pool.Payment{Hash: "2" + who.Name, Listener: who.URI, OrderURI: demand, State: pool.Credit, Units: ten.Units, Asset: ten.Asset, FinalAt: now},
				&pool.Payment{Hash: "3" + who.Name, Listener: who.URI, State: pool.Owed, Units: ten.Units, Asset: ten.Asset, FinalAt: now.AddDate(-2, 0, 0)},
				&payments.Order{URI: demand, Offer: demand, Identifier: who.Name, Purpose: payments.Dues, Buyer: who.URI, Units: ten.Units, Asset: ten.Asset, State: payments.Awaiting, CreatedAt: now},
			} {
				if err := here.DB.Write.Create(row).Error; err != nil {
					t.Fatal(err)
				}
			}
			for _, day := range []string{"2026-09-30", "2026-10-14"} {
				write(`INSERT INTO plays (listener, session, artist, track, day, started_at, reported_at, seconds, length, heard, bytes, blocks, network, agent, source, counted)
					VALUES (?, ?, 'a', 't', ?, ?, ?, 60, 60, '', 0, '', '', '', '', ?)`, who.URI, day, day, now, now, true)
				write(`INSERT INTO play_marks (listener, session, day, state, rule, policy, evidence, created_at) VALUES (?, ?, ?, 'held', 'R6', 1, '', ?)`, who.URI, day, day, now)
			}
			write(`INSERT INTO pool_admitted (host, month, listener, created_at) VALUES (?, '2026-10', ?, ?)`, here.Host, who.URI, now)
			write(`INSERT INTO report_carries (month, listener, micro, months) VALUES ('2026-10', ?, 9000000, 1), ('2024-10', ?, 9000000, 1)`, who.URI, who.URI)
			write(`INSERT INTO statements_heard (node, month, artist, micro, raw, words, heard_at) VALUES ('b.example', '2026-10', ?, 1, '', '', ?)`, who.URI, now)
			err := here.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				for i, month := range []royalty.Month{october, september} {
					if pseudonyms[i], err = here.names.Of(ctx, tx, month, who.URI); err != nil {
						return err
					}
				}
				return tx.Exec(`INSERT INTO report_decisions (month, pseudonym, artist, rule, policy, evidence, state, appeal, updated_at)
					VALUES ('2026-10', ?, 'a', 'R6', 1, '', 'held', ?, ?)`, pseudonyms[0], "I am "+who.Name, now).Error
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		err = here.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			if pseudonyms[0], err = here.names.Of(ctx, tx, october, lin.URI); err != nil {
				return err
			}
			return here.members.Leave(ctx, tx, lin.URI)
		})
		if err != nil {
			t.Fatal(err)
		}
		for table, column := range map[string]string{
			"pool_members": "listener", "pool_payments": "listener", "pool_admitted": "listener", "orders": "buyer", "plays": "listener", "play_marks": "listener",
			"report_carries": "listener", "statements_heard": "artist",
		} {
			if n := here.Count(t, table, column+" = ?", lin.URI); n != 0 {
				t.Errorf("%d rows of hers are in %s", n, table)
			}
			if n := here.Count(t, table, column+" = ?", mo.URI); n == 0 {
				t.Errorf("nothing of somebody else is in %s", table)
			}
		}
		// The books have what they had, and the same pseudonym as the ledger.
		for _, c := range []struct {
			table, where string
			n            int64
		}{
			{"pool_payments", "listener = ? AND month = '2026-10' AND state = 'counted'", 1},
			{"pool_payments", "listener = ? AND month = '' AND state = 'owed'", 1},
			{"orders", "buyer = ? AND purpose = 'dues'", 1},
			{"plays", "listener = ? AND day = '2026-10-14'", 1},
			{"plays", "listener = ?", 1},
			{"play_marks", "listener = ?", 1},
			{"report_carries", "listener = ? AND month = '2026-10' AND micro = 9000000", 1},
			{"report_decisions", "pseudonym = ? AND appeal = '' AND state = 'held'", 1},
		} {
			if n := here.Count(t, c.table, c.where, pseudonyms[0]); n != c.n {
				t.Errorf("%d in %s where %s", n, c.table, c.where)
			}
		}
		if n := here.Count(t, "report_decisions", "appeal = 'I am mo'"); n != 1 {
			t.Error("somebody else's words are gone")
		}
		if n := here.Count(t, "pool_payments", "listener = '' AND state = 'owed'"); n != 1 {
			t.Error("what is owed since before anybody can tell whose it was is gone")
		}
		var all []string
		parts := pool.Service{Parts: pool.Parts{DB: here.DB, Pseudonyms: here.names}}
		err = parts.Members(t.Context(), october, func(m pool.Member) error { all = append(all, m.Listener+" "+m.Pseudonym); return nil })
		if err != nil || len(all) != 2 || !strings.Contains(strings.Join(all, "\n"), pseudonyms[0]+" "+pseudonyms[0]) {
			t.Errorf("members of October: %v, %v", all, err)
		}
	})
}
