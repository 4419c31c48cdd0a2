package raidendev

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/payments/raiden"
)

// ask sends a request to a node's handler.
func ask(n *Network, name, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:5001/api/v1"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	n.nodes[n.address(name)].handler().ServeHTTP(w, r)
	return w
}

func TestRequests(t *testing.T) {
	t.Parallel()
	n := openAt(t, t.TempDir(), testkit.NewClock(start))
	token, ada := n.Token().String(), n.address("ada").String()
	pay := "/payments/" + token + "/" + ada
	channel := "/channels/" + token + "/" + n.address(Hub).String()
	secret := `"0x` + strings.Repeat("11", 32) + `"`
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/version", "", 200},
		{"GET", "/contracts", "", 200},
		{"GET", "/tokens/" + token, "", 200},
		{"GET", "/tokens/" + token + "/partners", "", 200},
		{"GET", "/tokens/" + ada, "", 404},
		{"GET", "/channels/" + strings.ToLower(token), "", 404},
		{"GET", channel, "", 200},
		{"GET", "/channels/" + token + "/" + ada, "", 404},
		{"GET", "/payments?limit=x", "", 400},
		{"GET", "/payments?offset=-1", "", 400},
		{"GET", "/payments?offset=99999&limit=0", "", 200},
		{"GET", "/payments/" + token + "/x", "", 404},
		{"GET", "/pending_transfers/" + token + "/" + ada, "", 200},
		{"GET", "/nothing", "", 404},
		{"DELETE", "/payments", "{}", 404},
		{"POST", pay, "{", 400},
		{"POST", pay, "[]", 400},
		{"POST", pay, "{}", 400},
		{"POST", pay, `{"amount":-1}`, 400},
		{"POST", pay, `{"amount":"1.5"}`, 400},
		{"POST", pay, `{"amount":null}`, 400},
		{"POST", pay, `{"amount":"1","identifier":"18446744073709551616"}`, 400},
		{"POST", pay, `{"amount":"1","secret":"0x11"}`, 400},
		{"POST", pay, `{"amount":"1","secrethash":` + secret + `}`, 501},
		{"POST", pay, `{"amount":"1","secret":` + secret + `,"secret_hash":` + secret + `}`, 400},
		{"POST", pay, `{"amount":"1","secret":` + secret + `}`, 200},
		{"POST", pay, `{"amount":"1","secret":` + secret + `}`, 409}, // known to everyone by now
		{"POST", pay, `{"amount":1,"identifier":7}`, 200},
		{"POST", pay, `{"amount":"` + strings.Repeat("9", maxBody) + `"}`, 400},
		{"POST", "/payments/" + ada + "/" + ada, `{"amount":1}`, 404},
		{"PUT", "/channels", `{"partner_address":"` + ada + `","token_address":"` + ada + `"}`, 404},
		{"PUT", "/channels", `{"partner_address":"` + token + `","token_address":"` + token + `"}`, 409},
		{"PUT", "/channels", `{"partner_address":"` + ada + `","token_address":"` + token + `","total_deposit":"5"}`, 201},
		{"PUT", "/channels", `{"partner_address":"` + ada + `","token_address":"` + token + `","total_deposit":"5"}`, 409},
		{"PATCH", channel, `{}`, 400},
		{"PATCH", channel, `{"state":"opened"}`, 400},
		{"PATCH", channel, `{"total_deposit":"5000","total_withdraw":"1"}`, 400},
		{"PATCH", channel, `{"total_deposit":"999"}`, 409},
		{"PATCH", channel, `{"total_deposit":"1500"}`, 200},
		{"PATCH", channel, `{"total_withdraw":"1500"}`, 409}, // 2 were paid
		{"PATCH", channel, `{"total_withdraw":"1498"}`, 200},
		{"PATCH", channel, `{"total_withdraw":"1497"}`, 409},
		{"POST", "/payments/" + token + "/" + n.address(Hub).String(), `{"amount":"1"}`, 409}, // nothing is left
		{"PATCH", channel, `{"state":"closed"}`, 200},
		{"PATCH", channel, `{"state":"closed"}`, 404},
	} {
		got := ask(n, "lin", c.method, c.path, c.body)
		if got.Code != c.want {
			t.Errorf("%s %s %.60s: %d, want %d: %s", c.method, c.path, c.body, got.Code, c.want, got.Body)
		}
		if !json.Valid(got.Body.Bytes()) {
			t.Errorf("%s %s: no JSON: %s", c.method, c.path, got.Body)
		}
	}
	// The channel straight to ada is still there.
	if got := ask(n, "lin", "POST", pay, `{"amount":"5"}`); got.Code != 200 {
		t.Errorf("pay straight: %d %s", got.Code, got.Body)
	}
	checkConserved(t, n)
}

