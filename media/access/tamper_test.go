package access_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/media/access"
	"antiphon/media/pre/umbral"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	database := func() string { return t.TempDir() + "/a.db" }
	testkit.BadInput(t, "B22", func(t *testing.T) {
		s := sell(t, database)
		g := s.grant
		point, err := multikey.DecodeSecp256k1(g.ReceivingKey)
		must(t, err)
		spoil := func(change func(b []byte)) string {
			b := bytes.Clone(point)
			change(b)
			text, err := multikey.EncodeSecp256k1(b)
			if err != nil {
				return "z" + base64.RawURLEncoding.EncodeToString(b)
			}
			return text
		}
		off := bytes.Clone(point)
		for { // about every second x has no point
			off[32]++
			if _, err := umbral.ParsePublicKey(off); err != nil {
				break
			}
		}
		waiting := s.kfrags
		before := testkit.Rows(t, s.seller.db.Read)
		held := testkit.Rows(t, s.proxy.db.Read)
		for name, bad := range map[string]string{
			"nothing": "", "two keys": g.ReceivingKey + g.ReceivingKey, "of another kind": g.RequestingKey, "the identity": spoil(func(b []byte) { clear(b) }),
			"off the curve": spoil(func(b []byte) { copy(b, off) }), "not compressed": spoil(func(b []byte) { b[0] = 4 }),
			"a byte more": g.ReceivingKey + "2", "the delegating key": g.DelegatingKey, "the verifying key": g.VerifyingKey,
			"the generator": "zQ3shVc2UkAfJCdc1TR8E66J85h48P43r93q8jGPkPpjF9Ef9", "without its prefix": g.ReceivingKey[1:],
		} {
			if err := s.seller.CheckReceivingKey(t.Context(), g.Product, bad); err == nil {
				t.Errorf("%s is taken for a receiving key", name)
			}
			if _, err := s.seller.Prepare(t.Context(), access.Request{
				Artist: g.AttributedTo, Buyer: g.To, Product: g.Product, Version: 1, Agreement: "a", Receipt: "r", ReceivingKey: bad, RequestingKey: g.RequestingKey,
			}); err == nil && name != "the delegating key" && name != "the verifying key" && name != "the generator" {
				t.Errorf("fragments are made for %s", name)
			}
			for _, k := range waiting {
				var object map[string]any
				must(t, json.Unmarshal(k.Object, &object))
				object["receivingKey"] = bad
				raw, err := json.Marshal(object)
				must(t, err)
				if err := s.hold(t, raw); err == nil {
					t.Errorf("a fragment for %s is held", name)
				}
			}
		}
		testkit.SameRows(t, s.seller.db.Read, before)
		testkit.SameRows(t, s.proxy.db.Read, held)
	}, func(t *testing.T) {
		s := sell(t, database)
		must(t, s.seller.CheckReceivingKey(t.Context(), s.grant.Product, s.grant.ReceivingKey))
		s.deliver(t)
	})
}

// TestEveryChangedByteIsRefused changes each byte of what travels: a capsule, a sealed fragment, a cfrag.
func TestEveryChangedByteIsRefused(t *testing.T) {
	t.Parallel()
	s := sell(t, func() string { return t.TempDir() + "/a.db" })
	keys := s.keys(t)
	capsule, err := umbral.ParseCapsule(s.grant.Items[0].Capsule)
	must(t, err)
	var object map[string]any
	for _, k := range s.kfrags {
		if k.Proxy == s.proxy.InstanceActor() {
			must(t, json.Unmarshal(k.Object, &object))
		}
	}
	good, err := vocab.ReadKeyFragment(marshal(t, object))
	must(t, err)
	for part, at := range map[string]*[]byte{"enc": &good.Sealed.Enc, "ciphertext": &good.Sealed.Ciphertext} {
		whole := *at
		for i := range whole {
			if part == "enc" && i%16 != 0 {
				continue // all of it goes through one hash
			}
			*at = bytes.Clone(whole)
			(*at)[i] ^= 1
			if err := s.proxy.Hold(t.Context(), good, object); err == nil {
				t.Fatalf("a fragment with byte %d of %s changed is held", i, part)
			}
		}
		*at = whole
	}
	must(t, s.proxy.Hold(t.Context(), good, object))
	s.deliver(t)
	body := marshal(t, access.ReencryptRequest{Grant: s.grant.ID, Set: 1, Capsules: []string{base64.RawURLEncoding.EncodeToString(s.grant.Items[0].Capsule)}})
	raw, err := reencrypt(t.Context(), s.proxy, body, "n")
	must(t, err)
	var answer access.ReencryptAnswer
	must(t, json.Unmarshal(raw, &answer))
	cfrag, err := base64.RawURLEncoding.DecodeString(answer.Cfrags[0])
	must(t, err)
	check := func(b []byte) error {
		parsed, err := umbral.ParseCapsuleFrag(b)
		if err == nil {
			_, err = parsed.Verify(capsule, keys)
		}
		return err
	}
	must(t, check(cfrag))
	for i := range cfrag {
		bad := bytes.Clone(cfrag)
		bad[i] ^= 1
		if check(bad) == nil {
			t.Fatalf("a cfrag with byte %d changed passes", i)
		}
	}
	for i := range s.grant.Items[0].Capsule {
		bad := bytes.Clone(s.grant.Items[0].Capsule)
		bad[i] ^= 1
		if _, err := umbral.ParseCapsule(bad); err == nil {
			t.Fatalf("a capsule with byte %d changed passes", i)
		}
	}
}

