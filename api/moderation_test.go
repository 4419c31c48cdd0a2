package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"antiphon/api/web"
	"antiphon/federation/httpsig"
	"antiphon/media"
)

// admin is the browser of an admin.
func (i *instance) admin(t *testing.T, name string) *browser {
	t.Helper()
	b := i.signedUp(t, name, nil)
	check(t, i.db.Write.Exec("UPDATE accounts SET role = 'admin' WHERE name = ?", name).Error)
	return b
}

// postFile sends a form with one file.
func (b *browser) postFile(path, name, text string) *answer {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	w := must(form.CreateFormFile("file", name))
	must(w.Write([]byte(text)))
	check(b.t, form.Close())
	return b.do(http.MethodPost, path, &body, http.Header{"Content-Type": {form.FormDataContentType()}})
}

func TestModerationIsForAdmins(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	member, stranger := i.signedUp(t, "lin", nil), i.browser(t)
	for _, path := range []string{"/admin/reports", "/admin/reports/x", "/admin/policies", "/admin/policies/export.csv", "/admin/policies/import/x", "/admin/audit", "/admin/signups", "/admin/decide/suspend?subject=lin"} {
		member.get(path).want(http.StatusForbidden)
		stranger.get(path).want(http.StatusSeeOther)
	}
	for _, path := range []string{"/admin/reports/x/notes", "/admin/reports/x/close", "/admin/policies", "/admin/policies/import", "/admin/policies/import/x", "/admin/signups/lin/let-in", "/admin/decide/suspend"} {
		member.post(path, url.Values{"subject": {"lin"}, "why": {"x"}}).want(http.StatusForbidden)
		stranger.post(path, nil).want(http.StatusUnauthorized)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		root, lin, eve := i.admin(t, "root_1"), i.signedUp(t, "lin", nil), i.signedUp(t, "eve", nil)
		track := i.published(t, eve.actor, "Stolen Song", nil)
		i.insert(t, "objects", map[string]any{"uri": track.URI, "kind": "AudioTrack", "owner": eve.actor, "local": true, "audience": "public", "raw": []byte("{}"), "created_at": i.clock.Now(), "updated_at": i.clock.Now()})
		i.browser(t).get("/report?uri=" + url.QueryEscape(track.URI)).want(http.StatusSeeOther)
		lin.get("/@eve/stolen-song").want(http.StatusOK, "/report?uri=", "!/admin/decide")
		lin.get("/report?uri="+url.QueryEscape(track.URI)).want(http.StatusOK, "@eve@", "!Tell ")
		lin.get("/report?uri=https://nowhere.example/x").want(http.StatusNotFound)
		lin.post("/report", url.Values{"target": {eve.actor}, "object": {track.URI}}).want(http.StatusUnprocessableEntity, "what is wrong")
		lin.post("/report", url.Values{"target": {lin.actor}, "object": {track.URI}, "words": {"x"}}).want(http.StatusBadRequest)
		lin.post("/report", url.Values{"target": {eve.actor}, "object": {track.URI}, "words": {"<b>mine</b>"}}).to("/?done=reported")

		root.get("/admin").want(http.StatusOK, "1 report waits")
		list := root.get("/admin/reports").want(http.StatusOK, "@eve@", "&lt;b&gt;mine&lt;/b&gt;")
		_, rest, _ := strings.Cut(list.body, `href="/admin/reports/`)
		id, _, _ := strings.Cut(rest, `"`)
		root.get("/admin/reports/"+id).want(http.StatusOK, "Stolen Song", "/admin/decide/takedown?subject="+string(track.ID), "/admin/decide/suspend?subject=eve")
		root.post("/admin/reports/"+id+"/notes", url.Values{"words": {"I wrote to her."}}).to("/admin/reports/" + id + "?done=saved")
		root.post("/admin/reports/"+id+"/close", url.Values{"state": {"resolved"}}).want(http.StatusUnprocessableEntity, "say why")
		root.post("/admin/reports/"+id+"/close", url.Values{"state": {"burned"}, "outcome": {"x"}}).want(http.StatusBadRequest)

		root.get("/admin/decide/takedown?subject="+string(track.ID)).want(http.StatusOK, "Stolen Song", "Deny its files")
		root.post("/admin/decide/takedown", url.Values{"subject": {string(track.ID)}}).want(http.StatusUnprocessableEntity, "say why")
		root.post("/admin/decide/takedown", url.Values{"subject": {string(track.ID)}, "why": {"It is Lin's."}}).to("/admin/audit?done=saved")
		lin.get("/@eve/stolen-song").want(http.StatusNotFound)
		eve.get("/").want(http.StatusOK, "1 message for you")
		eve.get("/tidings").want(http.StatusOK, "Stolen Song", "It is Lin&#39;s.")
		eve.get("/").want(http.StatusOK, "!1 message for you")
		if got := must(media.ByID(t.Context(), i.db.Read, track.ID)); got.State != media.Removed {
			t.Errorf("the track is %s", got.State)
		}

		root.post("/admin/reports/"+id+"/close", url.Values{"state": {"resolved"}, "outcome": {"Taken down."}}).to("/admin/reports?done=saved")
		lin.get("/tidings").want(http.StatusOK, "@eve@", "Taken down.")
		root.get("/admin/audit").want(http.StatusOK, "root_1", "takedown", "It is Lin&#39;s.", "report resolved")
	})
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	i := setup(t, options{config: func(c *web.Config) { c.AllowList = false }})
	root := i.admin(t, "root_1")
	root.get("/admin/policies").want(http.StatusOK, "Nothing was decided yet")
	form := url.Values{"subject": {"BAD.example."}, "severity": {"suspend"}, "why": {"spam"}, "public": {"spam, much"}}
	root.post("/admin/policies", form).to("/admin/policies?done=saved")
	root.get("/admin/policies").want(http.StatusOK, "bad.example", "suspended")
	for subject, status := range map[string]int{"not a domain": 422, hostOf(i.base): 422, i.base + "/users/root_1": 422} {
		form.Set("subject", subject)
		root.post("/admin/policies", form).want(status)
	}
	form.Set("subject", "x.example")
	form.Set("severity", "burn")
	root.post("/admin/policies", form).want(http.StatusBadRequest)
	csv := root.get("/admin/policies/export.csv").want(http.StatusOK, "#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate\n", `bad.example,suspend,false,false,"spam, much",false`)
	if kind := csv.Header.Get("Content-Disposition"); !strings.HasPrefix(kind, "attachment") {
		t.Errorf("disposition %q", kind)
	}

	root.postFile("/admin/policies/import", "cat.png", "\x00\x01").want(http.StatusUnprocessableEntity)
	preview := root.postFile("/admin/policies/import", "list.csv", "#domain,#severity\nbad.example,suspend\nloud.example,silence\nex***le.com,suspend\n").want(http.StatusSeeOther)
	path := preview.Header.Get("Location")
	root.get(path).want(http.StatusOK, "loud.example", "1 decision would change", "1 stands already", "ex***le.com")
	root.get("/admin/policies").want(http.StatusOK, "!loud.example")
	root.post(path, url.Values{"why": {""}}).want(http.StatusUnprocessableEntity)
	root.post(path, url.Values{"why": {"a friend's list"}}).to("/admin/policies?done=saved")
	root.get("/admin/policies").want(http.StatusOK, "loud.example", "silenced")
	root.get("/admin/decide/lift?subject=bad.example").want(http.StatusOK, "bad.example")
	root.post("/admin/decide/lift", url.Values{"subject": {"bad.example"}, "why": {"they mended it"}}).to("/admin/policies?done=saved")
	root.get("/admin/policies").want(http.StatusOK, "!<strong><bdi>bad.example", "<strong><bdi>loud.example")
	root.get("/admin/decide/burn?subject=x").want(http.StatusNotFound)
}

