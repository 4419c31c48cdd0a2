package vocab_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"antiphon/vocab"
	"antiphon/vocab/proof"
)

// TestSigned signs each noun as it is signed in earnest, and reads what was verified.
func TestSigned(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(fill(32, 7))
	resolve := func(proof.Claim) (ed25519.PublicKey, error) { return key.Public().(ed25519.PublicKey), nil }
	regrant := sampleOffered()
	regrant.AttributedTo, regrant.Receipt, regrant.Proposal = buyer, "https://s.example/receipts/rcmzkvqe", ""
	for _, tc := range []struct {
		name   string
		method string
		x      object
		read   func([]byte) (object, error)
	}{
		{"track", artist + "#ed25519-1", sampleTrack(), reader(vocab.ReadTrack)},
		{"agreement", artist + "#ed25519-1", sampleAgreement(), reader(vocab.ReadAgreement)},
		{"re-grant", buyer + "#requesting-1", regrant, reader(vocab.ReadOfferedAgreement)},
		{"receipt", artist + "#ed25519-1", sampleReceipt(), reader(vocab.ReadReceipt)},
		{"grant", artist + "#ed25519-1", sampleGrant(), reader(vocab.ReadGrant)},
		{"key fragment", artist + "#ed25519-1", sampleKeyFragment(), reader(vocab.ReadKeyFragment)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, raw, err := proof.Sign(tc.x.Object(), key, tc.method, at(12, 0, 3))
			if err != nil {
				t.Fatal(err)
			}
			verified, err := proof.Verify(raw, resolve, at(12, 0, 4))
			if err != nil {
				t.Fatal(err)
			}
			got, err := tc.read(verified.Raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.x, got); diff != "" {
				t.Errorf("-signed +read:\n%s", diff)
			}
			// Another buyer's key fits the form and breaks the proof.
			other := strings.ReplaceAll(string(raw), edwards(4), edwards(5))
			if other == string(raw) {
				other = strings.Replace(other, "Brass Rain", "Brass Snow", 1)
			}
			if _, err := tc.read([]byte(other)); err != nil {
				t.Errorf("the changed object has another form: %v", err)
			}
			if _, err := proof.Verify([]byte(other), resolve, at(12, 0, 4)); err == nil {
				t.Error("the changed object was verified")
			}
		})
	}
}
