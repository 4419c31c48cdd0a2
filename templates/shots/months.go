package main

import (
	"time"

	. "antiphon/templates"
)

// months are the pages of the listening pool's books: what admins, artists and listeners see of a month.
func months() map[string]View {
	pages, user := map[string]View{}, lin()
	keeper := &User{Name: "lin", Display: "Lin", Handle: "@lin@kirchplatz.example", URL: "/@lin", Admin: true}
	root := "60ec80ee4f33d90f6d83ec8c04e6ed4ea5bd5d5fae89ef2f4cf2d53ec3a11b8a"
	pages["months"] = &Months{Layout: layout("/admin/months", keeper), Month: "2026-10", Earlier: "2026-09", Later: "2026-11", Statements: []MonthStatement{
		{Host: "kirchplatz.example", Own: true, Final: true, Payments: 3, Listeners: 3, Artists: 4, Pool: "27.000000", Splits: "27.000000", Held: "0.000000", CarryIn: "0.000000", CarryOut: "0.000000", SplitsRoot: root, Days: 31},
		{Host: "a-very-long-instance-name.music.example", Payments: 1204, Listeners: 1190, Artists: 811, Pool: "10836.000000", Splits: "10710.000000", Held: "18.000000", CarryIn: "9.000000", CarryOut: "117.000000", SplitsRoot: root, Days: 30},
	}, Findings: []MonthFinding{
		{Host: "a-very-long-instance-name.music.example", Kind: "missing", Words: "2026-10-12 was not reported. What was heard on it is not paid for."},
		{Host: "b.example", Kind: "altered", Words: "Its statement for https://kirchplatz.example/users/ada does not hold: a line of 2026-10-17 is not under the root that was reported for the day.", Artist: "https://kirchplatz.example/users/ada"},
	}, Decisions: []Mark{
		{
			Pseudonym: "522c37e5e322f4dedd128332117dc4a6", Artist: "https://a-very-long-instance-name.music.example/users/zaragoza", URL: "/artist", Rule: "R6", Policy: 2, State: "held", Open: true,
			Evidence: []string{root}, Listener: "I was ill in bed and let it run.", Words: "We were on the radio on that day.",
		},
		{Pseudonym: "5a2c37e5e322f4dedd128332117dc4a6", Artist: "Ada Brandt", URL: "/@ada", Rule: "R7", Policy: 2, State: "removed", By: "vera", Evidence: []string{root}, Open: true},
		{Pseudonym: "5b2c37e5e322f4dedd128332117dc4a6", Artist: "نور الهاشمي", URL: "/@nour", Rule: "R8", Policy: 2, State: "paid", By: "time", ByTime: true, Evidence: []string{root}},
		{Pseudonym: "0a2c37e5e322f4dedd128332117dc4a6", Artist: "https://b.example/users/z", Rule: "R4", Policy: 2, State: "noted", Evidence: []string{root}},
	}, More: 31, Payouts: []MonthPayout{
		{Artist: "a", Payee: "https://b.example/users/b", Dollars: "8.700000", Address: "0x52908400098527886E0F7030069857D2E4169EE7", State: "ready", CanSend: true},
		{Artist: "d", Payee: "https://b.example/users/d", Dollars: "3.000000", State: "unclaimed", Remark: "no address was given before the 23rd; the oldest of it is kept until 2028-11-25"},
	}, Changes: []MonthChange{
		{In: "2026-12", Of: "2026-10", About: "chargeback", Artist: "https://b.example/users/b", Dollars: "-0.450000"},
		{In: "2026-12", Of: "2026-10", About: "chargeback", Dollars: "-1.000000"},
		{In: "2026-10", About: "lapsed", Artist: "https://a-very-long-instance-name.music.example/users/c", Dollars: "-10.800000"},
	}}
	pages["months-empty"] = &Months{Layout: layout("/admin/months", keeper), Month: "2026-10", Earlier: "2026-09", Later: "2026-11", Error: "It is too late: the month is closed. A correction in a later month can mend it."}
	pages["rules"] = &PoolRules{Layout: layout("/admin/rules", keeper), Version: 1, From: "2026-10", Next: "2026-12", MinSeconds: 30, DayCap: 20, Rules: []PoolRule{
		{Rule: "R1", Setting: "holds"}, {Rule: "R2", Setting: "holds"}, {Rule: "R3", Setting: "holds"}, {Rule: "R4", Setting: "tells"}, {Rule: "R5", Setting: "tells"}, {Rule: "R6", Setting: "tells"}, {Rule: "R7", Setting: "off"}, {Rule: "R8", Setting: "tells"}, {Rule: "R9", Setting: "tells"},
	}, Error: "The ledger does not take these figures: one is missing or out of bounds. Nothing was written."}
	pages["disputes"] = &Disputes{Layout: layout("/admin/disputes", keeper), Host: "b.example", Month: "2026-10", Artist: "https://b.example/users/z", Rows: []DisputeRow{
		{ID: root, Host: "b.example", Month: "2026-10", Reason: "plays", State: "votes", Slice: "7.708779", Until: "2026-11-11", Votes: []string{"b.example: keep", "kirchplatz.example: remove"}, CanVote: true},
		{ID: root, Host: "kirchplatz.example", Month: "2026-10", Reason: "plays", State: "ruled", Verdict: "keep", Slice: "10.800000", Until: "2026-11-16", CanAppeal: true},
	}}
	pages["disputes-empty"] = &Disputes{Layout: layout("/admin/disputes", keeper), Error: "The dispute is past that step."}
	pages["statements"] = &Statements{Layout: layout("/statements", user), Asset: "eip155:1/erc20:0x8E870D67F660D95d5be530380D0eC0bd388289E1", Address: "0x52908400098527886E0F7030069857D2E4169EE7", Months: []StatementMonth{{
		Month: "2026-10", Total: "46.007463", Rows: []StatementRow{
			{Host: "kirchplatz.example", Final: true, Listeners: 1, Plays: "50", Owed: "4.500000", Paid: "4.500000", Ref: "bank/1", ProofURL: "/x"},
			{Host: "a-very-long-instance-name.music.example", Listeners: 5, Plays: "45", Owed: "41.507463", Proofs: 5, Words: "a line of 2026-10-17 is not under the root that was reported for the day", ProofURL: "/x"},
		}, Changes: []StatementChange{
			{Host: "kirchplatz.example", Of: "2026-08", About: "chargeback", Dollars: "-0.450000"}, {Host: "b.example", About: "lapsed", Dollars: "-3.000000"},
		},
	}}, Owing: []StatementOwing{
		{Host: "a-very-long-instance-name.music.example", Dollars: "41.507463", Until: "2028-11-25"}, {Host: "kirchplatz.example", Dollars: "-0.450000", Debt: true},
	}}
	marked := *pages["statements"].(*Statements)
	marked.Marks = []MarkedMonth{
		{Month: "2026-10", Host: "kirchplatz.example", CanAppeal: true, Words: "A class of thirty hears our record at school.", Marks: []Mark{
			{Rule: "R5", Policy: 2, State: "held", Listeners: 1, Dollars: "9.000000", Evidence: []string{root}},
			{Rule: "R7", Policy: 2, State: "removed", Listeners: 30, By: "vera", Evidence: []string{root, root}},
		}},
		{Month: "2026-10", Host: "a-very-long-instance-name.music.example", Marks: []Mark{{Rule: "R12", Policy: 9, State: "held", Listeners: 5, Dollars: "45.000000", Evidence: []string{root}}}},
	}
	pages["statements-marked"] = &marked
	pages["statements-empty"] = &Statements{Layout: layout("/statements", user), Since: now.AddDate(0, 0, -19), Plays: 1283, Elsewhere: 412}
	october := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	pages["shares"] = &Shares{Layout: layout("/pool/month/2026-10", user), Month: "2026-10", Begins: october, Final: true, Operator: "1.00", CanAppeal: true, Appeal: "I was ill in bed and let it run.", Marks: []Mark{
		{Artist: "Ada Brandt", URL: "/@ada", Rule: "R6", Policy: 2, State: "removed", By: "vera", Evidence: []string{root}},
	}, Rows: []ShareRow{
		{Name: "Ada Brandt", URL: "/@ada", Dollars: "4.50", Percent: 50}, {Name: "نور الهاشمي", URL: "/@nour", Dollars: "2.70", Percent: 30},
		{Name: "https://b.example/users/c", URL: "/artist?uri=x", Dollars: "1.80", Percent: 20},
	}}
	pages["shares-carried"] = &Shares{Layout: layout("/pool/month/2026-10", user), Month: "2026-10", Begins: october, Operator: "1.00", Carried: "9.00"}
	pages["shares-empty"] = &Shares{Layout: layout("/pool/month/2026-10", user), Month: "2026-10", Begins: october, Empty: true}
	pages["shares-sofar"] = &Shares{Layout: layout("/pool/month/2026-10", user), Month: "2026-10", Begins: october, SoFar: true, Operator: "1.00", Rows: []ShareRow{
		{Name: "Ada Brandt", URL: "/@ada", Dollars: "6.75", Percent: 75}, {Name: "نور الهاشمي", URL: "/@nour", Dollars: "2.25", Percent: 25},
	}}
	pages["shares-unheard"] = &Shares{Layout: layout("/pool/month/2026-10", user), Month: "2026-10", Begins: october, SoFar: true, Off: true, Operator: "1.00", Carried: "9.00"}
	return pages
}