// No file of a server is passed on whose files an admin refuses.
func TestNoMediaByPolicy(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	root := i.admin(t, "root_1")
	i.insert(t, "actors", map[string]any{"uri": "https://b.example/users/bo", "local": false, "name": "bo", "host": "b.example", "kind": "Person", "display": "Bo", "icon": "https://cdn.example/bo.png", "created_at": i.clock.Now()})
	picture := "/remote/icon?uri=" + url.QueryEscape("https://b.example/users/bo")
	root.get(picture).want(http.StatusBadGateway) // it was asked for, and is not there
	for _, subject := range []string{"b.example", "cdn.example"} {
		root.post("/admin/policies", url.Values{"subject": {subject}, "severity": {"noop"}, "reject_media": {"true"}, "why": {"x"}}).want(http.StatusSeeOther)
		root.get(picture).want(http.StatusNotFound)
		root.post("/admin/decide/lift", url.Values{"subject": {subject}, "why": {"x"}}).want(http.StatusSeeOther)
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{approval: true}, func(t *testing.T, i *instance) {
		link := must(i.auth.FirstLink(t.Context()))
		_, token, _ := strings.Cut(link, "invite=")
		root := i.signedUp(t, "root_1", func(m map[string]any) { m["invite"] = token })
		lin := i.browser(t)
		lin.get("/signup").want(http.StatusOK, "Why do you want to join?")
		body := lin.application("lin")
		body["reason"] = "I play the kannel."
		lin.postJSON("/signup", body).want(http.StatusOK, `"/signup?waiting"`)
		lin.get("/signup?waiting").want(http.StatusOK, "administrator has a look")
		lin.postJSON("/login", map[string]any{"name": "lin", "auth": lin.auth}).want(http.StatusForbidden, "waits for an administrator")
		lin.postJSON("/login", map[string]any{"name": "lin", "auth": random(32)}).want(http.StatusUnauthorized)
		root.get("/@lin").want(http.StatusNotFound)
		root.get("/admin").want(http.StatusOK, "1 person wants to join")
		root.get("/admin/signups").want(http.StatusOK, "I play the kannel.")
		root.post("/admin/signups/lin/let-in", nil).to("/admin/signups?done=letin")
		root.post("/admin/signups/lin/let-in", nil).want(http.StatusNotFound)
		lin.postJSON("/login", map[string]any{"name": "lin", "auth": lin.auth}).want(http.StatusOK)
		root.get("/@lin").want(http.StatusOK)

		eve := i.browser(t)
		eve.postJSON("/signup", eve.application("eve")).want(http.StatusOK)
		root.post("/admin/decide/turnaway", url.Values{"subject": {"eve"}, "why": {"spam"}}).to("/admin/signups?done=saved")
		eve.postJSON("/signup", eve.application("eve")).want(http.StatusOK) // the name is free again
		root.get("/admin/audit").want(http.StatusOK, "let in", "turn away")
	})
}

