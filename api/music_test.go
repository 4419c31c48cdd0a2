package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"antiphon/api"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/vocab"
)

func TestArtistAndTrack(t *testing.T) {
	t.Parallel()
	objects := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/activity+json")
		fmt.Fprintf(w, `{"id":%q}`, r.URL.Path)
	})
	eachDatabase(t, options{parts: func(p *api.Parts) { p.Objects = objects }}, func(t *testing.T, i *instance) {
		ada, lin, stranger := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil), i.browser(t)
		cover := must(i.store.Put(t.Context(), []byte("\xff\xd8\xff\xe0 a picture")))
		track := i.published(t, ada.actor, "Brass Rain", func(t *media.Track) { t.About, t.Cover = "<b>bold</b> & brave", string(cover) })
		check(t, media.Register(i.db.Write, media.Block{CID: string(cover), Owner: track.URI, Kind: media.KindCover, Held: true}))
		for n := range 60 {
			i.published(t, ada.actor, fmt.Sprintf("Study %d", n), nil)
		}
		for n, kind := range []string{"like", "like", "announce"} {
			i.insert(t, "reactions", map[string]any{"actor": fmt.Sprint("https://b.example/", n), "object": track.URI, "kind": kind, "uri": "x", "created_at": time.Now().UTC()})
		}

		stranger.get("/").want(http.StatusOK, "61 tracks", "Study")
		page := stranger.get("/@ada").want(http.StatusOK, "61 tracks", "?page=2", "Ada")
		if len(page.body) > 80<<10 {
			t.Errorf("a list of tracks is %d KB of HTML", len(page.body)>>10)
		}
		stranger.get("/@ada?page=2").want(http.StatusOK, `href="/@ada?page=1"`)
		stranger.get("/@ada?page=-1").want(http.StatusOK)
		stranger.get("/@nobody").want(http.StatusNotFound, "There is nothing here", `<code>`)
		stranger.get("/@ada/brass-rain").want(http.StatusOK, "&lt;b&gt;bold&lt;/b&gt; &amp; brave", "2 likes", "1 boost", "/media/"+string(cover),
			"/buy?track=", "5.00", `action="/elsewhere"`, `value="`+track.URI+`"`, `<meta property="og:image" content="`+i.base+`/media/`)
		stranger.get("/@ada/nothing").want(http.StatusNotFound)
		stranger.get("/@ada").want(http.StatusOK, `name="fediverse:creator" content="@ada@`, `"@type":"MusicGroup"`, `name="intent" value="Follow"`)

		// Other sites embed the track.
		address := i.base + "/@ada/brass-rain"
		stranger.get("/@ada/brass-rain").want(http.StatusOK, `"@type":"MusicRecording"`, `type="application/json+oembed"`, `rel="alternate" type="application/activity+json"`)
		embed := stranger.get("/oembed?format=json&maxwidth=300&url="+url.QueryEscape(address)).want(http.StatusOK, `"type":"rich"`, `"width":300`, "/embed/"+string(track.ID))
		if embed.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.HasPrefix(embed.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%v", embed.Header)
		}
		stranger.get("/oembed?format=xml&url=" + url.QueryEscape(address)).want(http.StatusNotImplemented)
		for _, wrong := range []string{"", "https://b.example/@ada/brass-rain", i.base + "/@ada/nothing", i.base + "/tracks/none", i.base + "/@ada/%zz"} {
			stranger.get("/oembed?url=" + url.QueryEscape(wrong)).want(http.StatusNotFound)
		}
		player := stranger.get("/embed/"+string(track.ID)).want(http.StatusOK, "Brass Rain", address, "!<script")
		if policy := player.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors *") || strings.Contains(policy, "script-src") {
			t.Errorf("policy of the embedded player: %s", policy)
		}
		stranger.get("/embed/none").want(http.StatusNotFound)
		ada.get("/@ada/brass-rain").want(http.StatusOK, "/drafts/"+string(track.ID), "!/buy?track=")
		lin.get("/@ada").want(http.StatusOK, `action="/follow"`)

		// A server gets the document, or is led to it.
		server := http.Header{"Accept": {`application/ld+json; profile="https://www.w3.org/ns/activitystreams", application/activity+json`}}
		get := func(path string) *answer { return stranger.do(http.MethodGet, path, nil, server) }
		if a := get("/@ada/brass-rain").want(http.StatusFound); a.Header.Get("Location") != track.URI || a.Header.Get("Vary") != "Accept" {
			t.Errorf("%v", a.Header)
		}
		get("/@ada").want(http.StatusFound)
		get("/users/ada").want(http.StatusOK, `{"id":"/users/ada"}`)
		get("/users/ada/outbox").want(http.StatusOK, `{"id":"/users/ada/outbox"}`)
		get("/tracks/"+string(track.ID)).want(http.StatusOK, `{"id":"/tracks/`)
		get("/@ada/nothing").want(http.StatusNotFound)
		stranger.get("/users/ada").to("/@ada")
		stranger.get("/tracks/" + string(track.ID)).to("/@ada/brass-rain")

		// The file is one kind of file, for ever, for everyone.
		a := stranger.get("/media/"+string(cover)).want(http.StatusOK, "a picture")
		if a.Header.Get("Content-Type") != "image/jpeg" || a.Header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%v", a.Header)
		}
		if len(a.Cookies()) != 0 {
			t.Error("a file sets a cookie")
		}
		segment := must(i.store.Put(t.Context(), []byte("sealed")))
		check(t, media.Register(i.db.Write, media.Block{CID: string(segment), Owner: track.URI, Kind: media.KindSegment, Held: true}))
		for _, cid := range []string{string(segment), "x", "..", string(must(i.store.Put(t.Context(), []byte("nobody's"))))} {
			if a := stranger.get("/media/" + cid); a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusMovedPermanently {
				t.Errorf("/media/%s: %d", cid, a.StatusCode)
			}
		}

		// A visitor goes on at home.
		for handle, want := range map[string]string{"@lin@b.example": "http://b.example/music?uri=" + url.QueryEscape(track.URI), "lin@b.example:81": "http://b.example:81/music?uri=" + url.QueryEscape(track.URI)} {
			a := stranger.get("/elsewhere/"+string(track.ID)+"?handle="+url.QueryEscape(handle)).want(http.StatusOK, `href="`+want+`"`)
			if got := a.Header.Get("Refresh"); got != "0; url="+want {
				t.Errorf("%s leads to %q", handle, got)
			}
		}
		for _, handle := range []string{"", "lin", "@lin@", "@lin@evil.example/path", "@lin@u:p@evil.example", "@lin@a b", "@lin@evil.example?x", "@lin@javascript:alert(1)"} {
			stranger.get("/elsewhere/" + string(track.ID) + "?handle=" + url.QueryEscape(handle)).want(http.StatusUnprocessableEntity)
		}
	})
}

