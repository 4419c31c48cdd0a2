package main

import (
	"strings"
	"time"

	. "antiphon/templates"
)

// moderationPages are the pages of admins and members about what they do not want, and about the whole of an account.
func moderationPages(user *User) map[string]View {
	out := map[string]View{}
	long := "@orchester_der_vergessenen@a-very-long-instance-name.music.example"
	words := "They upload other people's records under their own name. " + strings.Repeat("I have written to them, and they did not answer. ", 3)
	rows := []ReportRow{
		{URL: "/admin/reports/1", Target: "@josef@kirchplatz.example", Reporter: "@lin@kirchplatz.example", Words: words, When: now.Add(-3 * time.Hour), Objects: 2},
		{URL: "/admin/reports/2", Target: long, Reporter: "https://b.example/actor", Words: "أغنيتي، بلا إذن.", When: now.Add(-30 * time.Hour), Objects: 1},
		{URL: "/admin/reports/3", Target: "@nour@music.example", Reporter: "@ada@kirchplatz.example", When: now.AddDate(0, 0, -9)},
	}
	tabs := []Choice{{Value: "open", Label: "Open", Selected: true}, {Value: "resolved", Label: "Resolved"}, {Value: "dismissed", Label: "Dismissed"}}
	out["admin-reports"] = &Reports{Layout: layout("/admin/reports", user), State: "open", Tabs: tabs, Rows: rows}
	out["admin-reports-none"] = &Reports{Layout: layout("/admin/reports", user), State: "open", Tabs: tabs}
	out["admin-report"] = &Report{Layout: layout("/admin/reports/1", user), ID: "1", State: "open", Row: rows[1], TargetURL: "/@josef", TargetURI: site + "/users/josef",
		AccountURL: "/admin/decide/suspend?subject=josef", PolicyURL: "/admin/policies?subject=x", Forwarded: true,
		Objects: []Reported{{URL: "/@josef/quarry", Title: "Quarry Song", TakeDownURL: "/admin/decide/takedown?subject=1"}, {Title: "https://a-very-long-instance-name.music.example/users/orchester_der_vergessenen/notes/01JD8K3V6M2Q9X"}},
		Notes:   []ReportNote{{Author: "lin", Words: "I asked the label.", When: now}}}
	done := rows[0]
	done.Outcome = "The label confirmed it. The track was taken down."
	out["admin-report-resolved"] = &Report{Layout: layout("/admin/reports/1", user), ID: "1", State: "resolved", Row: done}
	severities := []Choice{{Value: "silence", Label: "Silence", Hint: "Only those who follow somebody there see what they say.", Selected: true}, {Value: "suspend", Label: "Suspend", Hint: "Nothing is taken from there, sent there or fetched. Follows end. What was bought stays bought."}, {Value: "noop", Label: "Neither", Hint: "Only what is chosen below."}}
	out["admin-policies"] = &Policies{Layout: layout("/admin/policies", user), Severities: severities, Subject: "not a domain", Error: "This is neither a domain nor the address of an account.",
		Rows: []Policy{{Subject: "bad.example", Severity: "suspend", Changed: now, Public: "spam", LiftURL: "/x"}, {Subject: "loud.example", Severity: "silence", RejectMedia: true, RejectReports: true, Changed: now, LiftURL: "/x"},
			{Subject: "https://a-very-long-instance-name.music.example/users/orchester_der_vergessenen", Severity: "suspend", Changed: now, LiftURL: "/x"}}}
	out["admin-policies-empty"] = &Policies{Layout: layout("/admin/policies", user), Severities: severities, AllowList: true}
	out["admin-import"] = &PolicyImport{Layout: layout("/admin/policies/import/1", user), ID: "1", Total: 212, More: 209, Same: 14, Follows: 31,
		Changes:  []PolicyChange{{Subject: "bad.example", Severity: "suspend", Follows: 31}, {Subject: "loud.example", Was: "silence", Severity: "suspend", RejectMedia: true}, {Subject: "xn--bcher-kva.a-very-long-instance-name.example", Severity: "silence", RejectReports: true}},
		Problems: []ListProblem{{Line: 7, Text: "ex****le.com", Why: "obfuscated"}, {Line: 9, Text: "no", Why: "nodomain"}}}
	out["admin-import-nothing"] = &PolicyImport{Layout: layout("/admin/policies/import/1", user), ID: "1", Same: 14}
	out["admin-audit"] = &Audit{Layout: layout("/admin/audit", user), Rows: []Act{
		{Who: "lin", Act: "suspend", Subject: "bad.example", Why: "spam, and no answer", When: now},
		{Who: "lin", Act: "takedown and deny", Subject: site + "/tracks/abcdefghijklmnopqrstuvwxyz", Why: words, When: now.Add(-time.Hour)}}}
	out["admin-signups"] = &Signups{Layout: layout("/admin/signups", user), Asked: true, Rows: []Applicant{
		{Name: "mara", Display: "Mara Ilves", Reason: "I play the kannel, and Ada sent me.", When: now}, {Name: "orchester_der_vergessenen", Display: "نور الهاشمي", When: now}}}
	out["admin-signups-none"] = &Signups{Layout: layout("/admin/signups", user)}
	out["admin-takedown"] = &Decision{Layout: layout("/admin/decide/takedown", user), Key: "takedown", Subject: "Quarry Song · @josef@kirchplatz.example", SubjectURL: "/@josef/quarry", Action: "/admin/decide/takedown", Hidden: map[string]string{"subject": "1"}, Deny: true, BackURL: "/admin"}
	for _, key := range []string{"putback", "suspend", "unsuspend", "turnaway", "lift"} {
		out["admin-"+key] = &Decision{Layout: layout("/admin/decide/"+key, user), Key: key, Subject: long, Action: "/admin/decide/" + key, Error: "Please say why, in up to 2,000 characters.", BackURL: "/admin"}
	}
	out["report"] = &Complaint{Layout: layout("/report", user), Target: long, TargetURI: "https://x.example/users/o", Host: "a-very-long-instance-name.music.example", Object: "https://x.example/notes/1", Title: "The Lanterns We Carried Down to the Harbour"}
	out["report-error"] = &Complaint{Layout: layout("/report", user), Target: "@josef@kirchplatz.example", TargetURI: site + "/users/josef", Error: "Please say in a few words what is wrong."}
	whole := Whole{Layout: layout("/settings/account", user), Aliases: "@lin@old.example", Owned: 12, Sold: 3,
		Archives: []Archive{{State: "packing", Done: 31, Total: 40, Made: now}, {State: "ready", URL: "/x", Size: 812e6, Made: now.AddDate(0, 0, -3), Until: now.AddDate(0, 0, 4)}, {State: "failed", Made: now.AddDate(0, 0, -5)}},
		Imports:  []Import{{When: now, Total: 120, Followed: 80, Missed: 4, Waiting: 36, Failed: []ImportLine{{Address: "gone@old.example", Why: "notfound"}, {Address: "x@bad.example", Why: "blocked"}, {Address: "lin@kirchplatz.example", Why: "self"}, {Address: "orchester@a-very-long-instance-name.music.example", Why: "unreachable"}}}}}
	out["whole"] = &whole
	moved := whole
	moved.MovedTo, moved.MovedToURL, moved.Archives, moved.Imports, moved.Owned = long, "https://x.example", nil, nil, 1
	moved.Wrong, moved.Error, moved.Typed = "aliases", "One of these accounts was not found. Check the spelling.", "@nobody@nowhere.example"
	out["whole-moved"] = &moved
	out["avoided"] = &Avoided{Layout: layout("/settings/blocks", user), Rows: []Avoidance{{Subject: "bad.example", Name: "bad.example", Kind: "block", When: now}, {Subject: "x", Name: long, Kind: "mute", When: now}}}
	out["avoided-none"] = &Avoided{Layout: layout("/settings/blocks", user), Error: "Nobody was found at this address.", Typed: "@x"}
	told := layout("/tidings", user)
	out["tidings"] = &Tidings{Layout: told, Rows: []Tiding{
		{Kind: "takedown", About: "Quarry Song", Words: "The label showed us that it is theirs.", When: now, New: true},
		{Kind: "moved", About: "@nour@old.example", AboutURL: "/x", Words: long, URL: "/y", When: now}, {Kind: "restored", About: "Quarry Song", Words: "We were wrong. Sorry.", When: now},
		{Kind: "outcome", About: "@josef@kirchplatz.example", AboutURL: "/@josef", Words: "Taken down.", When: now}}}
	out["tidings-none"] = &Tidings{Layout: told}
	out["signup-approval"] = &Signup{Layout: layout("/signup", nil), Host: "kirchplatz.example", Approval: true}
	out["signup-waiting"] = &Signup{Layout: layout("/signup", nil), Host: "kirchplatz.example", Waiting: true}
	return out
}
