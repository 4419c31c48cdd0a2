package listen_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/media/listen"
)

// spent is the processor time of this program. Other load on the machine hardly changes it.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// loaded is how many plays the table has before.
const loaded = 50_000

// BenchmarkListen reports, in processor time, listen_cpu_us of one play of a track of 3:31: the reports that ride on its
// requests for segments, one in 6 s and in full every 30 s, and all that is written of it, every 10 s, beside many others
// and into a table of 50,000 plays; and line_cpu_us of each play in a day's lines.
func BenchmarkListen(b *testing.B) {
	const listeners = 2000
	clock := testkit.NewClock(time.Date(2026, 10, 5, 10, 0, 0, 0, time.UTC))
	r := openRoom(b, b.TempDir()+"/a.db", clock, nil)
	r.Service = withRoom(b, r)
	fill(b, r)
	served := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	riding := r.Riding(served)
	// One request and one answer for all: making them would cost more than what is measured.
	q, answer := httptest.NewRequest(http.MethodGet, "/", nil), unanswered{}
	var blocks []string
	for at := 0; at <= length; at++ {
		blocks = append(blocks, fmt.Sprint("/ipfs/b", at))
	}
	round := 0
	for b.Loop() {
		round++
		tickets := make([]string, listeners)
		headers := make([]string, listeners)
		for n := range tickets {
			tickets[n] = r.ticket(b, fmt.Sprint("https://b.example/users/member", n), fmt.Sprint("https://a.example/tracks/", n%300), length)
			headers[n] = session(round*listeners + n)
		}
		before := spent(b)
		requests := 0
		for at := 0; at <= length; at++ {
			clock.Advance(time.Second)
			for n := at % 6; n < listeners; n += 6 {
				header := headers[n]
				if heard := at - n%6; heard%30 == 0 || at+6 > length {
					header = fmt.Sprintf("%s %s %d 0-%d", headers[n], tickets[n], heard, 10*heard)
					if heard == 0 {
						header = headers[n] + " " + tickets[n] + " 0 "
					}
				}
				q.Header.Set(listen.Header, header)
				q.URL.Path = blocks[at]
				riding.ServeHTTP(answer, q)
				requests++
			}
			if at%10 == 9 {
				must(b, r.Keep(b.Context()))
			}
		}
		clock.Advance(time.Minute)
		must(b, r.Keep(b.Context()))
		took := spent(b) - before
		// The same requests without anything to record.
		before = spent(b)
		for i := range requests {
			header := headers[i%listeners]
			if i%5 == 0 {
				header = fmt.Sprintf("%s %s %d 0-%d", header, tickets[i%listeners], 30, 300)
			}
			q.Header.Set(listen.Header, header)
			q.URL.Path = blocks[i%len(blocks)]
			served.ServeHTTP(answer, q)
		}
		took -= spent(b) - before
		b.ReportMetric(float64(took.Microseconds())/listeners, "listen_cpu_us")
		clock.Advance(time.Hour)
	}
	before, plays := spent(b), int64(0)
	must(b, r.Lines(b.Context(), clock.Now(), func(l listen.Line) error { plays += l.Plays; return nil }))
	if plays < listeners {
		b.Fatalf("%d plays are in the lines", plays)
	}
	b.ReportMetric(float64((spent(b)-before).Microseconds())/float64(plays), "line_cpu_us")
	b.ReportMetric(0, "ns/op")
}

// unanswered is an answer that nobody reads.
type unanswered struct{}

func (unanswered) Header() http.Header         { return http.Header{} }
func (unanswered) Write(b []byte) (int, error) { return len(b), nil }
func (unanswered) WriteHeader(int)             {}

// withRoom lets the room keep as many plays in mind as an instance does.
func withRoom(b *testing.B, r room) *listen.Service {
	b.Helper()
	return newService(b, r.db, r.clock, nil, 0)
}

// fill writes plays of the days before.
func fill(b *testing.B, r room) {
	b.Helper()
	rows := make([]map[string]any, 0, 20)
	for n := range loaded {
		at := noon.Add(-time.Duration(n) * time.Minute)
		rows = append(rows, map[string]any{
			"listener": fmt.Sprint("https://b.example/users/member", n%5000), "session": session(-n - 1), "artist": ada, "track": fmt.Sprint("https://a.example/tracks/", n%300),
			"day": at.Format(time.DateOnly), "started_at": at, "reported_at": at, "seconds": length, "length": length, "heard": "0-2110", "bytes": 1, "blocks": []byte{1, 2, 3, 4},
			"network": "0123456789abcdef", "agent": "firefox on linux", "source": "played", "counted": true,
		})
		if len(rows) == cap(rows) {
			must(b, r.db.Write.Table("plays").Create(rows).Error)
			rows = rows[:0]
		}
	}
}