// remoteActor is somebody on another server, as the inbox has written them down.
func (i *instance) remoteActor(t *testing.T, icon string) string {
	t.Helper()
	uri := "https://b.example/users/bo"
	i.insert(t, "actors", map[string]any{
		"uri": uri, "local": false, "name": "bo", "host": "b.example", "kind": "Person", "display": "Bo", "summary": `<p>I <script>x</script>sing</p>`,
		"url": "https://b.example/@bo", "icon": icon, "created_at": time.Now().UTC(),
	})
	return uri
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		ada, lin := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil)
		bo := i.remoteActor(t, "https://b.example/bo.png")
		local := i.published(t, ada.actor, "Brass Rain", nil)
		now := time.Now().UTC()
		for n, row := range []map[string]any{
			{"uri": i.base + "/notes/" + string(local.ID), "actor": ada.actor, "track": local.URI, "content": "<p>New: Brass Rain</p>", "url": local.URI},
			{"uri": "https://b.example/notes/1", "actor": bo, "track": "https://b.example/tracks/1", "title": "Far Off", "url": "https://b.example/@bo/far-off",
				"content": `<p onclick="x()">Hear <a href="javascript:x()">this</a> <a href="https://b.example/x">that</a><img src=x onerror=x><style>*{}</style></p>`,
				"audio":   "https://b.example/1.mp3", "cover": "https://b.example/1.jpg"},
			{"uri": "https://c.example/notes/1", "actor": "https://c.example/users/cy", "title": "Not followed", "content": "unseen", "url": ""},
		} {
			row["published_at"], row["created_at"] = now.Add(time.Duration(n)*time.Second), now
			i.insert(t, "posts", row)
		}
		lin.get("/").want(http.StatusOK, "Begin with one artist", "!Brass Rain")
		lin.post("/follow", url.Values{"address": {"@bo@b.example"}}).to("/artist?uri=" + url.QueryEscape(bo) + "&done=following")
		if len(i.world.follows) != 1 || i.world.follows[0] != lin.actor+" bo@b.example" {
			t.Errorf("%q", i.world.follows)
		}
		lin.get("/").want(http.StatusOK, "Far Off", `<p>Hear this <a href="https://b.example/x" rel="nofollow`, "!onclick", "!javascript:", "!onerror", "!<style>", "!unseen",
			"/music?uri="+url.QueryEscape("https://b.example/tracks/1"), "/remote/cover?uri=", "/remote/preview?uri=", "/remote/icon?uri=", "!src=\"https://b.example")
		ada.get("/").want(http.StatusOK, "Brass Rain", "!Far Off") // one's own
		lin.post("/follow", url.Values{"address": {"nobody@b.example"}}).want(http.StatusUnprocessableEntity, "There is nobody of this name.", `value="nobody@b.example"`, `aria-invalid="true"`)
		lin.post("/follow", url.Values{"address": {" "}}).want(http.StatusUnprocessableEntity, "Write an address")
		lin.post("/follow", url.Values{"address": {i.base + "/@ada/brass-rain"}}).to("/@ada/brass-rain")
		i.world.tracks["https://b.example/tracks/2"] = vocab.Track{ID: "https://b.example/tracks/2", AttributedTo: bo, Name: "Two"}
		lin.post("/follow", url.Values{"address": {"https://b.example/tracks/2"}}).to("/music?uri=" + url.QueryEscape("https://b.example/tracks/2"))

		lin.get("/artist?uri="+url.QueryEscape(bo)).want(http.StatusOK, "Bo", "<p>I sing</p>", "Far Off", "https://b.example/@bo", `action="/unfollow"`)
		lin.get("/artist?uri=" + url.QueryEscape(ada.actor)).to("/@ada")
		lin.get("/artist?uri=https://nobody.example").want(http.StatusNotFound)
		i.browser(t).get("/artist?uri=" + url.QueryEscape(bo)).to("/login?next=" + url.QueryEscape("/artist?uri="+url.QueryEscape(bo)))
		lin.post("/unfollow", url.Values{"address": {bo}}).to("/artist?uri=" + url.QueryEscape(bo) + "&done=unfollowed")
		lin.get("/").want(http.StatusOK, "!Far Off")
	})
}

