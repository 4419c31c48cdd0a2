package actor

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"antiphon/federation/httpsig"
	"antiphon/internal/vault"
	"antiphon/vocab/multikey"
)

// The purposes of local keys.
const (
	purposeHTTP  = "http"
	purposeProof = "proof"
)

const rsaBits = 2048

// Keys are the fresh key pairs of an actor that is about to be made.
type Keys struct {
	http  *rsa.PrivateKey
	proof ed25519.PrivateKey
}

// LogValue keeps the keys out of logs.
func (Keys) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Format keeps the keys out of printed text.
func (Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// NewKeys makes the keys of an actor. It takes tens of milliseconds, so call it before the transaction.
func (r *Registry) NewKeys() (*Keys, error) {
	k, err := rsa.GenerateKey(r.rand, rsaBits)
	if err != nil {
		return nil, fmt.Errorf("make RSA key: %w", err)
	}
	_, proof, err := ed25519.GenerateKey(r.rand)
	if err != nil {
		return nil, fmt.Errorf("make Ed25519 key: %w", err)
	}
	return &Keys{http: k, proof: proof}, nil
}

// rows seals the keys for the actor of that URI.
func (r *Registry) keyRows(uri string, k *Keys) ([]keyRow, error) {
	pem, err := httpsig.FormatPublicKey(&k.http.PublicKey)
	if err != nil {
		return nil, err
	}
	text, err := multikey.EncodeEd25519(k.proof.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	now := r.utc()
	rows := []keyRow{
		{ID: uri + "#main-key", Actor: uri, Purpose: purposeHTTP, Number: 1, Public: pem, Version: 1, CreatedAt: now},
		{ID: uri + "#ed25519-1", Actor: uri, Purpose: purposeProof, Number: 1, Public: text, Version: 1, CreatedAt: now},
	}
	for i, secret := range []any{k.http, k.proof} {
		der, err := x509.MarshalPKCS8PrivateKey(secret)
		if err != nil {
			return nil, fmt.Errorf("encode key %s: %w", rows[i].ID, err)
		}
		if rows[i].Sealed, err = r.vault.Seal(rows[i].place(), der); err != nil {
			return nil, fmt.Errorf("seal key %s: %w", rows[i].ID, err)
		}
	}
	return rows, nil
}

func (k keyRow) place() vault.Place {
	return vault.Place{Table: "actor_keys", ID: k.ID, Version: k.Version}
}

// open unseals a key pair of the given type.
func open[K any](r *Registry, k keyRow) (K, error) {
	var none K
	der, err := r.vault.Open(k.place(), k.Sealed)
	if err != nil {
		return none, fmt.Errorf("key %s: %w", k.ID, err)
	}
	secret, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := secret.(K)
	if err != nil || !ok {
		return none, fmt.Errorf("key %s is a %T: %w", k.ID, secret, errors.Join(err, vault.ErrOpen))
	}
	return key, nil
}
