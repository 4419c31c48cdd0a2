package proof

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"antiphon/vocab/multikey"
)

// testdata/w3c.json is the example of eddsa-jcs-2022 in the W3C's "Data Integrity EdDSA Cryptosuites v1.0",
// appendix B.2. Its context is not one of ours, so only the innermost check can be tried with it.
func TestW3CVector(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/w3c.json")
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	key, err := multikey.DecodeEd25519("z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2")
	if err != nil {
		t.Fatal(err)
	}
	p := object["proof"].(map[string]any)
	if err := check(object, p, key); err != nil {
		t.Errorf("check: %v", err)
	}
	object["name"] = "Alumnus Credential"
	if err := check(object, p, key); !errors.Is(err, ErrSignature) {
		t.Errorf("changed object: %v", err)
	}
}
