package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"antiphon/payments"
	"antiphon/vocab"
)

// TestReleasePages makes a release in the studio, changes it, and buys it at a price of one's own and as a gift.
func TestReleasePages(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		ada, moe, lin := i.signedUp(t, "ada", nil), i.signedUp(t, "moe", nil), i.signedUp(t, "lin", nil)
		first, second := i.published(t, ada.actor, "Brass Rain", nil), i.published(t, ada.actor, "Iron Snow", nil)
		strange := i.published(t, moe.actor, "Not Hers", nil)
		i.browser(t).get("/releases/new").want(http.StatusSeeOther)
		ada.get("/studio").want(http.StatusOK, "/releases/new", "/codes")
		ada.get("/releases/new").want(http.StatusOK, "Brass Rain", "Iron Snow", `name="at-`+string(first.ID))
		form := func(change url.Values) url.Values {
			all := url.Values{
				"title": {"Boiler <Songs>"}, "kind": {"ep"}, "releasedOn": {"2026-11-20"}, "about": {"Recorded in a boiler."}, "price": {"5"}, "asset": {string(devAsset)},
				"at-" + string(first.ID): {"2"}, "at-" + string(second.ID): {"1"}, "flexible": {"1"}, "suggested": {"8"}, "shares": {"@moe 25.5% drums\n\n"}, "action": {"save"},
			}
			for name, values := range change {
				all[name] = values
			}
			return all
		}
		for name, c := range map[string]struct {
			change url.Values
			says   string
		}{
			"no title":         {url.Values{"title": {""}}, "needs a title"},
			"no tracks":        {url.Values{"at-" + string(first.ID): {""}, "at-" + string(second.ID): {""}}, "at least one track"},
			"no number":        {url.Values{"at-" + string(first.ID): {"x"}}, "a number from 1"},
			"somebody else's":  {url.Values{"at-" + string(strange.ID): {"3"}}, "tracks of your own"},
			"another kind":     {url.Values{"kind": {"box"}}, "an album, an EP or a single"},
			"no day":           {url.Values{"releasedOn": {"yesterday"}}, "year-month-day"},
			"no price":         {url.Values{"price": {"five"}}, "a number such as 3"},
			"suggests less":    {url.Values{"suggested": {"4"}}, "less than the price"},
			"a stranger":       {url.Values{"shares": {"@nobody 10"}}, "was not found"},
			"no percentage":    {url.Values{"shares": {"@moe much"}}, "not a percentage"},
			"too many percent": {url.Values{"shares": {"@moe 60\n@lin 50"}}, "more than 100"},
			"oneself":          {url.Values{"shares": {"@ada 10"}}, "the others alone"},
			"twice":            {url.Values{"shares": {"@moe 10\n@moe 10"}}, "stands here once"},
		} {
			if page := ada.post("/releases/new", form(c.change)).want(http.StatusUnprocessableEntity, c.says); !strings.Contains(page.body, "@") {
				t.Errorf("%s: what was typed is gone", name)
			}
		}
		saved := ada.post("/releases/new", form(nil)).want(http.StatusSeeOther).Header.Get("Location")
		edit, _, _ := strings.Cut(saved, "?")
		ada.get(edit).want(http.StatusOK, "Boiler &lt;Songs&gt;", `value="5"`, `value="8"`, "25.5 drums", "2026-11-20", " checked")
		moe.get(edit).want(http.StatusNotFound)
		moe.post(edit, form(nil)).want(http.StatusNotFound)
		moe.post(edit+"/withdraw", nil).want(http.StatusNotFound)
		album := "/albums/" + strings.TrimPrefix(edit, "/releases/")
		lin.get(album).want(http.StatusNotFound)
		ada.get(album).want(http.StatusOK, "Boiler &lt;Songs&gt;")
		ada.post(edit, form(url.Values{"action": {"publish"}})).to(album + "?done=released")
		page := i.browser(t).get(album).want(http.StatusOK, "EP", "2 tracks", "Recorded in a boiler.", "at least", "/buy?release=").body
		if strings.Index(page, "Iron Snow") > strings.Index(page, "Brass Rain") {
			t.Error("the tracks are not in their order")
		}
		lin.get("/@ada/brass-rain").want(http.StatusOK, "Boiler &lt;Songs&gt;", `href="`+album+`"`)
		ada.post("/tracks/"+string(first.ID)+"/unpublish", nil).want(http.StatusUnprocessableEntity, "take it off there first")

		// What it costs and who gets that stands before the buyer; less than the least is not offered.
		buy := "/buy?release=" + url.QueryEscape(i.base+album)
		lin.get(buy).want(http.StatusOK, "All 2 tracks", "at least", `value="8"`, "74.5%", "25.5%", "Moe", "drums", "5.96", "2.04", "as a gift")
		lin.post(buy, url.Values{"amount": {"4.999999"}}).want(http.StatusUnprocessableEntity, "The least that is taken is 5.00")
		lin.post(buy, url.Values{"amount": {"-1"}}).want(http.StatusUnprocessableEntity, "a number such as")
		order := lin.post(buy, url.Values{"amount": {"6.5"}}).want(http.StatusSeeOther).Header.Get("Location")
		bought := must(i.world.ByID(t.Context(), strings.TrimPrefix(order, "/purchases/")))
		if bought.Units.String() != "6500000" || bought.Track != i.base+album || bought.Gift || bought.Code != "" {
			t.Errorf("%+v", bought)
		}
		lin.get(album).want(http.StatusOK, `href="`+order+`"`)
		gift := lin.post(buy, url.Values{"amount": {"9"}, "gift": {"1"}}).want(http.StatusSeeOther).Header.Get("Location")
		if gift == order {
			t.Error("a gift is the same purchase")
		}
		lin.get(gift).want(http.StatusOK, `data-state="asking"`)

		ada.post(edit+"/withdraw", nil).want(http.StatusSeeOther)
		lin.get(album).want(http.StatusNotFound)
		lin.get(buy).want(http.StatusNotFound)
	})
}

