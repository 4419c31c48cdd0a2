package inbox_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"antiphon/federation/fedtest"
	"antiphon/federation/httpsig"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

// gate is a yard with a door that a test knocks at.
type gate struct {
	yard
	made int
}

// newGate is one at which bob is known already, so that what is refused writes nothing at all.
func newGate(t *testing.T, options fedtest.Options) *gate {
	t.Helper()
	options.Idle = true
	g := &gate{yard: newYard(t, options)}
	g.takes(t, g.knock(t))
	return g
}

// body is a Follow by somebody that was not sent before.
func (g *gate) body(t *testing.T, who *fedtest.Person) []byte {
	t.Helper()
	g.made++
	return fedtest.JSON(t, g.follow(who, who.URI+"/follows/"+strconv.Itoa(g.made)))
}

// knock is a good request of bob's.
func (g *gate) knock(t *testing.T) *http.Request {
	t.Helper()
	return g.bob.Request(t, g.ada.Inbox, g.body(t, g.bob), g.Clock.Now())
}

// refuses sends a request and sees the status, and that no row was written but in the tables named.
func (g *gate) refuses(t *testing.T, what string, req *http.Request, want int, except ...string) {
	t.Helper()
	before := testkit.Rows(t, g.DB.Read)
	if got := fedtest.Do(t, req); got != want {
		t.Errorf("%s: status %d, want %d", what, got, want)
	}
	testkit.SameRows(t, g.DB.Read, before, except...)
}

// takes sends a request and sees that the activity is stored.
func (g *gate) takes(t *testing.T, req *http.Request) {
	t.Helper()
	before := g.Count(t, "activities", "1=1")
	if got := fedtest.Do(t, req); got != http.StatusAccepted {
		t.Errorf("a good request: status %d", got)
	}
	if n := g.Count(t, "activities", "1=1"); n != before+1 {
		t.Errorf("a good request stores %d activities", n-before)
	}
}

// twin is the good request as a half of a row.
func (g *gate) twin(t *testing.T) { t.Helper(); g.takes(t, g.knock(t)) }

// cavage signs the named headers of a request as they stand, whatever they are.
func cavage(t *testing.T, req *http.Request, who *fedtest.Person, algorithm string, headers ...string) *http.Request {
	t.Helper()
	var lines []string
	for _, name := range headers {
		value := req.Header.Get(name)
		switch name {
		case "(request-target)":
			value = strings.ToLower(req.Method) + " " + req.URL.RequestURI()
		case "host":
			value = req.URL.Host
		}
		lines = append(lines, name+": "+value)
	}
	req.Header.Set("Signature", fmt.Sprintf(`keyId="%s",algorithm="%s",headers="%s",signature="%s"`, who.KeyID, algorithm,
		strings.Join(headers, " "), base64.StdEncoding.EncodeToString(signRSA(t, who.Key, strings.Join(lines, "\n")))))
	return req
}

