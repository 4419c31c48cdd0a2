package royalty_test

import (
	"fmt"
	"iter"
	"testing"

	"antiphon/payments/royalty"
)

// BenchmarkCompile divides the money of listeners with 200 artists each; ns/op is for one listener.
func BenchmarkCompile(b *testing.B) {
	artists := make([]string, 5000)
	for i := range artists {
		artists[i] = fmt.Sprintf("https://music.example/users/artist%04d", i)
	}
	listeners := func(yield func(royalty.Listener, error) bool) {
		for i := range b.N {
			if !yield(royalty.Listener{Pseudonym: pseudonym(i)}, nil) {
				return
			}
		}
	}
	lines := func(yield func(royalty.Line, error) bool) {
		for i := range b.N {
			who := pseudonym(i)
			for j := range 200 {
				l := royalty.Line{Pseudonym: who, Artist: artists[j*25+i%25], Track: "t", Units: int64(1+(i*j)%37) * royalty.Unit, Seconds: 100}
				if !yield(l, nil) {
					return
				}
			}
		}
	}
	b.ReportAllocs()
	if _, err := royalty.Compile(royalty.DefaultPolicy(), month, listeners, []iter.Seq2[royalty.Line, error]{lines},
		func(royalty.SplitLine) error { return nil }, func(royalty.Listener) error { return nil }); err != nil {
		b.Fatal(err)
	}
}
