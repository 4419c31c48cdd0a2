package raidendev

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"antiphon/payments/eip55"
)

// TestPersonalSignature: the example of web3.js's documentation of eth.accounts.sign.
func TestPersonalSignature(t *testing.T) {
	t.Parallel()
	raw, err := hex.DecodeString("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
	if err != nil {
		t.Fatal(err)
	}
	key := secp256k1.PrivKeyFromBytes(raw)
	signer := addressOf(key.PubKey())
	if want := "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"; signer.String() != want {
		t.Errorf("address %s, want %s", signer, want)
	}
	data := []byte("Some data")
	if got := hash(personal(data)).String(); got != "0x1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655" {
		t.Errorf("hash %s", got)
	}
	s := sign(key, data)
	want := "0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c"
	if got, _ := s.MarshalText(); string(got) != want {
		t.Errorf("signature %s", got)
	}
	if err := s.verify(signer, data); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(s *signature, signer *eip55.Address, data *[]byte){
		"data":   func(_ *signature, _ *eip55.Address, d *[]byte) { *d = []byte("some data") },
		"signer": func(_ *signature, a *eip55.Address, _ *[]byte) { a[0]++ },
		"r":      func(s *signature, _ *eip55.Address, _ *[]byte) { s[3]++ },
		"s":      func(s *signature, _ *eip55.Address, _ *[]byte) { s[40]++ },
		"v":      func(s *signature, _ *eip55.Address, _ *[]byte) { s[64] ^= 7 },
		"v of 0": func(s *signature, _ *eip55.Address, _ *[]byte) { s[64] -= 27 },
		"v + 4":  func(s *signature, _ *eip55.Address, _ *[]byte) { s[64] += 4 },
		"zeros":  func(s *signature, _ *eip55.Address, _ *[]byte) { *s = signature{64: 27} },
	} {
		s, signer, data := s, signer, data
		change(&s, &signer, &data)
		if s.verify(signer, data) == nil {
			t.Errorf("%s: it verifies", name)
		}
	}
}

// TestPacking: the lengths and places of Raiden's packed statements.
func TestPacking(t *testing.T) {
	t.Parallel()
	if got := locksroot(nil).String(); got != "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470" {
		t.Errorf("locksroot of nothing %s", got) // the well-known Keccak-256 of nothing
	}
	network := eip55.Address{0xAB, 19: 0xCD}
	p := proof{Channel: 5, Nonce: 6, Transferred: units(7), Locked: units(8), Locksroot: hash{9}, Additional: hash{31: 10}}
	packed := hex.EncodeToString(p.pack(network))
	transferred, locked := units(7).Bytes32(), units(8).Bytes32()
	balance := keccak(transferred[:], locked[:], p.Locksroot[:])
	want := "ab000000000000000000000000000000000000cd" + fmt.Sprintf("%064x%064x%064x", 1, 1, 5) +
		hex.EncodeToString(balance[:]) + fmt.Sprintf("%064x%064x", 6, 10)
	if packed != want || len(packed) != 2*212 {
		t.Errorf("balance proof\n%s\n%s", packed, want)
	}
	withdraw := hex.EncodeToString(packWithdraw(network, 5, eip55.Address{0xEF}, units(7), 99))
	want = "ab000000000000000000000000000000000000cd" + fmt.Sprintf("%064x%064x%064x", 1, 3, 5) + "ef" + strings.Repeat("0", 38) + fmt.Sprintf("%064x%064x", 7, 99)
	if withdraw != want {
		t.Errorf("withdraw\n%s\n%s", withdraw, want)
	}
	l := lock{Expiration: 1, Amount: units(2), Hash: hash{31: 3}}
	if got := hex.EncodeToString(l.pack()); got != fmt.Sprintf("%064x%064x%064x", 1, 2, 3) {
		t.Errorf("lock %s", got)
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "a", seed{0x77}, "b", secret{0x77})
	shown := text.String() + fmt.Sprintf("%v %+v %#v %s %v %#v", seed{0x77}, seed{0x77}, seed{0x77}, seed{0x77}, secret{0x77}, secret{0x77})
	if strings.Contains(shown, "77") || strings.Contains(shown, "119") {
		t.Errorf("a secret shows: %s", shown)
	}
}

// TestKeysDiffer: names, purposes and seeds all give keys of their own, and always the same.
func TestKeysDiffer(t *testing.T) {
	t.Parallel()
	seen := map[eip55.Address]string{}
	for _, s := range []seed{{1}, {2}} {
		for _, name := range []string{"ada", "lin", "ada0", "ad"} {
			a := addressOf(s.key(name).PubKey())
			if other, twice := seen[a]; twice {
				t.Errorf("%s and %s are one", name, other)
			}
			seen[a] = name
			if a != addressOf(s.key(name).PubKey()) {
				t.Errorf("%s is two", name)
			}
		}
		seen[s.contract("token")] = "token"
	}
	if len(seen) != 10 {
		t.Errorf("%d addresses", len(seen))
	}
}
