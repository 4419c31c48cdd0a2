package main

import (
	"strings"
	"time"

	. "antiphon/templates"
)

// listening are the pages of the listening pool.
func listening() map[string]View {
	user := lin()
	usd := func(units string) Money { return Money{Units: units, Decimals: 6, Symbol: "USDC"} }
	november := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	base := func(user *User) Pool {
		p := Pool{
			Layout: layout("/pool", user), Price: usd("10000000"), Operator: usd("1000000"), Artists: usd("9000000"),
			Others: []string{"b.example", "a-very-long-instance-name.music.example"},
			Month:  november, Closes: november.AddDate(0, 0, 3),
		}
		p.Layout.Pool = true
		return p
	}
	hash := strings.Repeat("6f1d0a9c", 8)
	visitor, fresh, asked, member, late, desk := base(nil), base(user), base(user), base(user), base(user), base(user)
	visitor.Layout.SignupOpen = true
	fresh.CanJoin = true
	asked.State, asked.CanCancel, asked.CanPay = "asked", true, true
	asked.Invoice = &Invoice{
		Provider: "Raiden", Network: "Arbitrum One", Target: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", Token: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
		Amount: "10000000", Identifier: "1844674407370955161", Expires: now.Add(20 * time.Minute),
	}
	asked.Words = "4 of 10 has arrived; the rest is still to be paid."
	member.State, member.Paid, member.CanCancel, member.ShareURL = "active", true, true, "/pool/month/2026-11"
	member.Words = "November 2026 was paid already. This payment is kept and pays for the next month that you have not paid yet. If you want it back instead, ask the operator of this server."
	member.Payments = []PoolPayment{
		{Hash: hash, When: now.AddDate(0, 0, -2), Amount: usd("10000000"), State: "credit"},
		{Hash: hash, When: now.AddDate(0, 0, -3), Amount: usd("10000000"), State: "counted", Month: november, OnLedger: true, ShareURL: "/pool/month/2026-11"},
		{Hash: hash, When: now.AddDate(0, -1, 0), Amount: usd("10000000"), State: "reversed", Month: november.AddDate(0, -1, 0), OnLedger: true},
	}
	late.State, late.CanCancel, late.CanPay = "late", true, true
	desk.State, desk.Paid, desk.CanCancel = "active", true, true
	desk.Desk = &PoolDesk{
		Members: []PoolCount{{State: "asked", Count: 3}, {State: "active", Count: 1204}, {State: "late", Count: 17}},
		Unsettled: []PoolPayment{
			{Hash: hash, Listener: "@lin@kirchplatz.example", When: now, Amount: usd("10000000"), State: "credit"},
			{Hash: hash, Listener: "@orchester_der_vergessenen@kirchplatz.example", When: now, Amount: usd("1"), State: "owed"},
		},
	}
	desk.Error = "There is no such payment. Copy its 64 digits from the member's page or from the list here."
	return map[string]View{"pool": &fresh, "pool-visitor": &visitor, "pool-asked": &asked, "pool-member": &member, "pool-late": &late, "pool-desk": &desk}
}