func TestRemoteFile(t *testing.T) {
	t.Parallel()
	png := "\x89PNG\r\n\x1a\n" + strings.Repeat("x", 100)
	mp3 := "ID3" + strings.Repeat("y", 100)
	files := map[string]string{"/a.png": png, "/a.mp3": mp3, "/page": "<html><script>x</script></html>", "/a.svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>`}
	var asked []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" {
			t.Error("the visitor is told on")
		}
		w.Header().Set("Content-Type", "text/html") // is not believed
		if r.URL.Path == "/big" {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 11<<20))
			return
		}
		if body, ok := files[r.URL.Path]; ok {
			_, _ = w.Write([]byte(body))
			return
		}
		http.NotFound(w, r)
	}))
	defer other.Close()
	i := setup(t, options{})
	lin := i.signedUp(t, "lin", nil)
	bo := i.remoteActor(t, other.URL+"/a.png")
	post := func(uri, cover, audio string) {
		i.insert(t, "posts", map[string]any{"uri": uri, "actor": bo, "content": "", "url": "", "cover": cover, "audio": audio, "published_at": time.Now().UTC(), "created_at": time.Now().UTC()})
	}
	post("https://b.example/notes/1", other.URL+"/a.png", other.URL+"/a.mp3")
	post("https://b.example/notes/2", other.URL+"/page", other.URL+"/a.png")
	post("https://b.example/notes/3", other.URL+"/a.svg", other.URL+"/gone")
	post("https://b.example/notes/4", other.URL+"/big", "file:///etc/passwd")
	path := func(kind, uri string) string { return "/remote/" + kind + "?uri=" + url.QueryEscape(uri) }

	for _, c := range []struct{ kind, uri, mime, body string }{
		{"icon", bo, "image/png", png}, {"cover", "https://b.example/notes/1", "image/png", png}, {"preview", "https://b.example/notes/1", "audio/mpeg", mp3},
	} {
		a := lin.get(path(c.kind, c.uri)).want(http.StatusOK, c.body)
		if a.Header.Get("Content-Type") != c.mime || a.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v", c.kind, a.Header)
		}
	}
	part := lin.do(http.MethodGet, path("preview", "https://b.example/notes/1"), nil, http.Header{"Range": {"bytes=0-2"}}).want(http.StatusPartialContent)
	if part.body != "ID3" {
		t.Errorf("a part: %q", part.body)
	}
	before := len(asked)
	for name, c := range map[string]struct {
		kind, uri string
		status    int
	}{
		"HTML as a cover":       {"cover", "https://b.example/notes/2", http.StatusBadGateway},
		"a picture as a sound":  {"preview", "https://b.example/notes/2", http.StatusBadGateway},
		"SVG":                   {"cover", "https://b.example/notes/3", http.StatusBadGateway},
		"gone":                  {"preview", "https://b.example/notes/3", http.StatusBadGateway},
		"too large":             {"cover", "https://b.example/notes/4", http.StatusBadGateway},
		"a file of ours":        {"preview", "https://b.example/notes/4", http.StatusNotFound},
		"an address of anybody": {"cover", other.URL + "/a.png", http.StatusNotFound},
		"an unknown actor":      {"icon", other.URL + "/a.png", http.StatusNotFound},
		"an unknown kind":       {"banner", bo, http.StatusNotFound},
		"nothing":               {"cover", "", http.StatusNotFound},
	} {
		if a := lin.get(path(c.kind, c.uri)); a.StatusCode != c.status {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if len(asked)-before != 5 {
		t.Errorf("%d requests went out: %q", len(asked)-before, asked[before:])
	}
	i.browser(t).get(path("icon", bo)).want(http.StatusSeeOther)
	if len(asked)-before != 5 {
		t.Error("a stranger has us fetch")
	}
}

func TestRemoteTrack(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada, lin := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil)
	bo := i.remoteActor(t, "")
	uri := "https://b.example/tracks/1"
	i.world.tracks[uri] = vocab.Track{
		ID: uri, AttributedTo: bo, Name: "Far <Off>", Duration: 3 * time.Minute, URL: "javascript:alert(1)", Content: "<p>Words<script>x</script></p>",
		License: "javascript:alert(2)", Cover: vocab.Media{URL: "https://b.example/1.jpg"}, Preview: vocab.Media{URL: "https://b.example/1.mp3"},
		Proposals: []vocab.ProposalLink{{ID: "https://b.example/proposals/1", Product: "https://b.example/products/1", Price: vocab.Price{Amount: "1500000", Asset: string(devAsset), Decimals: 6}}},
	}
	page := "/music?uri=" + url.QueryEscape(uri)
	lin.get(page).want(http.StatusOK, "Far &lt;Off&gt;", "1.50", "<p>Words</p>", "/buy?track=", "b.example", `!href="javascript:`, "!<script>x")
	lin.get("/music?uri=https%3A%2F%2Fb.example%2Fnothing").want(http.StatusBadGateway, "could not be fetched from b.example")
	lin.get("/music?uri=file%3A%2F%2F%2Fetc%2Fpasswd").want(http.StatusNotFound)
	i.browser(t).get(page).to("/login?next=" + url.QueryEscape(page))
	local := i.published(t, ada.actor, "Here", nil)
	i.browser(t).get("/music?uri=" + url.QueryEscape(local.URI)).to("/tracks/" + string(local.ID))
}

