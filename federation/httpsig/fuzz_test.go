package httpsig_test

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"testing"
	"time"

	"antiphon/federation/httpsig"
)

// FuzzVerify feeds both header forms: nothing may panic, and nothing but the real signature may verify.
func FuzzVerify(f *testing.F) {
	f.Add(`keyId="k",headers="(request-target) host date",signature="AAAA"`, "")
	f.Add(`keyId="k",algorithm=hs2019,created=1,headers="(created)",signature="AAAA"`, "")
	f.Add("sig1=:AAAA:", `sig1=("@method" "@target-uri");created=1;keyid="k"`)
	f.Add("sig1=:AAAA:", `sig1=("@method" "content-digest";sf=1);created=1;keyid="k";nonce=:AA:`)
	f.Fuzz(func(t *testing.T, signature, input string) {
		req := &http.Request{Method: http.MethodGet, Host: "music.example", RequestURI: "/x", Header: http.Header{
			"Date": {now.Format(http.TimeFormat)}}}
		if signature != "" {
			req.Header.Set("Signature", signature)
		}
		if input != "" {
			req.Header.Set("Signature-Input", input)
		}
		v := &httpsig.Verifier{Origin: origin, Keys: &ring{cached: edKey().Public()}, Now: func() time.Time { return now }}
		if _, err := v.Verify(context.Background(), req, nil); err == nil {
			t.Fatal("a made-up signature verifies")
		}
		m := httpsig.Message{Method: "GET", TargetURI: origin + "/x", ContentType: "a"}
		if _, err := httpsig.VerifyMessage(m, req.Header, edKey().Public().(ed25519.PublicKey), "k", now); err == nil {
			t.Fatal("a made-up message verifies")
		}
	})
}
