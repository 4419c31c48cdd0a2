package api_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// The admin sees what waits for other servers, and can have it tried, kept back and let go.
func TestHosts(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		boss, lin := i.signedUp(t, "boss", nil), i.signedUp(t, "lin", nil)
		check(t, i.db.Write.Exec("UPDATE accounts SET role = 'admin' WHERE name = 'boss'").Error)
		check(t, i.db.Write.Exec(`INSERT INTO hosts (host, state, failures, failed_days, last_error, software, down_since, probe_at) VALUES
			('down.example', 'down', 12, 3, 'connection <refused>', 'mastodon 4.4.1', ?, ?), ('fine.example', 'ok', 0, 0, '', 'antiphon 0.1', NULL, NULL)`,
			i.clock.Now().AddDate(0, 0, -2), i.clock.Now().Add(time.Hour)).Error)
		keep := func(host, state string, ended any) {
			t.Helper()
			check(t, i.db.Write.Exec(`INSERT INTO deliveries (id, seq, activity, inbox, unresolved, host, subject, state, due_at, created_at, ended_at)
				VALUES (?, ?, 'a', 'i', FALSE, ?, 's', ?, 0, ?, ?)`, host+state, i.clock.Now().AddDate(0, 0, -2).UnixNano(), host, state, i.clock.Now(), ended).Error)
		}
		keep("down.example", "held", nil)
		keep("down.example", "dropped", i.clock.Now())
		keep("never.example", "waiting", nil)
		boss.get("/admin").want(http.StatusOK, `href="/admin/hosts"`, "down.example", "1 delivery waits")
		page := boss.get("/admin/hosts").want(http.StatusOK, "down.example", "does not answer", "connection &lt;refused&gt;", "mastodon 4.4.1", "1 delivery waits.",
			"1 was given up lately.", "never.example", "fine.example", "answers")
		page.want(http.StatusOK, `!connection <refused>`)
		boss.get("/admin/hosts?q=DOWN").want(http.StatusOK, "down.example", "!fine.example")
		boss.get("/admin/hosts?q=%25").want(http.StatusOK, "No server matches")

		form := func(host string) url.Values { return url.Values{"host": {host}, "q": {"exa"}} }
		state := func(host string) string {
			t.Helper()
			var got string
			check(t, i.db.Read.Raw("SELECT state || CASE WHEN paused THEN ' paused' ELSE '' END FROM hosts WHERE host = ?", host).Scan(&got).Error)
			return got
		}
		boss.post("/admin/hosts/retry", form("down.example")).to("/admin/hosts?done=retried&q=exa")
		boss.post("/admin/hosts/pause", form("never.example")).to("/admin/hosts?done=paused&q=exa")
		boss.get("/admin/hosts?done=paused").want(http.StatusOK, "Paused.", "Resume")
		if got := state("never.example"); got != "ok paused" {
			t.Errorf("never.example is %q", got)
		}
		boss.post("/admin/hosts/resume", form("never.example")).to("/admin/hosts?done=resumed&q=exa")
		if got := state("never.example"); got != "ok" {
			t.Errorf("never.example is %q", got)
		}
		boss.post("/admin/hosts/pause", form("stranger.example")).want(http.StatusNotFound, "Nothing is known")
		boss.post("/admin/hosts/pause", form("")).want(http.StatusNotFound)
		for _, path := range []string{"/admin/hosts/retry", "/admin/hosts/pause", "/admin/hosts/resume"} {
			lin.post(path, form("fine.example")).want(http.StatusForbidden)
		}
		lin.get("/admin/hosts").want(http.StatusForbidden)
	})
}
