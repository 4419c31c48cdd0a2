package api_test

import (
	"bytes"
	"encoding/base64"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"antiphon/api/web"
	"antiphon/media"
)

func (b *browser) tus(method, path string, body []byte, header http.Header) *answer {
	b.t.Helper()
	all := http.Header{"Tus-Resumable": {"1.0.0"}, "Accept": {"*/*"}}
	for name, values := range header {
		all[name] = values
	}
	return b.do(method, path, bytes.NewReader(body), all)
}

// create begins an upload and returns its path, if it was taken.
func (b *browser) create(size int64, filename string) (*answer, string) {
	b.t.Helper()
	a := b.tus(http.MethodPost, "/uploads/", nil, http.Header{
		"Upload-Length": {strconv.FormatInt(size, 10)}, "Upload-Metadata": {"filename " + base64.StdEncoding.EncodeToString([]byte(filename)) + ",artist ZXZl"},
	})
	if a.StatusCode != http.StatusCreated {
		return a, ""
	}
	path, ok := strings.CutPrefix(a.Header.Get("Location"), b.i.base)
	if !ok || !strings.HasPrefix(path, "/uploads/") {
		b.t.Fatalf("upload at %q", a.Header.Get("Location"))
	}
	return a, path
}

func (b *browser) patch(path string, offset int, body string) *answer {
	b.t.Helper()
	return b.tus(http.MethodPatch, path, []byte(body), http.Header{
		"Upload-Offset": {strconv.Itoa(offset)}, "Content-Type": {"application/offset+octet-stream"},
	})
}

func TestUpload(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		ada, eve := i.signedUp(t, "ada", nil), i.signedUp(t, "eve", nil)
		ada.get("/upload").want(http.StatusOK, "FLAC")
		_, path := ada.create(10, "../../Über den Fluß.flac")
		ada.patch(path, 0, "01234").want(http.StatusNoContent)
		if got := ada.tus(http.MethodHead, path, nil, nil).want(http.StatusOK).Header.Get("Upload-Offset"); got != "5" {
			t.Errorf("after a cut-off it goes on at %s", got)
		}
		ada.patch(path, 3, "34567").want(http.StatusConflict)

		// Nobody else sees it, whatever the method is called.
		for method, header := range map[string]http.Header{
			http.MethodHead: nil, http.MethodPatch: {"Upload-Offset": {"5"}, "Content-Type": {"application/offset+octet-stream"}},
			http.MethodDelete: nil, http.MethodPost: {"X-HTTP-Method-Override": {"DELETE"}},
		} {
			eve.tus(method, path, nil, header).want(http.StatusNotFound)
		}
		i.browser(t).tus(http.MethodHead, path, nil, nil).want(http.StatusUnauthorized)
		if a := ada.tus(http.MethodGet, path, nil, nil); a.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("an upload can be read back: %d", a.StatusCode)
		}
		for _, bad := range []string{"..%2f..%2fantiphon.db", "%2e%2e", strings.Repeat("a", 26), "x"} {
			if a := ada.tus(http.MethodHead, "/uploads/"+bad, nil, nil); a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusMovedPermanently {
				t.Errorf("%s: %d", bad, a.StatusCode)
			}
		}

		draft := ada.patch(path, 5, "56789").want(http.StatusNoContent).Header.Get("Antiphon-Draft")
		if !strings.HasPrefix(draft, "/drafts/") {
			t.Fatalf("draft %q", draft)
		}
		// The answer was lost: asking again leads to the same draft.
		if again := ada.tus(http.MethodHead, path, nil, nil).want(http.StatusOK).Header.Get("Antiphon-Draft"); again != draft {
			t.Errorf("asked again: %q, not %q", again, draft)
		}
		track := must(media.ByID(t.Context(), i.db.Read, media.TrackID(strings.TrimPrefix(draft, "/drafts/"))))
		if track.Artist != ada.actor || track.Filename != "Über den Fluß.flac" || track.UploadBytes != 10 || track.State != media.Received {
			t.Errorf("%+v", track)
		}
		if raw, err := os.ReadFile(filepath.Join(i.files, track.Upload)); err != nil || string(raw) != "0123456789" {
			t.Errorf("%q %v", raw, err)
		}
		ada.get(draft).want(http.StatusOK, `data-state="working"`, "Über den Fluß", "<noscript><meta http-equiv=\"refresh\"")
		ada.get(draft+"/progress").want(http.StatusOK, `"state":"working"`, `{"name":"probe","state":"waiting","done":0,"message":""}`, `"name":"transcode"`, `"left":0`)
		eve.get(draft).want(http.StatusNotFound)
		eve.get(draft + "/progress").want(http.StatusNotFound)
		ada.get("/studio").want(http.StatusOK, draft)
		ada.post(draft+"/delete", nil).want(http.StatusUnprocessableEntity, "worked on")
	})
}

