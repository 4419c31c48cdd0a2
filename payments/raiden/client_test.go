package raiden_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
	"antiphon/payments/raiden/raidentest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var dialects = []raiden.Dialect{raiden.DialectPython, raiden.DialectLight}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			raidentest.Run(t, raidentest.Opener(d))
		})
	}
}

// answering is a client of a node that gives one answer to everything.
func answering(t *testing.T, cfg raiden.Config, h http.HandlerFunc) *raiden.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg.URL = s.URL
	c, err := raiden.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var (
	token  = eip55.Address{0xAA, 19: 1}
	target = eip55.Address{0xBB, 19: 2}
)

func TestErrors(t *testing.T) {
	t.Parallel()
	const (
		jsonType = "application/json"
		html     = "text/html; charset=utf-8"
		plain    = "text/plain"
	)
	for _, c := range []struct {
		name         string
		status       int
		contentType  string
		body         string
		pay, history error // nil: not asked
	}{
		{"light 500", 500, html, "<html>", raiden.ErrUnknownOutcome, raiden.ErrUnavailable},
		{"light 400", 400, plain, "invalid amount", raiden.ErrBadRequest, raiden.ErrBadRequest},
		{"light funds", 409, jsonType, `{"message":"Insufficient funds"}`, raiden.ErrInsufficientFunds, nil},
		{"light no route", 409, jsonType, `{"message":"target offline"}`, raiden.ErrNoRoute, raiden.ErrConflict},
		{"python funds", 402, jsonType, `{"errors":"payment"}`, raiden.ErrInsufficientFunds, nil},
		{"python list", 409, jsonType, `{"errors":["no route","at all"]}`, raiden.ErrNoRoute, raiden.ErrConflict},
		{"python syncing", 503, jsonType, `{"errors":"syncing"}`, raiden.ErrUnavailable, raiden.ErrUnavailable},
		{"proxy down", 503, html, "", raiden.ErrUnknownOutcome, raiden.ErrUnavailable},
		{"proxy gateway", 502, html, "", raiden.ErrUnknownOutcome, raiden.ErrUnavailable},
		{"proxy slow", 504, html, "", raiden.ErrUnknownOutcome, raiden.ErrUnavailable},
		{"not found", 404, "", "", raiden.ErrNotFound, raiden.ErrNotFound},
		{"not implemented", 501, jsonType, `{}`, raiden.ErrBadRequest, raiden.ErrBadRequest},
		{"credentials", 401, plain, "", raiden.ErrUnauthorized, raiden.ErrUnauthorized},
		{"forbidden", 403, plain, "", raiden.ErrUnauthorized, raiden.ErrUnauthorized},
		{"redirect", 302, plain, "", raiden.ErrUnavailable, raiden.ErrUnavailable},
		{"too many", 429, plain, "", raiden.ErrUnavailable, raiden.ErrUnavailable},
		{"teapot", 418, plain, "", raiden.ErrUnknownOutcome, raiden.ErrBadRequest},
		{"no json", 200, jsonType, "<", raiden.ErrUnknownOutcome, raiden.ErrProtocol},
		{"other json", 200, jsonType, `"x"`, raiden.ErrUnknownOutcome, raiden.ErrProtocol},
		{"empty answer", 200, jsonType, `{}`, raiden.ErrUnknownOutcome, raiden.ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := answering(t, raiden.Config{}, answer(c.status, c.contentType, c.body))
			_, err := client.Pay(t.Context(), raiden.PayRequest{Token: token, Target: target, Amount: amount.NewUnits(1), Identifier: 1})
			if !errors.Is(err, c.pay) {
				t.Errorf("pay: %v, want %v", err, c.pay)
			}
			if _, err := client.Payments(t.Context(), token, 0, 10); c.history != nil && !errors.Is(err, c.history) {
				t.Errorf("history: %v, want %v", err, c.history)
			}
		})
	}
}