// TestCodePages makes codes, whose list is given out once, and redeems them here and from elsewhere.
func TestCodePages(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		ada, lin := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil)
		track := i.published(t, ada.actor, "Brass Rain", nil)
		product := i.world.products[track.URI].URI
		i.browser(t).get("/codes").want(http.StatusSeeOther)
		ada.get("/codes").want(http.StatusOK, "Brass Rain", product)
		make := func(number, expires, of string) *answer {
			return ada.post("/codes", url.Values{"product": {of}, "number": {number}, "expires": {expires}, "label": {"Cards"}})
		}
		make("0", "", product).want(http.StatusUnprocessableEntity, "1 to 5000")
		make("many", "", product).want(http.StatusUnprocessableEntity, "1 to 5000")
		make("2", "soon", product).want(http.StatusUnprocessableEntity, "year-month-day")
		make("2", "2020-01-01", product).want(http.StatusUnprocessableEntity, "expired already")
		make("2", "", i.base+"/products/none").want(http.StatusUnprocessableEntity, "no such product")
		list := make("2", "2027-01-01", product).want(http.StatusOK)
		if kind := list.Header.Get("Content-Disposition"); !strings.Contains(kind, ".csv") || list.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the list comes as %q", kind)
		}
		lines := strings.Split(strings.TrimSpace(list.body), "\n")
		if len(lines) != 3 || lines[0] != "code,link" {
			t.Fatalf("the list is %q", list.body)
		}
		code, link, _ := strings.Cut(lines[1], ",")
		if got, ok := payments.ParseCode(code); !ok || got != code || !strings.HasPrefix(link, i.base+"/redeem?") {
			t.Errorf("a line is %q", lines[1])
		}
		if page := ada.get("/codes").want(http.StatusOK, "0 of 2 redeemed", "Cards").body; strings.Contains(page, code) {
			t.Error("a code is shown again")
		}

		i.browser(t).get(strings.TrimPrefix(link, i.base)).want(http.StatusOK, "Brass Rain", "Log in to redeem it", "on another server?")
		i.browser(t).post("/redeem", url.Values{"code": {code}}).want(http.StatusUnauthorized)
		lin.post("/redeem", url.Values{"code": {"ABCD"}}).want(http.StatusUnprocessableEntity, "not a code")
		lin.post("/redeem", url.Values{"code": {"ABCD-EFGH-IJKL-MNOP-QRST"}}).want(http.StatusUnprocessableEntity, "not known here")
		lin.post("/redeem", url.Values{"code": {"https://s.example/elsewhere?code=" + code}}).want(http.StatusUnprocessableEntity, "holds no code")
		ada.post("/redeem", url.Values{"code": {code}}).want(http.StatusUnprocessableEntity, "of your own")
		order := lin.post("/redeem", url.Values{"code": {strings.ToLower(code)}}).want(http.StatusSeeOther).Header.Get("Location")
		begun := must(i.world.ByID(t.Context(), strings.TrimPrefix(order, "/purchases/")))
		if begun.Code != code || !begun.Units.IsZero() || begun.Product != product {
			t.Errorf("%+v", begun)
		}

		ada.post("/codes/revoke", url.Values{"code": {"nothing"}}).want(http.StatusUnprocessableEntity, "not a code")
		ada.post("/codes/revoke", url.Values{"code": {code}}).want(http.StatusSeeOther)
		lin.post("/redeem", url.Values{"code": {link}}).want(http.StatusUnprocessableEntity, "taken this code back")
		page := ada.get("/codes").body
		at := strings.Index(page, `action="/codes/`)
		revoke, _, _ := strings.Cut(page[at+len(`action="`):], `"`)
		lin.post(revoke, nil).want(http.StatusNotFound)
		ada.post(revoke, nil).want(http.StatusSeeOther)
		other, _, _ := strings.Cut(lines[2], ",")
		lin.post("/redeem", url.Values{"code": {other}}).want(http.StatusUnprocessableEntity, "taken this code back")
	})
}

