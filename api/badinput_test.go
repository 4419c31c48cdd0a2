package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"antiphon/internal/testkit"
	"antiphon/media"
	"antiphon/media/ipfs"
)

// disguised are files that are no recordings, under the names of some.
var disguised = map[string]string{
	"page.mp3":     "<!DOCTYPE html><html><script>alert(document.cookie)</script></html>",
	"drawing.flac": `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`,
	"script.ogg":   "alert(document.cookie)//",
	"archive.wav":  "PK\x03\x04" + strings.Repeat("\x01", 200),
	"program.m4a":  "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 200),
	"id3.mp3":      "ID3\x03\x00\x00\x00\x00\x00\x00<html><script>alert(1)</script></html>",
}

func TestFilesFromOutside(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada := i.signedUp(t, "ada", nil)
	picture, sound := "\x89PNG\r\n\x1a\n"+strings.Repeat("x", 100), "ID3"+strings.Repeat("y", 1000)
	heard := must(i.store.Put(t.Context(), []byte(sound)))
	check(t, media.Register(i.db.Write, media.Block{CID: string(heard), Owner: "t", Kind: media.KindPreview, Held: true, CreatedAt: i.clock.Now()}))

	testkit.BadInput(t, "D3", func(t *testing.T) {
		// media/probe refuses it; here, nothing of it can be read back, before and after.
		for name, text := range disguised {
			_, path := ada.create(int64(len(text)), name)
			draft := ada.patch(path, 0, text).want(http.StatusNoContent).Header.Get("Antiphon-Draft")
			cid := string(ipfs.CIDOf([]byte(text)))
			for _, at := range []string{path, "/media/" + cid, "/ipfs/" + cid, draft + "/file", "/uploads/", "/static/../uploads/" + name} {
				if a := ada.get(at); a.StatusCode < 300 || strings.Contains(a.body, text) {
					t.Errorf("%s is served at %s: %d", name, at, a.StatusCode)
				}
			}
			if a := ada.get(draft); !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || strings.Contains(a.body, "<script>alert") {
				t.Errorf("the draft of %s: %s", name, a.body)
			}
		}
		// A block that is no public file is none, whatever it holds.
		page := must(i.store.Put(t.Context(), []byte(disguised["page.mp3"])))
		check(t, media.Register(i.db.Write, media.Block{CID: string(page), Owner: "t", Kind: media.KindSegment, Held: true, CreatedAt: i.clock.Now()}))
		ada.get("/media/" + string(page)).want(http.StatusNotFound)
	}, func(t *testing.T) {
		a := ada.get("/media/"+string(heard)).want(http.StatusOK, sound)
		if a.Header.Get("Content-Type") != "audio/mpeg" || a.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%v", a.Header)
		}
	})

	asked := 0
	files := map[string]string{"/a.png": picture, "/a.svg": disguised["drawing.flac"], "/page": disguised["page.mp3"]}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = io.WriteString(w, files[r.URL.Path])
	}))
	t.Cleanup(func() { other.CloseClientConnections(); other.Close() })
	actor := func(name, icon string) string {
		uri := "https://b.example/users/" + name
		i.insert(t, "actors", map[string]any{
			"uri": uri, "local": false, "name": name, "host": "b.example", "kind": "Person", "display": name, "icon": icon, "created_at": i.clock.Now(),
		})
		return "/remote/icon?uri=" + url.QueryEscape(uri)
	}
	good := actor("bo", other.URL+"/a.png")
	testkit.BadInput(t, "D6", func(t *testing.T) {
		before := testkit.Rows(t, i.db.Read)
		nobody := i.browser(t)
		for _, path := range []string{
			good, "/remote/icon?uri=" + url.QueryEscape(other.URL+"/a.png"), "/remote/icon?url=" + url.QueryEscape(other.URL+"/a.png"),
			"/remote/cover?uri=http://169.254.169.254/latest/meta-data", "/remote/icon",
		} {
			if a := nobody.get(path); a.StatusCode < 300 || a.StatusCode >= 500 {
				t.Errorf("nobody asks for %s: %d", path, a.StatusCode)
			}
			if a := ada.get(path); path != good && a.StatusCode != http.StatusNotFound {
				t.Errorf("ada asks for %s: %d", path, a.StatusCode)
			}
		}
		if asked != 1 { // ada's own request for what is known
			t.Errorf("another server was asked %d times", asked)
		}
		testkit.SameRows(t, i.db.Read, before)
		for name, icon := range map[string]string{"svg": other.URL + "/a.svg", "page": other.URL + "/page", "private": "http://10.0.0.1/a.png", "file": "file:///etc/passwd", "data": "data:image/png;base64,eA=="} {
			if a := ada.get(actor(name, icon)); a.StatusCode != http.StatusBadGateway && a.StatusCode != http.StatusNotFound {
				t.Errorf("%s as a picture: %d", name, a.StatusCode)
			}
		}
	}, func(t *testing.T) {
		a := ada.get(good).want(http.StatusOK, picture)
		if a.Header.Get("Content-Type") != "image/png" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%v", a.Header)
		}
	})

	testkit.BadInput(t, "D10", func(t *testing.T) {
		hundred := "bytes=" + strings.TrimSuffix(strings.Repeat("0-9,", 100), ",")
		for _, path := range []string{"/media/" + string(heard), good, "/static/"} {
			whole := ada.get(path)
			for _, ranges := range []string{hundred, "bytes=0-0,2-2", "bytes=0-,0-,0-", "bytes=-1,-2,-3", "bytes=0-1,x"} {
				a := ada.do(http.MethodGet, path, nil, http.Header{"Range": {ranges}})
				one := a.StatusCode == whole.StatusCode && a.body == whole.body || a.StatusCode == http.StatusRequestedRangeNotSatisfiable
				if !one || strings.HasPrefix(a.Header.Get("Content-Type"), "multipart/") {
					t.Errorf("%s of %s: %d, %d bytes of %s", ranges, path, a.StatusCode, len(a.body), a.Header.Get("Content-Type"))
				}
			}
		}
		for _, ranges := range []string{"bytes=999999-", "bytes=9-1", "bytes=x", "bytes=18446744073709551616-"} {
			if a := ada.do(http.MethodGet, "/media/"+string(heard), nil, http.Header{"Range": {ranges}}); a.StatusCode != http.StatusRequestedRangeNotSatisfiable {
				t.Errorf("%s: %d", ranges, a.StatusCode)
			}
		}
	}, func(t *testing.T) {
		for ranges, want := range map[string]string{"bytes=0-2": "ID3", "bytes=3-3": "y", "bytes=-2": "yy", "bytes=1000-": "yyy"} {
			a := ada.do(http.MethodGet, "/media/"+string(heard), nil, http.Header{"Range": {ranges}}).want(http.StatusPartialContent)
			if a.body != want {
				t.Errorf("%s: %q", ranges, a.body)
			}
		}
	})
}
