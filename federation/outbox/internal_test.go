package outbox

import (
	"net/http"
	"testing"
	"time"

	"antiphon/vocab"
)

func TestVerdictOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status  int
		common  bool
		attempt int
		want    verdict
	}{
		{200, true, 1, taken}, {299, true, 1, taken}, {100, true, 1, refused}, {301, true, 1, refused}, {400, true, 1, refused}, {404, true, 1, refused},
		{410, true, 1, departed}, {401, true, 9, unwell}, {403, true, 1, unwell}, {403, true, 2, refused}, {408, true, 3, busy}, {409, true, 3, busy},
		{425, true, 3, busy}, {429, true, 3, busy}, {406, true, 1, refused}, {500, true, 5, unwell}, {500, false, 1, puzzled}, {500, false, 2, unread},
		{503, false, 5, unwell}, {501, true, 1, refused}, {599, true, 1, unwell},
	} {
		if got := verdictOf(tc.status, tc.common, tc.attempt); got != tc.want {
			t.Errorf("%+v: %d", tc, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "60": time.Minute, "0": 0, "-5": 0, "1e3": 0, "99999999999999999999": 0, "86400": time.Hour, "soon": 0,
		now.Add(10 * time.Minute).Format(http.TimeFormat): 10 * time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
		now.Add(1000 * time.Hour).Format(http.TimeFormat): time.Hour,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestParagraphs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", " \n\n ": "", "a": "<p>a</p>", "a\nb\n\nc": "<p>a<br>b</p><p>c</p>", "<b>\r\n\r\n&": "<p>&lt;b&gt;</p><p>&amp;</p>",
	} {
		if got := paragraphs(in); got != want {
			t.Errorf("%q becomes %q", in, got)
		}
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	head := `{"@context":"https://www.w3.org/ns/activitystreams","id":"https://x.example/1","actor":"https://x.example/a",`
	for rest, want := range map[string]struct {
		kind, subject string
		common        bool
	}{
		`"type":"Follow","object":"https://y.example/b"}`:                                      {"Follow", "https://x.example/1", true},
		`"type":"Undo","object":{"type":"Follow","id":"https://x.example/1"}}`:                 {"Undo Follow", "https://x.example/1", true},
		`"type":"Create","object":{"type":"Note","id":"https://x.example/n"}}`:                 {"Create Note", "https://x.example/n", true},
		`"type":"Create","object":{"type":["AudioTrack","Audio"],"id":"https://x.example/t"}}`: {"Create AudioTrack", "https://x.example/t", false},
		`"type":"Offer","object":{"type":"Agreement"}}`:                                        {"Offer Agreement", "https://x.example/1", false},
		`"type":"Listen","object":"https://y.example/b"}`:                                      {"Listen", "https://x.example/1", false},
		`"type":"Delete","object":"https://x.example/n"}`:                                      {"Delete", "https://x.example/n", true},
		`"type":"Add","object":"https://x.example/n","target":"https://x.example/a/featured"}`: {"Add", "https://x.example/a/featured", true},
	} {
		a, err := vocab.ParseActivity([]byte(head + rest))
		if err != nil {
			t.Errorf("%s: %v", rest, err)
			continue
		}
		if kind, common := kindOf(a); kind != want.kind || common != want.common || subjectOf(a) != want.subject {
			t.Errorf("%s: %q, common %t, about %s", rest, kind, common, subjectOf(a))
		}
	}
}