func TestLibrary(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada, lin := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil)
	lin.get("/library").want(http.StatusOK, "library")
	i.browser(t).get("/library").to("/login?next=%2Flibrary")
	first, second := i.published(t, ada.actor, "Zither", nil), i.published(t, ada.actor, "Accordion", nil)
	for _, track := range []media.Track{first, second, first} {
		i.world.owned[lin.actor] = append(i.world.owned[lin.actor], access.Owned{Track: track.URI, Artist: ada.actor})
	}
	// Its seller is gone, and the purchase was made elsewhere: still there.
	i.world.owned[lin.actor] = append(i.world.owned[lin.actor], access.Owned{Track: "https://dead.example/tracks/1", Artist: "https://dead.example/users/x"})
	order := func(query string, titles ...string) {
		t.Helper()
		body, at := lin.get("/library"+query).want(http.StatusOK).body, -1
		for _, title := range titles {
			next := strings.Index(body, `dir="auto">`+title)
			if next <= at {
				t.Errorf("%s: %s is not where it belongs", query, title)
			}
			at = next
		}
		if n := strings.Count(body, `class="row `); n != len(titles) {
			t.Errorf("%s: %d rows", query, n)
		}
	}
	order("", "Zither", "Accordion", "Untitled")
	order("?sort=title", "Accordion", "Untitled", "Zither")
	order("?q=ZITH", "Zither")
	order("?q=dead.example", "Untitled")
	lin.get("/library?q=%3Cscript%3E").want(http.StatusOK, "!<script>")
	lin.get("/@ada/zither").want(http.StatusOK, "data-owned", "!/buy?track=")
}