// TestRemoteRelease shows and sells a release of another server, at the price that its host says now.
func TestRemoteRelease(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	lin := i.signedUp(t, "lin", nil)
	uri, bo := "https://b.example/albums/9", "https://b.example/users/bo"
	price := vocab.Price{Amount: "5000000", Asset: string(devAsset), Decimals: 6}
	i.world.releases = map[string]vocab.Release{uri: {
		ID: uri, AttributedTo: bo, Name: "Kettle Songs", Type: "album", Content: "<p>Hot.</p><script>x</script>", Tracks: []string{"https://b.example/tracks/1"},
		Proposals: []vocab.ProposalLink{{ID: "https://b.example/products/9/proposal", Product: "https://b.example/products/9", Price: price}},
	}}
	page := "/release?uri=" + url.QueryEscape(uri)
	i.browser(t).get(page).want(http.StatusSeeOther)
	if body := lin.get(page).want(http.StatusOK, "Kettle Songs", "Hot.", "5.00", "The original on b.example").body; strings.Contains(body, "<script>x") {
		t.Error("the words of a stranger run")
	}
	lin.get("/release?uri="+url.QueryEscape("https://b.example/albums/none")).want(http.StatusBadGateway, "could not be fetched")
	buy := "/buy?release=" + url.QueryEscape(uri)
	lin.get(buy).want(http.StatusOK, "5.00", "100%")
	price.Amount = "6000000"
	i.world.proposals = map[string]vocab.Proposal{"https://b.example/products/9/proposal": {
		ID: "https://b.example/products/9/proposal", Product: "https://b.example/products/9", Price: price, Suggested: "7000000",
		Shares: []vocab.Share{{Payee: bo, Name: "Bo", BasisPoints: 9000}, {Payee: "https://b.example/users/kim", Name: "Kim", Role: "kettle", BasisPoints: 1000}},
	}}
	lin.get(buy).want(http.StatusOK, "6.00", `value="7"`, "Kim", "0.70")
	lin.post(buy, url.Values{"amount": {"5"}}).want(http.StatusUnprocessableEntity, "The least that is taken is 6.00")
	order := lin.post(buy, url.Values{"amount": {"7"}}).want(http.StatusSeeOther).Header.Get("Location")
	bought := must(i.world.ByID(t.Context(), strings.TrimPrefix(order, "/purchases/")))
	if bought.Units.String() != "7000000" || bought.Artist != bo || bought.Track != uri {
		t.Errorf("%+v", bought)
	}
	lin.get(order).want(http.StatusOK, "Kettle Songs")
}
