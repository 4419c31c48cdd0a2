package main

import (
	"time"

	. "antiphon/templates"
)

// raidenPages are the pages about the payment node.
func raidenPages(user *User) map[string]View {
	dai := func(units string) Money { return Money{Units: units, Decimals: 6, Symbol: "DAI"} }
	const hub, lin = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
	whole := Raiden{
		Layout: layout("/admin/raiden", user), Here: true, Symbol: "DAI",
		Findings: []NodeFinding{
			{Part: "node", Level: "ok", Says: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB, light client 3.1.1"},
			{Part: "chain", Level: "fail", Says: "still reading, 1713 blocks to go", Do: "wait; it pays and is paid only then"},
			{Part: "token", Level: "ok", Says: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB is registered"},
			{Part: "being paid", Level: "warn", Says: "only as far as partners have deposited themselves, which the node does not tell", Do: "ask a partner whether it has"},
		},
		Channels: []NodeChannel{
			{Partner: hub, State: "opened", Open: true, Online: "unknown", Deposit: dai("250000000"), Ours: dai("187500000"), Theirs: dai("62500000")},
			{Partner: lin, State: "opened", Open: true, Online: "unreachable", Deposit: dai("1000000"), Ours: dai("0"), Theirs: dai("1000000")},
			{Partner: lin, State: "closed", Online: "unknown", Deposit: dai("5000000"), Ours: dai("5000000"), Theirs: dai("0")},
		},
		Transfers: []NodeTransfer{{Role: "initiator", Other: lin, Amount: dai("5000000")}},
		Payments: []NodePayment{
			{Kind: "received", Other: hub, Amount: dai("5000000"), When: now.Add(-time.Hour)}, {Kind: "sent", Other: lin, Amount: dai("2500000"), When: now.Add(-2 * time.Hour)},
			{Kind: "failed", Other: lin, Amount: dai("0"), Reason: "there is no route", When: now.Add(-3 * time.Hour)},
		},
		Acts: []NodeAct{
			{ID: "2", Kind: "open", Partner: lin, Who: "lin", State: "refused", Words: "The node's account does not hold enough tokens, or too little to pay the chain with.", Total: dai("9000000"), When: now.AddDate(0, 0, -1)},
			{ID: "3", Kind: "close", Partner: lin, Who: "orchester_der_vergessenen_strassenbahn", State: "done", When: now.AddDate(0, 0, -2)},
		},
	}
	lost := whole
	lost.Busy, lost.Error = true, "Something else is being done with the channels, or its outcome is not known yet. See below; then decide again."
	lost.Acts = append([]NodeAct{{ID: "1", Kind: "deposit", Partner: hub, Who: "lin", State: "unknown", Words: "The node has not said in time whether it did this. It may be done, or may still be: look again before anything else.", Total: dai("300000000"), When: now}}, whole.Acts...)
	confirm := func(act string) *RaidenConfirm {
		return &RaidenConfirm{Layout: layout("/admin/raiden/confirm", user), Act: act, Partner: hub, Adds: dai("50000000"), Before: dai("250000000"), After: dai("300000000"), Ours: dai("187500000"), Error: "Please say why, in up to 2,000 characters."}
	}
	return map[string]View{
		"admin-raiden": &whole, "admin-raiden-lost": &lost, "admin-raiden-none": &Raiden{Layout: layout("/admin/raiden", user)},
		"admin-raiden-open": confirm("open"), "admin-raiden-deposit": confirm("deposit"), "admin-raiden-close": confirm("close"),
	}
}