// TestWrongAnswer: an answer about another payment leaves the outcome open.
func TestWrongAnswer(t *testing.T) {
	t.Parallel()
	secret, hash := raidentest.Secret()
	body := func(amount, identifier, target, secret, hash string) string {
		return fmt.Sprintf(`{"initiator":%q,"target":%q,"token_address":%q,"amount":%q,"identifier":%q,"secret":%q,"secret_hash":%q}`,
			token, target, token, amount, identifier, secret, hash)
	}
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"right":            {body("5", "9", target.String(), secret, hash), nil},
		"amount":           {body("6", "9", target.String(), secret, hash), raiden.ErrUnknownOutcome},
		"identifier":       {body("5", "8", target.String(), secret, hash), raiden.ErrUnknownOutcome},
		"target":           {body("5", "9", token.String(), secret, hash), raiden.ErrUnknownOutcome},
		"secret":           {body("5", "9", target.String(), hash, hash), raiden.ErrUnknownOutcome},
		"amount below 0":   {body("-5", "9", target.String(), secret, hash), raiden.ErrUnknownOutcome},
		"amount in floats": {body("5.0", "9", target.String(), secret, hash), raiden.ErrUnknownOutcome},
		"exponent":         {body("5e0", "9", target.String(), secret, hash), raiden.ErrUnknownOutcome},
		"identifier 2^64":  {body("5", "18446744073709551616", target.String(), secret, hash), raiden.ErrUnknownOutcome},
		"short secret":     {body("5", "9", target.String(), "0x12", hash), raiden.ErrUnknownOutcome},
	} {
		client := answering(t, raiden.Config{}, answer(200, "application/json", c.body))
		_, err := client.Pay(t.Context(), raiden.PayRequest{Token: token, Target: target, Amount: amount.NewUnits(5), Identifier: 9})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestNothingListens(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(nil)
	s.Close()
	client, err := raiden.New(raiden.Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Pay(t.Context(), raiden.PayRequest{Token: token, Target: target, Amount: amount.NewUnits(1), Identifier: 1})
	if !errors.Is(err, raiden.ErrUnavailable) || errors.Is(err, raiden.ErrUnknownOutcome) {
		t.Errorf("pay: %v", err)
	}
	if s, err := client.Status(t.Context()); s.State != raiden.Unavailable || !errors.Is(err, raiden.ErrUnavailable) {
		t.Errorf("status %+v, %v", s, err)
	}
}

func TestTimeOut(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	client := answering(t, raiden.Config{Timeout: 50 * time.Millisecond, PayTimeout: 50 * time.Millisecond},
		func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-release
		})
	defer close(release)
	_, err := client.Pay(t.Context(), raiden.PayRequest{Token: token, Target: target, Amount: amount.NewUnits(1), Identifier: 1})
	if !errors.Is(err, raiden.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("pay: %v", err)
	}
	if _, err := client.Address(t.Context()); !errors.Is(err, raiden.ErrUnavailable) {
		t.Errorf("address: %v", err)
	}
}

func TestBoundedAnswer(t *testing.T) {
	t.Parallel()
	client := answering(t, raiden.Config{MaxBody: 1000}, answer(200, "application/json", "["+strings.Repeat(" ", 1000)+"]"))
	if _, err := client.Payments(t.Context(), token, 0, 10); !errors.Is(err, raiden.ErrProtocol) {
		t.Errorf("large answer: %v", err)
	}
	client = answering(t, raiden.Config{}, answer(200, "application/json", "[1,2,3]"))
	if _, err := client.Payments(t.Context(), token, 0, 2); !errors.Is(err, raiden.ErrProtocol) {
		t.Errorf("more lines than asked for: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  raiden.Config
		want string
	}{
		"none":   {raiden.Config{}, ""},
		"bearer": {raiden.Config{Bearer: "t0p"}, "Bearer t0p"},
		"basic":  {raiden.Config{BasicUser: "ada", BasicPassword: "t0p"}, "Basic YWRhOnQwcA=="},
	} {
		got := make(chan string, 1)
		client := answering(t, c.cfg, func(w http.ResponseWriter, r *http.Request) {
			got <- r.Header.Get("Authorization")
			// A redirect is not followed: the credential goes nowhere else.
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		})
		if _, err := client.Address(t.Context()); !errors.Is(err, raiden.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if h := <-got; h != c.want {
			t.Errorf("%s: header %q", name, h)
		}
	}
	var text strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "a", raiden.Credential("t0p"), "b", raiden.Secret{1})
	shown := text.String() + fmt.Sprintf("%v %+v %#v %s %v", raiden.Config{Bearer: "t0p"}, raiden.Config{Bearer: "t0p"},
		raiden.Credential("t0p"), raiden.Credential("t0p"), raiden.Secret{1})
	if strings.Contains(shown, "t0p") || strings.Contains(shown, "0x01") {
		t.Errorf("a secret shows: %s", shown)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "x", "ftp://h", "http://", "http://u@h", "http://u:p@h", "http://h?x=1", "http://h#x", "http://h:port"} {
		_, err := raiden.New(raiden.Config{URL: url})
		if err == nil {
			t.Errorf("%q was taken", url)
		}
	}
	if _, err := raiden.New(raiden.Config{URL: "http://h", Bearer: "a", BasicUser: "b"}); err == nil {
		t.Error("two credentials were taken")
	}
}