func TestSuspendedAccount(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	root, eve := i.admin(t, "root_1"), i.signedUp(t, "eve", nil)
	eve.get("/settings").want(http.StatusOK)
	root.post("/admin/decide/suspend", url.Values{"subject": {"eve"}, "why": {"spam"}}).to("/admin?done=saved")
	eve.get("/settings").want(http.StatusSeeOther)
	eve.postJSON("/login", map[string]any{"name": "eve", "auth": eve.auth}).want(http.StatusForbidden, "suspended")
	root.get("/admin").want(http.StatusOK, "/admin/decide/unsuspend?subject=eve")
	root.post("/admin/decide/unsuspend", url.Values{"subject": {"eve"}, "why": {"sorry"}}).to("/admin?done=saved")
	eve.postJSON("/login", map[string]any{"name": "eve", "auth": eve.auth}).want(http.StatusOK)
	root.post("/admin/decide/suspend", url.Values{"subject": {"root_1"}, "why": {"x"}}).want(http.StatusUnprocessableEntity, "last administrator")
}

func TestAvoided(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		lin, eve := i.signedUp(t, "lin", nil), i.signedUp(t, "eve", nil)
		i.insert(t, "follows", map[string]any{"follower": lin.actor, "followed": eve.actor, "uri": lin.actor + "/f", "state": "accepted", "created_at": i.clock.Now()})
		i.insert(t, "posts", map[string]any{"uri": i.base + "/notes/1", "actor": eve.actor, "content": "<p>hear, hear</p>", "url": i.base, "published_at": i.clock.Now(), "created_at": i.clock.Now()})
		lin.get("/").want(http.StatusOK, "hear, hear")
		lin.post("/settings/blocks", url.Values{"subject": {"@eve"}, "kind": {"mute"}}).to("/settings/blocks?done=saved")
		lin.get("/").want(http.StatusOK, "!hear, hear")
		eve.get("/").want(http.StatusOK, "hear, hear")
		lin.get("/settings/blocks").want(http.StatusOK, "@eve@", "muted")
		lin.post("/settings/blocks/end", url.Values{"subject": {eve.actor}}).to("/settings/blocks?done=saved")
		lin.get("/").want(http.StatusOK, "hear, hear")
		lin.post("/settings/blocks", url.Values{"subject": {eve.actor}, "kind": {"block"}}).to("/settings/blocks?done=saved")
		lin.get("/").want(http.StatusOK, "!hear, hear")
		lin.post("/settings/blocks", url.Values{"subject": {"bad.example"}, "kind": {"block"}}).to("/settings/blocks?done=saved")
		for _, subject := range []string{"", "@nobody", "a b", lin.actor, hostOf(i.base)} {
			lin.post("/settings/blocks", url.Values{"subject": {subject}, "kind": {"block"}}).want(http.StatusUnprocessableEntity)
		}
		eve.get("/settings/blocks").want(http.StatusOK, "blocked and muted nobody")
	})
}

