package vocab_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/google/go-cmp/cmp"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/proof"
)

// TestEmbedded sends each noun inside of an activity, as it travels: what the reader is given is what was embedded,
// and the proof still holds.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(fill(32, 7))
	resolve := func(proof.Claim) (ed25519.PublicKey, error) { return key.Public().(ed25519.PublicKey), nil }
	for _, n := range nouns() {
		if n.kind == vocab.KindInvoice || n.kind == vocab.KindListen {
			continue // the one travels in an agreement, the other is an activity itself
		}
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			m := n.sample().Object()
			signed := n.signed && n.name != "agreement-offered"
			if signed {
				var err error
				if m, _, err = proof.Sign(m, key, m["attributedTo"].(string)+"#ed25519-1", at(12, 0, 3)); err != nil {
					t.Fatal(err)
				}
			}
			ref, err := vocab.Embed(m)
			if err != nil {
				t.Fatal(err)
			}
			activity, err := vocab.Activity{
				ID: artist + "/activities/1", Type: vocab.VerbCreate, Actor: artist, To: []string{buyer}, Object: ref,
			}.Build()
			if err != nil {
				t.Fatal(err)
			}
			raw, err := jsonld.Marshal(activity)
			if err != nil {
				t.Fatal(err)
			}
			received, err := vocab.ParseActivity(raw)
			if err != nil {
				t.Fatal(err)
			}
			got, err := n.read(received.Object.Raw)
			if err != nil {
				t.Fatalf("%v\n%s", err, raw)
			}
			if diff := cmp.Diff(n.sample(), got); diff != "" {
				t.Errorf("-sent +read:\n%s", diff)
			}
			if signed {
				if _, err := proof.Verify(received.Object.Raw, resolve, at(12, 0, 4)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