func signRSA(t *testing.T, key *rsa.PrivateKey, text string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

var usual = []string{"(request-target)", "host", "date", "digest"}

// with signs a good request anew after a change of its headers.
func (g *gate) with(t *testing.T, change func(http.Header)) *http.Request {
	t.Helper()
	req := g.knock(t)
	change(req.Header)
	return cavage(t, req, g.bob, "rsa-sha256", usual...)
}

func set(name string, values ...string) func(http.Header) {
	return func(h http.Header) { h[name] = values }
}

func TestBadSignatures(t *testing.T) {
	t.Parallel()
	g := newGate(t, fedtest.Options{})
	testkit.BadInput(t, "A1", func(t *testing.T) {
		req := g.knock(t)
		req.Header.Del("Signature")
		g.refuses(t, "unsigned", req, 401)
		endless := &countedBody{}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.ada.Inbox, endless)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", vocab.ActivityType)
		g.refuses(t, "unsigned and endless", req, 401)
		if endless.read > 16<<20 { // what lies in the sockets' buffers is not taken
			t.Errorf("%d bytes of an unsigned body were taken", endless.read)
		}
	}, g.twin)
	testkit.BadInput(t, "A7", func(t *testing.T) {
		for _, without := range usual {
			covered := slices.DeleteFunc(slices.Clone(usual), func(name string) bool { return name == without })
			g.refuses(t, "without "+without, cavage(t, g.knock(t), g.bob, "rsa-sha256", covered...), 401)
		}
		g.refuses(t, "with nothing", cavage(t, g.knock(t), g.bob, "rsa-sha256"), 401)
	}, func(t *testing.T) { g.takes(t, cavage(t, g.knock(t), g.bob, "rsa-sha256", usual...)) })
	testkit.BadInput(t, "A8", func(t *testing.T) {
		good := g.knock(t).Header.Get("Digest")
		for what, change := range map[string]func(http.Header){
			"missing": func(h http.Header) { h.Del("Digest") }, "wrong": set("Digest", "SHA-256="+base64.StdEncoding.EncodeToString(make([]byte, 32))),
			"of SHA-512": set("Digest", "SHA-512="+base64.StdEncoding.EncodeToString(make([]byte, 64))), "of MD5": set("Digest", "MD5=1B2M2Y8AsgTpgAmY7PhCfg=="),
			"cut": set("Digest", "SHA-256=AAAA"), "garbage": set("Digest", "SHA-256=%%%"), "of two kinds": set("Digest", good+",SHA-512=AAAA"),
			"twice": set("Digest", good, good), "without a name": set("Digest", "="), "empty": set("Digest", ""),
		} {
			g.refuses(t, "digest "+what, g.with(t, change), 401)
		}
	}, func(t *testing.T) { g.takes(t, g.with(t, func(http.Header) {})) })
	testkit.BadInput(t, "A9", func(t *testing.T) {
		req, other := g.knock(t), g.body(t, g.bob)
		req.Body, req.ContentLength, req.GetBody = readCloser(other), int64(len(other)), nil
		g.refuses(t, "body of another", req, 401)
	}, g.twin)
	testkit.BadInput(t, "A10", func(t *testing.T) {
		now := g.Clock.Now().UTC()
		for what, change := range map[string]func(http.Header){
			"13 hours old": set("Date", now.Add(-13*time.Hour).Format(http.TimeFormat)), "in two hours": set("Date", now.Add(2*time.Hour).Format(http.TimeFormat)),
			"ISO": set("Date", now.Format(time.RFC3339)), "seconds": set("Date", strconv.FormatInt(now.Unix(), 10)), "absent": func(h http.Header) { h.Del("Date") },
			"far off": set("Date", "Mon, 01 Jan 0001 00:00:00 GMT"),
		} {
			g.refuses(t, "date "+what, g.with(t, change), 401)
		}
	}, func(t *testing.T) {
		g.takes(t, g.with(t, set("Date", g.Clock.Now().UTC().Add(-30*time.Minute).Format(http.TimeFormat))))
	})
	testkit.BadInput(t, "A12", func(t *testing.T) {
		body := g.body(t, g.bob)
		g.takes(t, g.bob.Request(t, g.ada.Inbox, body, g.Clock.Now()))
		for range 3 {
			g.refuses(t, "again", g.bob.Request(t, g.ada.Inbox, body, g.Clock.Now()), 202)
		}
		g.refuses(t, "again, to the shared inbox", g.bob.Request(t, g.BaseURL+"/inbox", body, g.Clock.Now()), 202)
	}, g.twin)
	testkit.BadInput(t, "A13", func(t *testing.T) {
		req := g.knock(t)
		req.Host = "elsewhere.example"
		g.refuses(t, "for our host, sent to another", req, 401)
		req = g.bob.Request(t, g.BaseURL+"/inbox", g.body(t, g.bob), g.Clock.Now())
		req.URL.Path = "/users/ada/inbox"
		g.refuses(t, "for another inbox", req, 401)
		req = g.bob.Request(t, "http://elsewhere.example/users/ada/inbox", g.body(t, g.bob), g.Clock.Now())
		req.URL.Host, req.Host = g.Host, g.Host
		g.refuses(t, "for another host", req, 401)
	}, g.twin)
	testkit.BadInput(t, "A20", func(t *testing.T) {
		body := linkedData(g.body(t, g.bob), g.bob.URI)
		req := g.bob.Request(t, g.ada.Inbox, body, g.Clock.Now())
		req.Header.Del("Signature")
		g.refuses(t, "a linked-data signature alone", req, 401)
		g.refuses(t, "forwarded by another", g.eve.Request(t, g.ada.Inbox, body, g.Clock.Now()), 401, "actors", "keys_seen")
	}, func(t *testing.T) {
		g.takes(t, g.bob.Request(t, g.ada.Inbox, linkedData(g.body(t, g.bob), g.bob.URI), g.Clock.Now()))
	})
}

// countedBody is endless white space, and knows how much of it was taken.
type countedBody struct{ read int }

func (c *countedBody) Read(p []byte) (int, error) {
	if c.read > 64<<20 {
		return 0, http.ErrBodyReadAfterClose
	}
	for n := range p {
		p[n] = ' '
	}
	c.read += len(p)
	return len(p), nil
}

func linkedData(body []byte, creator string) []byte {
	return []byte(strings.TrimSuffix(string(body), "}") + `,"signature":{"type":"RsaSignature2017","creator":"` + creator +
		`#main-key","created":"2026-01-01T00:00:00Z","signatureValue":"AAAA"}}`)
}