// TestWholeAccount: what a page begins, the jobs of these tests' instance carry out.
func TestWholeAccount(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	i.signedUp(t, "keeper", nil)
	lin, eve := i.signedUp(t, "lin", nil), i.signedUp(t, "eve", nil)
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	for _, b := range []*browser{lin, eve} {
		i.insert(t, "actor_keys", map[string]any{
			"id": b.actor + "#main-key", "actor": b.actor, "purpose": "http", "number": 1, "sealed": []byte{},
			"public": must(httpsig.FormatPublicKey(&key.PublicKey)), "version": 1, "created_at": i.clock.Now(),
		})
	}
	check(t, i.db.Write.Exec("UPDATE actors SET inbox = uri || '/inbox' WHERE local").Error)
	check(t, i.queue.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		check(t, i.queue.Stop(ctx))
	})
	lin.get("/settings").want(http.StatusOK, `href="/settings/account"`)
	lin.get("/settings/account").want(http.StatusOK, "Delete this account")
	lin.post("/settings/account/aliases", url.Values{"aliases": {"@nobody"}}).want(http.StatusUnprocessableEntity, "not found", "@nobody")
	lin.post("/settings/account/aliases", url.Values{"aliases": {"@eve\r\n"}}).to("/settings/account?done=saved")
	lin.get("/settings/account").want(http.StatusOK, "@eve@")
	lin.post("/settings/account/move", url.Values{"target": {"@eve"}}).want(http.StatusUnprocessableEntity, "does not name this one yet")
	eve.post("/settings/account/move", url.Values{"target": {"@lin"}}).to("/settings/account?done=moved")
	eve.get("/settings/account").want(http.StatusOK, "You have moved to", "@lin@")
	eve.post("/settings/account/stay", nil).to("/settings/account?done=saved")

	lin.post("/settings/account/archive", nil).to("/settings/account?done=archive")
	lin.post("/settings/account/archive", nil).want(http.StatusTooManyRequests)
	path := ""
	for deadline := time.Now().Add(time.Minute); path == "" && time.Now().Before(deadline); {
		_, rest, ok := strings.Cut(lin.get("/settings/account").body, `href="/settings/account/archive/`)
		if ok {
			id, _, _ := strings.Cut(rest, `"`)
			path = "/settings/account/archive/" + id
		}
	}
	zip := lin.get(path).want(http.StatusOK)
	if zip.Header.Get("Content-Type") != "application/zip" || !strings.HasPrefix(zip.body, "PK") {
		t.Errorf("the archive is %s, %d bytes", zip.Header.Get("Content-Type"), len(zip.body))
	}
	eve.get(path).want(http.StatusNotFound)
	i.browser(t).get(path).want(http.StatusSeeOther)

	lin.postFile("/settings/account/follows", "x.csv", "dear server").want(http.StatusUnprocessableEntity, "not a list")
	lin.postFile("/settings/account/follows", "following_accounts.csv", "Account address\neve@"+hostOf(i.base)+"\n").to("/settings/account?done=bringing")

	eve.postJSON("/settings/account/delete", map[string]any{"auth": random(32)}).want(http.StatusUnauthorized)
	eve.get("/settings").want(http.StatusOK)
	eve.postJSON("/settings/account/delete", map[string]any{"auth": eve.auth}).want(http.StatusOK, "/?done=deleted")
	eve.get("/settings").want(http.StatusSeeOther)
	eve.postJSON("/login", map[string]any{"name": "eve", "auth": eve.auth}).want(http.StatusUnauthorized)
	lin.get("/@eve").want(http.StatusGone, "was deleted")
	lin.postJSON("/signup", lin.application("eve")).want(http.StatusUnprocessableEntity, "taken")
}
