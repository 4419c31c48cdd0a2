package vocab_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, n := range nouns() {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			got, err := n.read(golden(t, n.name, wire(t, n.built())))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(n.sample(), got); diff != "" {
				t.Errorf("read(object(x)) != x (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTerms holds that what is built can also be signed: its context is the kind's, each of its keys is a listed term,
// and it has a canonical form.
func TestTerms(t *testing.T) {
	t.Parallel()
	var walk func(t *testing.T, kind vocab.Kind, v any)
	walk = func(t *testing.T, kind vocab.Kind, v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(t, kind, e)
			}
		case map[string]any:
			for name, e := range v {
				if !vocab.HasTerm(kind, name) {
					t.Errorf("%s is not a term of %s", name, kind)
				}
				if name != "@context" {
					walk(t, kind, e)
				}
			}
		}
	}
	for _, n := range nouns() {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			m := n.sample().Object()
			if !vocab.IsContext(n.kind, m["@context"]) {
				t.Error("has another context")
			}
			if _, err := jsonld.Canonicalize(m); err != nil {
				t.Error(err)
			}
			kind, signed := vocab.SignedKind(m)
			if signed != n.signed || kind != n.kind {
				t.Errorf("is of kind %s, signed %t", kind, signed)
			}
			if signed {
				walk(t, n.kind, m)
			}
		})
	}
}

func TestAAD(t *testing.T) {
	t.Parallel()
	k := sampleKeyFragment()
	atSeller, err := vocab.AAD(k.Object())
	if err != nil {
		t.Fatal(err)
	}
	const path = "testdata/keyfragment.aad"
	if *update {
		if err := os.WriteFile(path, atSeller, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(atSeller)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}

	unsealed := k
	unsealed.Sealed = vocab.Sealed{}
	before, err := vocab.AAD(unsealed.Object())
	if err != nil || !bytes.Equal(before, atSeller) {
		t.Errorf("before sealing: %v\n%s", err, before)
	}

	signed := k.Object()
	signed["proof"] = map[string]any{"type": "DataIntegrityProof"}
	raw, err := jsonld.Marshal(signed)
	if err != nil {
		t.Fatal(err)
	}
	received, err := jsonld.ParseSigned(raw)
	if err != nil {
		t.Fatal(err)
	}
	atProxy, err := vocab.AAD(received)
	if err != nil || !bytes.Equal(atProxy, atSeller) {
		t.Errorf("at the proxy: %v\n%s", err, atProxy)
	}
	if received["sealed"] == nil || received["proof"] == nil {
		t.Error("AAD changed the object")
	}

	other := k
	other.ReceivingKey = point(9)
	if changed, err := vocab.AAD(other.Object()); err != nil || bytes.Equal(changed, atSeller) {
		t.Errorf("another receiving key has the same additional data (%v)", err)
	}
	if _, err := vocab.AAD(map[string]any{"id": "\xff"}); err == nil {
		t.Error("invalid UTF-8 was taken")
	}
}