func TestUploadRefused(t *testing.T) {
	t.Parallel()
	i := setup(t, options{quota: 100, config: func(c *web.Config) { c.MaxUpload = 1000 }})
	ada := i.signedUp(t, "ada", nil)
	refused := func(size int64, status int, words string) {
		t.Helper()
		a, _ := ada.create(size, "x.flac")
		a.want(status, words)
	}
	refused(10_000_000_000, http.StatusRequestEntityTooLarge, "larger than this server takes")
	refused(1001, http.StatusRequestEntityTooLarge, "larger than this server takes")
	refused(101, http.StatusRequestEntityTooLarge, "left of your space")
	refused(0, http.StatusBadRequest, "empty")
	if a, path := ada.create(60, "x.flac"); path == "" {
		a.want(http.StatusCreated)
	}
	refused(60, http.StatusRequestEntityTooLarge, "left of your space") // the unfinished one counts
	deferred := ada.tus(http.MethodPost, "/uploads/", nil, http.Header{"Upload-Defer-Length": {"1"}})
	if deferred.StatusCode < 400 {
		t.Errorf("an upload of unknown length is taken: %d", deferred.StatusCode)
	}
	whole := ada.tus(http.MethodPost, "/uploads/", nil, http.Header{"Upload-Concat": {"partial"}, "Upload-Length": {"5"}})
	if whole.StatusCode < 400 && strings.Contains(whole.Header.Get("Tus-Extension"), "concatenation") {
		t.Errorf("uploads can be joined: %d", whole.StatusCode)
	}
	i.browser(t).tus(http.MethodPost, "/uploads/", nil, http.Header{"Upload-Length": {"5"}}).want(http.StatusUnauthorized)
	lin := i.signedUp(t, "lin", func(body map[string]any) { body["role"] = "listener" })
	if a, _ := lin.create(5, "x.flac"); a.StatusCode != http.StatusForbidden {
		t.Errorf("a listener's upload: %d", a.StatusCode)
	}

	full := setup(t, options{config: func(c *web.Config) { c.DiskLow = 1 << 60 }})
	ada = full.signedUp(t, "ada", nil)
	refused(5, http.StatusInsufficientStorage, "nearly full")
	boss := full.signedUp(t, "boss", nil)
	check(t, full.db.Write.Exec("UPDATE accounts SET role = 'admin' WHERE name = 'boss'").Error)
	boss.get("/admin").want(http.StatusOK, `class="urgent"`)
}

func TestSweep(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada := i.signedUp(t, "ada", nil)
	_, old := ada.create(10, "old.flac")
	_, young := ada.create(10, "young.flac")
	_, done := ada.create(3, "done.flac")
	// The process ended after the last byte and before the track was written.
	check(t, os.WriteFile(filepath.Join(i.files, strings.TrimPrefix(done, "/uploads/")), []byte("abc"), 0o600))
	long := i.clock.Now().Add(-8 * 24 * time.Hour)
	check(t, os.Chtimes(filepath.Join(i.files, strings.TrimPrefix(old, "/uploads/")), long, long))
	now := i.clock.Now()
	check(t, os.Chtimes(filepath.Join(i.files, strings.TrimPrefix(young, "/uploads/")), now, now))
	for range 2 {
		check(t, i.pages.Sweep(t.Context()))
	}
	ada.tus(http.MethodHead, old, nil, nil).want(http.StatusNotFound)
	ada.tus(http.MethodHead, young, nil, nil).want(http.StatusOK)
	var tracks []media.Track
	check(t, i.db.Read.Find(&tracks).Error)
	if len(tracks) != 1 || tracks[0].Filename != "done.flac" {
		t.Errorf("%d tracks", len(tracks))
	}
}