// TestEveryChangedByteOfWhatIsSigned changes each byte of a signed grant and of a signed receipt.
func TestEveryChangedByteOfWhatIsSigned(t *testing.T) {
	t.Parallel()
	s := sell(t, func() string { return t.TempDir() + "/a.db" })
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	method := s.grant.AttributedTo + "#ed25519-1"
	resolve := func(c proof.Claim) (ed25519.PublicKey, error) {
		if c.VerificationMethod != method || c.Signer != s.grant.AttributedTo {
			return nil, errors.New("no such key")
		}
		return public, nil
	}
	receipt := vocab.Receipt{
		ID: s.grant.Receipt, AttributedTo: s.grant.AttributedTo, To: s.grant.To, Agreement: s.grant.Agreement, Product: s.grant.Product, Version: 1,
		Ground: vocab.GroundPayment, Price: vocab.Price{Amount: "5", Decimals: 0, Asset: "antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"},
		Provider: "raiden", PaymentHash: make([]byte, 32), ReceivingKey: s.grant.ReceivingKey, RequestingKey: s.grant.RequestingKey, PaidAt: s.grant.StartTime,
	}
	for name, c := range map[string]struct {
		object map[string]any
		read   func(raw []byte) error
	}{
		"grant":   {s.grant.Object(), func(raw []byte) error { _, err := vocab.ReadGrant(raw); return err }},
		"receipt": {receipt.Object(), func(raw []byte) error { _, err := vocab.ReadReceipt(raw); return err }},
	} {
		_, raw, err := proof.Sign(c.object, private, method, s.seller.now)
		must(t, err)
		passes := func(raw []byte) error {
			verified, err := proof.Verify(raw, resolve, s.seller.now)
			if err != nil {
				return err
			}
			return c.read(verified.Raw)
		}
		must(t, passes(raw))
		for i := range raw {
			bad := bytes.Clone(raw)
			bad[i] ^= 1
			if passes(bad) == nil {
				t.Fatalf("a %s with byte %d changed passes: %q", name, i, bad[max(0, i-20):min(len(bad), i+20)])
			}
		}
	}
}

// TestProxiesThatAnswerBadly tries what a proxy may say instead of an answer: the grant opens with the others.
func TestProxiesThatAnswerBadly(t *testing.T) {
	t.Parallel()
	s := sell(t, func() string { return t.TempDir() + "/a.db" })
	s.deliver(t)
	another := sell(t, func() string { return t.TempDir() + "/a.db" })
	honest := s.ask()
	first := func(ctx context.Context, body []byte) ([]byte, error) { return honest(ctx, s.grant.Proxies[1], body) }
	public, err := multikey.DecodeSecp256k1(s.grant.DelegatingKey)
	must(t, err)
	delegating, err := umbral.ParsePublicKey(public)
	must(t, err)
	other, _, err := umbral.Encrypt(rand.Reader, delegating, make([]byte, 32))
	must(t, err)
	for name, bad := range map[string]func(ctx context.Context, body []byte) ([]byte, error){
		"garbage":  func(context.Context, []byte) ([]byte, error) { return []byte("<html>"), nil },
		"nothing":  func(context.Context, []byte) ([]byte, error) { return nil, nil },
		"an error": func(context.Context, []byte) ([]byte, error) { return nil, errors.New("connection refused") },
		"no cfrag": func(context.Context, []byte) ([]byte, error) { return []byte(`{"cfrags":[]}`), nil },
		"a megabyte": func(context.Context, []byte) ([]byte, error) {
			return []byte(`{"cfrags":["` + strings.Repeat("A", 1<<20) + `"]}`), nil
		},
		"the same cfrag as the home": first,
		"a cfrag of another grant": func(ctx context.Context, _ []byte) ([]byte, error) {
			body, err := json.Marshal(access.ReencryptRequest{
				Grant: another.grant.ID, Set: 1, Capsules: []string{base64.RawURLEncoding.EncodeToString(another.grant.Items[0].Capsule)},
			})
			if err != nil {
				return nil, err
			}
			return another.ask()(ctx, another.grant.Proxies[0], body)
		},
		"never": func(ctx context.Context, _ []byte) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		},
	} {
		ask := func(ctx context.Context, p vocab.Proxy, body []byte) ([]byte, error) {
			if p.Actor == s.grant.Proxies[0].Actor {
				return bad(ctx, body)
			}
			return honest(ctx, p, body)
		}
		if key, err := access.Open(t.Context(), s.grant, s.grant.Items[0], s.receiving, ask); err != nil || key != s.key {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A buyer who asks for a capsule that the grant does not list gets nothing, from any proxy.
	for _, i := range []*instance{s.seller, s.home, s.proxy} {
		body := marshal(t, access.ReencryptRequest{Grant: s.grant.ID, Set: 1, Capsules: []string{base64.RawURLEncoding.EncodeToString(other.Bytes())}})
		if _, err := reencrypt(t.Context(), i, body, rand.Text()); codeOf(err) != "not-granted" {
			t.Errorf("%s answers for another capsule: %v", i.base, err)
		}
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return b
}

// keys are those that the grant's fragments are signed for.
func (s *sale) keys(t *testing.T) umbral.Keys {
	t.Helper()
	parse := func(text string) *umbral.PublicKey {
		b, err := multikey.DecodeSecp256k1(text)
		must(t, err)
		k, err := umbral.ParsePublicKey(b)
		must(t, err)
		return k
	}
	return umbral.Keys{Verifying: parse(s.grant.VerifyingKey), Delegating: parse(s.grant.DelegatingKey), Receiving: parse(s.grant.ReceivingKey)}
}