func TestHistoryOrder(t *testing.T) {
	t.Parallel()
	n := openAt(t, t.TempDir(), testkit.NewClock(start))
	token := n.Token().String()
	for i := 1; i <= 3; i++ {
		to := n.address([]string{"ada", Hub}[i%2]).String()
		if got := ask(n, "lin", "POST", "/payments/"+token+"/"+to, fmt.Sprintf(`{"amount":1,"identifier":%d}`, i)); got.Code != 200 {
			t.Fatal(got.Body)
		}
	}
	for query, want := range map[string]string{
		"": "1 2 3", "?desc=1": "3 2 1", "?limit=1&offset=1": "2", "?desc=true&limit=1": "3", "?offset=3": "",
		"/" + token: "1 2 3", "/" + token + "/" + n.address("ada").String(): "2", "/" + token + "/" + n.address(Hub).String() + "?limit=1": "1",
	} {
		var lines []struct{ Identifier string }
		if err := json.Unmarshal(ask(n, "lin", "GET", "/payments"+query, "").Body.Bytes(), &lines); err != nil {
			t.Fatal(err)
		}
		got := make([]string, len(lines))
		for i, l := range lines {
			got[i] = l.Identifier
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
}

// TestWebPage: a page in the visitor's browser can neither pay nor read.
func TestWebPage(t *testing.T) {
	t.Parallel()
	n := openAt(t, t.TempDir(), testkit.NewClock(start))
	path := "/api/v1/payments/" + n.Token().String() + "/" + n.address("ada").String()
	for name, c := range map[string]struct {
		method, host, kind string
		want               int
	}{
		"form":            {"POST", "127.0.0.1:5001", "text/plain", 415},
		"no type":         {"POST", "127.0.0.1:5001", "", 415},
		"rebound name":    {"GET", "evil.example:5001", "", 403},
		"rebound, posted": {"POST", "evil.example", "application/json", 403},
		"ours":            {"POST", "localhost:5001", "application/json; charset=utf-8", 200},
		"ours, IPv6":      {"POST", "[::1]:5001", "application/json", 200},
	} {
		r := httptest.NewRequest(c.method, path, strings.NewReader(`{"amount":1}`))
		r.Host = c.host
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		n.nodes[n.address("lin")].handler().ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
}

// TestPendingIsShown: while a transfer hangs, both ends list it, and the payee is not credited.
func TestPendingIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada, lin := b.client(t, "ada"), b.client(t, "lin")
	b.mu.Lock()
	b.lose = func(m message) bool { return m.Kind == secretRequest }
	b.mu.Unlock()
	payer := raiden.NewPayer(lin)
	req := raiden.PayRequest{Token: b.Token(), Target: b.address("ada"), Amount: units(4), Identifier: 9}
	for range 2 {
		if _, err := payer.PayOnce(t.Context(), req); !errors.Is(err, raiden.ErrUnknownOutcome) {
			t.Fatalf("pay: %v", err)
		}
	}
	b.mu.Lock()
	b.lose = nil
	b.mu.Unlock()
	for name, c := range map[string]*raiden.Client{"initiator": lin, "target": ada, "mediator": b.client(t, Hub)} {
		pending, err := c.PendingTransfers(t.Context(), b.Token())
		if err != nil || len(pending) == 0 || string(pending[0].Role) != name || pending[0].Locked != units(4) {
			t.Errorf("pending at the %s: %+v, %v", name, pending, err)
		}
	}
	page, err := ada.Received(t.Context(), b.Token(), "", 10)
	if err != nil || len(page.Payments) != 0 || page.Next != "" {
		t.Errorf("received %+v, %v", page, err)
	}
	b.clock.Advance(lockBlocks * blockTime * 2)
	b.mu.Lock()
	err = b.settle()
	b.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	// It has expired: now it can be paid, and the dead line in the history holds up nobody.
	if _, err := payer.PayOnce(t.Context(), req); err != nil {
		t.Errorf("pay again: %v", err)
	}
	if page, err = ada.Received(t.Context(), b.Token(), "", 10); err != nil || len(page.Payments) != 1 {
		t.Errorf("received %+v, %v", page, err)
	}
}

// TestFullDisk: once the journal cannot be written, nothing that is not on disk is shown or done.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	n := openAt(t, t.TempDir(), testkit.NewClock(start))
	pay := func() *httptest.ResponseRecorder {
		return ask(n, "lin", "POST", "/payments/"+n.Token().String()+"/"+n.address("ada").String(), `{"amount":1,"identifier":1}`)
	}
	if got := pay(); got.Code != 200 {
		t.Fatal(got.Body)
	}
	n.journal.err = errors.New("no space left on device")
	for _, path := range []string{"/payments", "/channels", "/pending_transfers", "/status"} {
		if got := ask(n, "ada", "GET", path, ""); got.Code != 503 {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
	if got := pay(); got.Code != 503 {
		t.Errorf("pay: %d %s", got.Code, got.Body)
	}
	n.journal.err = nil
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"ada", "ada"}, {""}, {Hub}} {
		cfg := config(t.TempDir(), testkit.NewClock(start))
		cfg.Nodes = names
		if _, err := Open(cfg); err == nil {
			t.Errorf("%q were taken", names)
		}
	}
}

// TestPartyLeavesAndReturns: who is left out of the configuration is offline and keeps its money.
func TestPartyLeavesAndReturns(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), testkit.NewClock(start)
	n := openAt(t, dir, clock)
	lin, ada := n.address("lin"), n.address("ada")
	if _, err := n.pay(order{initiator: lin, target: ada, amount: units(400)}); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := config(dir, clock)
	cfg.Nodes = []string{"lin", "eve"}
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.pay(order{initiator: lin, target: ada, amount: units(1)}); !errors.Is(err, errNoRoute) {
		t.Errorf("pay who is offline: %v", err)
	}
	if _, err := n.pay(order{initiator: lin, target: n.address("eve"), amount: units(1)}); err != nil {
		t.Errorf("pay who is new: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = openAt(t, dir, clock)
	if _, err := n.pay(order{initiator: ada, target: lin, amount: units(1400)}); err != nil {
		t.Errorf("pay from who has returned: %v", err)
	}
	checkConserved(t, n)
}

func FuzzRequest(f *testing.F) {
	n := openAt(f, f.TempDir(), testkit.NewClock(start))
	token, ada := n.Token().String(), n.address("ada").String()
	f.Add("POST", "/payments/T/A", `{"amount":"1","identifier":18446744073709551615}`)
	f.Add("GET", "/payments/T?limit=1&offset=2&desc=1", "")
	f.Add("PUT", "/channels", `{"partner_address":"A","token_address":"T","total_deposit":"115792089237316195423570985008687907853269984665640564039457584007913129639935"}`)
	f.Add("PATCH", "/channels/T/H", `{"total_withdraw":1}`)
	f.Add("PATCH", "/channels/T/H", `{"state":"closed"}`)
	replace := strings.NewReplacer("T", token, "A", ada, "H", n.address(Hub).String())
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequest(method, "http://127.0.0.1/api/v1"+replace.Replace(path), strings.NewReader(replace.Replace(body)))
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		n.nodes[n.address("lin")].handler().ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusNotImplemented {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		checkConserved(t, n)
	})
}

// FuzzRecord: any journal line with a right checksum is applied or refused.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{
		`{"n":0,"node":{"name":"hub","address":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}}`,
		`{"n":2,"deposit":{"channel":1,"party":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","total":"5"}}`,
		`{"n":2,"message":{"kind":7,"from":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","proof":{"channel":1}}}`,
		`{"n":2,"message":{"kind":11}}`, `{"n":2,"close":{"channel":1}}`, `{"n":2}`, `null`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newState()
		for _, first := range []string{
			`{"n":0,"open":{"channel":1,"parties":["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","0x0000000000000000000000000000000000000001"]}}`,
			`{"n":1,"deposit":{"channel":1,"party":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","total":"4"}}`,
			string(body),
		} {
			r, err := parseLine(fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE([]byte(first)), first))
			if err != nil {
				return
			}
			before := s.next
			if err := s.apply(r); (err == nil) != (s.next == before+1) {
				t.Errorf("%v, but next is %d", err, s.next)
			}
		}
	})
}

