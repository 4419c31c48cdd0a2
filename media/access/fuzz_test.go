package access_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"antiphon/media/access"
	"antiphon/media/pre/umbral"
)

// FuzzParseReencrypt holds that a request that is read asks for as many capsules as it names, within the bounds, and
// that it is read again as the same.
func FuzzParseReencrypt(f *testing.F) {
	key, err := umbral.GenerateSecretKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	capsule, _, err := umbral.Encrypt(rand.Reader, key.PublicKey(), []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	good, err := json.Marshal(access.ReencryptRequest{Grant: "https://s.example/grants/1", Set: 1, Capsules: []string{base64.RawURLEncoding.EncodeToString(capsule.Bytes())}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, text := range []string{`{}`, `{"grant":"g","set":1,"capsules":["AAAA"]}`, `{"grant":"g","set":-1,"capsules":[""]}`, `{"grant":"g","set":1e3,"capsules":null}`, `[]`, `{"grant":1}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, capsules, err := access.ParseReencrypt(body)
		if err != nil {
			return
		}
		if r.Grant == "" || r.Set < 1 || len(capsules) != len(r.Capsules) || len(capsules) < 1 || len(capsules) > 64 {
			t.Errorf("%s is %+v with %d capsules", body, r, len(capsules))
		}
		for n, c := range capsules {
			if c != nil && base64.RawURLEncoding.EncodeToString(c.Bytes()) != r.Capsules[n] {
				t.Errorf("capsule %d of %s is read as another", n, body)
			}
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if q, _, err := access.ParseReencrypt(again); err != nil || q.Grant != r.Grant || q.Set != r.Set || !slices.Equal(q.Capsules, r.Capsules) {
			t.Errorf("%s is read again as %+v, %v", again, q, err)
		}
	})
}