func TestDraftForm(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		ada, eve := i.signedUp(t, "ada", nil), i.signedUp(t, "eve", nil)
		track := i.published(t, ada.actor, "Brass Rain", func(t *media.Track) { t.State, t.PublishedAt, t.Slug = media.Ready, nil, string(t.ID) })
		path := "/drafts/" + string(track.ID)
		ada.get(path).want(http.StatusOK, `data-state="ready"`, `value="5"`, "devUSD", "CC BY-SA")
		form := url.Values{
			"title": {" Brass  Rain "}, "description": {"One\r\n\r\nTwo"}, "price": {"2.5"}, "asset": {string(devAsset)}, "previewStart": {"12"},
			"license": {"https://creativecommons.org/licenses/by/4.0/"}, "action": {"save"},
		}
		change := func(name, value string) url.Values {
			changed := url.Values{}
			for k, v := range form {
				changed[k] = v
			}
			changed.Set(name, value)
			return changed
		}
		for _, bad := range []struct{ name, value, words string }{
			{"title", "", "needs a title"}, {"title", strings.Repeat("x", 201), "up to 200"}, {"description", strings.Repeat("x", 5001), "up to 5000"},
			{"price", "five", "Write a number"}, {"price", "-1", "Write a number"}, {"price", "0.0000001", "Write a number"}, {"price", "1e3", "Write a number"},
			{"asset", "eip155:1/erc20:0x5FbDB2315678afecb367f032d93F642f64180aa3", "choose one"}, {"previewStart", "-5", "number of seconds"},
			{"previewStart", "9999", "inside the track"}, {"title", "\xff", "not text"},
		} {
			a := ada.post(path, change(bad.name, bad.value)).want(http.StatusUnprocessableEntity, bad.words)
			if bad.name == "price" {
				a.want(http.StatusUnprocessableEntity, `value="`+bad.value+`"`) // as it was typed
			}
		}
		if after := must(media.ByID(t.Context(), i.db.Read, track.ID)); !after.UpdatedAt.Equal(track.UpdatedAt) {
			t.Error("a refused form changed the track")
		}
		eve.post(path, form).want(http.StatusNotFound)
		ada.post(path, form).to(path + "?done=saved")
		after := must(media.ByID(t.Context(), i.db.Read, track.ID))
		if after.Title != "Brass  Rain" || after.About != "One\n\nTwo" || after.PreviewStartMS != 12_000 || i.world.products[track.URI].Units != "2500000" {
			t.Errorf("%+v", after)
		}

		// Before it is out nobody else sees it; the artist does.
		page := "/@ada/" + string(track.ID)
		ada.get(page).want(http.StatusOK, "Brass  Rain")
		eve.get(page).want(http.StatusNotFound)

		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		for name := range form {
			check(t, m.WriteField(name, form.Get(name)))
		}
		check(t, m.WriteField("price", "0"))
		check(t, m.Close())
		ada.do(http.MethodPost, path, &body, http.Header{"Content-Type": {m.FormDataContentType()}}).to(path + "?done=saved")
		form.Set("action", "publish")
		ada.post(path, form).to(path + "?published=1")
		ada.get(path+"?published=1").want(http.StatusOK, i.base+"/@ada/brass-rain", "On its way to 0 followers")
		eve.get("/@ada/brass-rain").want(http.StatusOK, "<p>One</p><p>Two</p>", "CC BY 4.0")
		ada.post("/drafts/"+string(track.ID)+"/delete", nil).want(http.StatusUnprocessableEntity, "cannot be deleted")
		eve.post("/tracks/"+string(track.ID)+"/unpublish", nil).want(http.StatusNotFound)
		ada.post("/tracks/"+string(track.ID)+"/unpublish", nil).to("/studio?done=unpublished")
		eve.get("/@ada/brass-rain").want(http.StatusNotFound)
	})
}

func TestDraftBeforeItsProduct(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada := i.signedUp(t, "ada", nil)
	track := i.published(t, ada.actor, "Rough", func(t *media.Track) { t.State, t.PublishedAt = media.Converted, nil })
	delete(i.world.products, track.URI)
	form := url.Values{"title": {"Rough"}, "price": {"3"}, "asset": {string(devAsset)}, "action": {"save"}}
	ada.post("/drafts/"+string(track.ID), form).want(http.StatusUnprocessableEntity, "Everything else is saved", `value="3"`)
	if _, ok := i.world.products[track.URI]; ok {
		t.Error("a price without its product")
	}
	form.Set("price", "0.00")
	ada.post("/drafts/"+string(track.ID), form).to("/drafts/" + string(track.ID) + "?done=saved")
	form.Set("action", "publish")
	ada.post("/drafts/"+string(track.ID), form).want(http.StatusUnprocessableEntity, "not ready")
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada, eve := i.signedUp(t, "ada", nil), i.signedUp(t, "eve", nil)
	shared, alone := must(i.store.Put(t.Context(), []byte("shared"))), must(i.store.Put(t.Context(), []byte("alone")))
	track := i.published(t, ada.actor, "Gone", func(t *media.Track) { t.State, t.PublishedAt = media.Failed, nil })
	check(t, media.Register(i.db.Write,
		media.Block{CID: string(shared), Owner: track.URI, Kind: media.KindCover, Held: true}, media.Block{CID: string(shared), Owner: "other", Kind: media.KindCover, Held: true},
		media.Block{CID: string(alone), Owner: track.URI, Kind: media.KindCover, Held: true}))
	eve.post("/drafts/"+string(track.ID)+"/delete", nil).want(http.StatusNotFound)
	ada.post("/drafts/"+string(track.ID)+"/delete", nil).to("/studio?done=discarded")
	ada.get("/drafts/" + string(track.ID)).want(http.StatusNotFound)
	if must(i.store.Has(t.Context(), alone)) || !must(i.store.Has(t.Context(), shared)) {
		t.Error("the wrong blocks are gone")
	}
}