// newer signs after RFC 9421 with the components and parameters given.
func newer(t *testing.T, req *http.Request, who *fedtest.Person, label, components, params string) *http.Request {
	t.Helper()
	var lines []string
	for name := range strings.FieldsSeq(components) {
		bare, _, _ := strings.Cut(strings.Trim(name, `"`), `";`)
		value := req.Header.Get(bare)
		switch bare {
		case "@method":
			value = req.Method
		case "@target-uri":
			value = req.URL.String()
		}
		lines = append(lines, name+": "+value)
	}
	input := "(" + components + ")" + params
	lines = append(lines, `"@signature-params": `+input)
	for _, h := range []struct{ name, value string }{
		{"Signature-Input", label + "=" + input},
		{"Signature", label + "=:" + base64.StdEncoding.EncodeToString(signRSA(t, who.Key, strings.Join(lines, "\n"))) + ":"},
	} {
		if had := req.Header.Get(h.name); had != "" && label != "sig1" {
			h.value = had + ", " + h.value
		}
		req.Header.Set(h.name, h.value)
	}
	return req
}

func TestBadNewSignatures(t *testing.T) {
	t.Parallel()
	g := newGate(t, fedtest.Options{})
	const all = `"@method" "@target-uri" "content-digest"`
	created := ";created=" + strconv.FormatInt(g.Clock.Now().Unix(), 10)
	full := created + `;keyid="` + g.bob.KeyID + `";alg="rsa-v1_5-sha256"`
	fresh := func(t *testing.T) *http.Request {
		body := g.body(t, g.bob)
		req := g.bob.Request(t, g.ada.Inbox, body, g.Clock.Now())
		req.Header.Del("Signature")
		req.Header.Del("Digest")
		req.Header.Set("Content-Digest", httpsig.ContentDigest(body))
		return req
	}
	testkit.BadInput(t, "A16", func(t *testing.T) {
		for what, c := range map[string]struct{ components, params string }{
			"no created": {all, `;keyid="` + g.bob.KeyID + `"`}, "no keyid": {all, created}, "no method": {`"@target-uri" "content-digest"`, full},
			"no target": {`"@method" "content-digest"`, full}, "no digest": {`"@method" "@target-uri"`, full},
			"sf":           {`"@method" "@target-uri" "content-digest";sf`, full},
			"bs":           {`"@method" "@target-uri" "content-digest";bs`, full},
			"req":          {`"@method";req "@target-uri" "content-digest"`, full},
			"method twice": {`"@method" "@method" "@target-uri" "content-digest"`, full},
			"query-param":  {all + ` "@query-param"`, full}, "status": {all + ` "@status"`, full},
			"another alg": {all, created + `;keyid="` + g.bob.KeyID + `";alg="hmac-sha256"`}, "old": {all, strings.Replace(full, created, ";created=1", 1)},
			"created in words": {all, strings.Replace(full, created, `;created="now"`, 1)}, "expired": {all, full + ";expires=1"},
		} {
			g.refuses(t, what, newer(t, fresh(t), g.bob, "sig1", c.components, c.params), 401)
		}
		req := fresh(t)
		req.Header.Del("Content-Digest")
		for _, digest := range []string{"", "sha-256=::", "sha-512=:AAAA:", "sha-256=:AAAA:, sha-512=:AAAA:"} {
			req := fresh(t)
			req.Header.Set("Content-Digest", digest)
			g.refuses(t, "digest "+digest, newer(t, req, g.bob, "sig1", all, full), 401)
		}
		g.refuses(t, "digest absent", newer(t, req, g.bob, "sig1", all, full), 401)
		req = fresh(t)
		req.Header.Set("Content-Digest", httpsig.ContentDigest([]byte("other")))
		g.refuses(t, "digest of another body", newer(t, req, g.bob, "sig1", all, full), 401)
		req = newer(t, fresh(t), g.bob, "sig1", all, full)
		g.refuses(t, "two labels", newer(t, req, g.eve, "sig2", all, strings.ReplaceAll(full, g.bob.KeyID, g.eve.KeyID)), 401)
		req = newer(t, fresh(t), g.bob, "sig1", all, full)
		req.Header.Set("Signature", strings.Replace(req.Header.Get("Signature"), "sig1", "sig2", 1))
		g.refuses(t, "labels that differ", req, 401)
		if d, err := g.Hosts.Dialect(t.Context(), g.peer.Host); err != nil || d != httpsig.Cavage {
			t.Errorf("a host that signs wrongly is known to read %q, %v", d, err)
		}
	}, func(t *testing.T) {
		g.takes(t, newer(t, fresh(t), g.bob, "sig1", all, full))
		if d, err := g.Hosts.Dialect(t.Context(), g.peer.Host); err != nil || d != httpsig.RFC9421 {
			t.Errorf("a host that signs after RFC 9421 is known to read %q, %v", d, err)
		}
	})
}
