package vocab_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// FuzzRead holds that no reader fails in any other way than with an error, and that what a reader has taken it takes
// again, with the same meaning, from its own builder. The documents come without their contexts, which are constants
// that a fuzzer would only break.
func FuzzRead(f *testing.F) {
	for _, n := range nouns() {
		m := maps.Clone(n.sample().Object())
		delete(m, "@context")
		doc, err := jsonld.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := jsonld.Parse(doc)
		if err != nil {
			return
		}
		for _, n := range nouns() {
			m["@context"] = vocab.Context(n.kind)
			doc, err := jsonld.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			x, err := n.read(doc)
			if err != nil {
				continue
			}
			again, err := jsonld.Marshal(x.Object())
			if err != nil {
				t.Fatal(err)
			}
			got, err := n.read(again)
			if err != nil {
				t.Fatalf("%s: %v\n%s\n%s", n.name, err, doc, again)
			}
			if diff := cmp.Diff(x, got); diff != "" {
				t.Fatalf("%s: -first +second:\n%s", n.name, diff)
			}
		}
	})
}