// TestWeight draws full pages with everything that a track can have.
func TestWeight(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada, lin := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil)
	i.insert(t, "follows", map[string]any{"follower": lin.actor, "followed": ada.actor, "uri": "x", "state": "accepted", "created_at": time.Now().UTC()})
	cid := "bafkreif" + strings.Repeat("a", 51)
	for n := range 60 {
		track := i.published(t, ada.actor, fmt.Sprintf("A study in a rather long title, number %d", n), func(t *media.Track) { t.Cover, t.Preview = cid, cid })
		i.insert(t, "posts", map[string]any{
			"uri": track.URI + "/note", "actor": ada.actor, "track": track.URI, "content": "<p>New: a study in a rather long title. It was recorded in one night, with the windows open.</p>",
			"url": "", "published_at": time.Now().UTC(), "created_at": time.Now().UTC(),
		})
		i.world.owned[lin.actor] = append(i.world.owned[lin.actor], access.Owned{Track: track.URI, Artist: ada.actor})
	}
	for path, who := range map[string]*browser{"/": lin, "/library": lin, "/@ada": lin, "/about": lin, "/studio": ada, "/@ada/a-study-in-a-rather-long-title,-number-7": ada} {
		if a := who.get(path).want(http.StatusOK, "A study"); len(a.body) > 30<<10 {
			t.Errorf("%s is %d bytes of HTML", path, len(a.body))
		}
	}
}