// BenchmarkPay is a mediated payment over HTTP, with its fsync.
func BenchmarkPay(b *testing.B) {
	n := setup(b)
	lin := n.client(b, "lin")
	req := raiden.PayRequest{Token: n.Token(), Target: n.address("ada"), Amount: units(1), Identifier: 1}
	n.mu.Lock()
	err := n.nodes[n.address("lin")].deposit(n.state.channels[1], "1000000000")
	n.mu.Unlock()
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := lin.Pay(b.Context(), req); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*95/100].Seconds()*1000, "p95-ms")
}

// BenchmarkOpen replays a journal of 1000 payments.
func BenchmarkOpen(b *testing.B) {
	dir, clock := b.TempDir(), testkit.NewClock(start)
	n := openAt(b, dir, clock)
	for range 1000 {
		if _, err := n.pay(order{initiator: n.address("lin"), target: n.address("ada"), amount: units(1)}); err != nil {
			b.Fatal(err)
		}
	}
	size, err := n.journal.file.Seek(0, io.SeekCurrent)
	must(b, err)
	must(b, n.Close())
	for b.Loop() {
		n, err := Open(config(dir, clock))
		if err != nil {
			b.Fatal(err)
		}
		must(b, n.Close())
	}
	b.ReportMetric(float64(size)/1000, "B/payment")
}
