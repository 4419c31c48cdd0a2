package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"antiphon/payments/raiden"
	"antiphon/payments/raiden/raidentest"
	"antiphon/payments/raidendev"
)

// TestRaidenCheck looks at nodes of both dialects and of the development network, as an operator does.
func TestRaidenCheck(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, url, asset string, more ...string) (code int, stdout, stderr string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "antiphon.toml")
		text := fmt.Sprintf("[server]\ndevelopment = true\n[raiden]\nurl = %q\nasset = %q\n", url, asset)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, err bytes.Buffer
		code = run(t.Context(), append([]string{"raiden", "check", "--config", file}, more...), &out, &err)
		return code, out.String(), err.String()
	}
	report := func(t *testing.T, stdout string) raidenReport {
		t.Helper()
		var r raidenReport
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatalf("%v in %s", err, stdout)
		}
		return r
	}
	for _, dialect := range []raiden.Dialect{raiden.DialectPython, raiden.DialectLight} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			n := raidentest.New(t, dialect)
			asset := "eip155:42161/erc20:" + n.Token.String()
			code, stdout, stderr := check(t, n.Payer.URL, asset, "--json")
			r := report(t, stdout)
			if code != 0 || !r.OK || r.Node == nil || r.Node.Dialect != string(dialect) || r.Node.Address != n.Payer.Address.String() || len(r.Node.Channels) != 1 {
				t.Errorf("ended with %d: %s%s", code, stdout, stderr)
			}
			if online := map[raiden.Dialect]string{raiden.DialectPython: "reachable", raiden.DialectLight: "unknown"}[dialect]; r.Node.Channels[0].Online != online {
				t.Errorf("partner is %s", r.Node.Channels[0].Online)
			}
			n.Payer.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/status") {
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(`{"status":"syncing","blocks_to_sync":"12"}`))
					return true
				}
				return false
			})
			code, stdout, _ = check(t, n.Payer.URL, asset)
			if code != 1 || !strings.Contains(stdout, "fail  chain         still reading, 12 blocks") || !strings.Contains(stdout, "-> wait") {
				t.Errorf("a node that is not synced ended with %d: %s", code, stdout)
			}
		})
	}
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		code, stdout, stderr := check(t, "http://127.0.0.1:1", "eip155:42161/erc20:0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "--json")
		if r := report(t, stdout); code != 1 || r.OK || r.Node != nil || stderr == "" {
			t.Errorf("ended with %d: %s", code, stdout)
		}
	})
	t.Run("development", func(t *testing.T) {
		t.Parallel()
		n := playground(t)
		code, stdout, stderr := check(t, n.Nodes()[1].URL, string(n.Asset()))
		for _, part := range []string{raidendev.Notice, "up to 10000 devUSD in one payment", "is registered", "none under way"} {
			if code != 0 || !strings.Contains(stdout, part) {
				t.Errorf("ended with %d and not with %q: %s%s", code, part, stdout, stderr)
			}
		}
	})
	t.Run("help", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"raiden", "--help"}, {"raiden", "check", "--help"}} {
			var out, err bytes.Buffer
			if code := run(t.Context(), args, &out, &err); code != 0 || !strings.Contains(err.String(), "Usage") {
				t.Errorf("%q ended with %d: %s", args, code, err.String())
			}
		}
	})
}
