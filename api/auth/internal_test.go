package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestStoredHash(t *testing.T) {
	t.Parallel()
	old, err := newHasher(Cost{Time: 2, Memory: 128, Threads: 2}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := old.hash(t.Context(), Secret("auth"))
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=128,t=2,p=2$") {
		t.Fatal(stored, err)
	}
	now, err := newHasher(Cost{Time: 1, Memory: 64, Threads: 1}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := now.verify(t.Context(), Secret("auth"), stored); err != nil || !ok {
		t.Errorf("a hash of an earlier cost: %v %v", ok, err)
	}
	if ok, err := now.verify(t.Context(), Secret("other"), stored); err != nil || ok {
		t.Errorf("another auth: %v %v", ok, err)
	}
	for _, bad := range []string{
		"", "$", strings.Replace(stored, "argon2id", "argon2i", 1), strings.Replace(stored, "v=19", "v=16", 1),
		strings.Replace(stored, "m=128", "m=99999999", 1), strings.Replace(stored, "t=2", "t=0", 1), strings.Replace(stored, "p=2", "p=200", 1),
		strings.Replace(stored, "t=2", "t=-1", 1), stored + "AAAA", stored[:len(stored)-4], strings.Replace(stored, "$m=", "$x$m=", 1),
	} {
		if _, err := now.verify(t.Context(), Secret("auth"), bad); !errors.Is(err, errBadHash) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range hashesAtOnce {
		now.gate <- struct{}{}
	}
	if _, err := now.hash(ended, Secret("auth")); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a turn after the visitor has gone: %v", err)
	}
}

func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l := newLimiter(2, time.Minute)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	take := func(key string, n int) (err error) {
		for range n {
			err = l.take(key, now)
		}
		return err
	}
	for i := range maxBuckets - 1 {
		if err := take(fmt.Sprint(i), 1); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(2 * time.Minute)
	if err := take("busy", 3); err == nil {
		t.Fatal("three tries of two pass")
	}
	if err := take("one more", 1); err != nil || len(l.buckets) != 2 {
		t.Errorf("%d buckets are kept, %v", len(l.buckets), err)
	}
	if err := take("busy", 1); err == nil {
		t.Error("a busy key was forgotten")
	}
	for i := range 3 * maxBuckets {
		_ = l.take(fmt.Sprint("flood", i), now)
	}
	if len(l.buckets) > maxBuckets {
		t.Errorf("%d buckets", len(l.buckets))
	}
}

func TestAgentWords(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "Unknown browser",
		"Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Mobile Safari/537.36":         "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36 Edg/141.0":     "Edge on Windows",
		"<script>" + strings.Repeat("x", 5000) + "Firefox/":                                                                         "Unknown browser",
	} {
		if got := agentWords(header); got != want {
			t.Errorf("%.40q: %s", header, got)
		}
	}
}

func FuzzSecret(f *testing.F) {
	for _, text := range []string{`"AAAA"`, `"AAA="`, `""`, `null`, `7`, `"` + strings.Repeat("A", 1030) + `"`, `"AB"`, `"-_-_"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s, again Secret
		if json.Unmarshal(raw, &s) != nil {
			return
		}
		out, err := json.Marshal(s)
		if err != nil || json.Unmarshal(out, &again) != nil || !bytes.Equal(s, again) || len(s) > 1024 {
			t.Errorf("%q: %x and %x", raw, []byte(s), []byte(again))
		}
	})
}
