package api

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// FuzzRange holds that whatever a Range header asks for, the answer is one part, all of it, or none, and that the part is
// the one that it says.
func FuzzRange(f *testing.F) {
	for _, ranges := range []string{
		"bytes=0-0", "bytes=5-", "bytes=-5", "bytes=0-99999999999999999999", "bytes=0-1,2-3", "bytes=0-,0-,0-", "bytes=9-1", "bytes= 1 - 2 ", "items=0-1", "bytes=", "bytes=--1",
		"bytes=1-2-3", "bytes=0x1-2", "BYTES=0-1", "bytes=18446744073709551615-", "bytes=-0",
	} {
		f.Add(ranges)
	}
	content := make([]byte, 1000)
	for i := range content {
		content[i] = byte(i)
	}
	h := bounded(0, time.Minute, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/mpeg")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	f.Fuzz(func(t *testing.T, ranges string) {
		r := httptest.NewRequest(http.MethodGet, "/media/x", nil)
		r.Header.Set("Range", ranges)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK:
			if !bytes.Equal(w.Body.Bytes(), content) {
				t.Errorf("%q: %d bytes", ranges, w.Body.Len())
			}
		case http.StatusPartialContent:
			var from, to, size int
			n, err := fmt.Sscanf(w.Header().Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size)
			if err != nil || n != 3 || size != len(content) || w.Header().Get("Content-Type") != "audio/mpeg" || !bytes.Equal(w.Body.Bytes(), content[from:to+1]) {
				t.Errorf("%q: %v, %d bytes", ranges, w.Header(), w.Body.Len())
			}
		case http.StatusRequestedRangeNotSatisfiable:
		default:
			t.Errorf("%q: %d", ranges, w.Code)
		}
	})
}
