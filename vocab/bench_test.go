package vocab_test

import (
	"strconv"
	"testing"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// BenchmarkReadGrant reads the largest grant there is.
func BenchmarkReadGrant(b *testing.B) {
	g := sampleGrant()
	g.Items = nil
	for i := range vocab.MaxItems {
		it := sampleGrant().Items[0]
		it.Track += strconv.Itoa(i)
		g.Items = append(g.Items, it)
	}
	raw, err := jsonld.Marshal(g.Object())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := vocab.ReadGrant(raw); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(raw)), "B/grant")
}
