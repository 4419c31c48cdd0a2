package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"antiphon/internal/db"
	"antiphon/vocab/jsonld"
)

// inboxParts tells what the machine takes for one RSA-2048 verification, one strict reading of an activity, and one row
// that is on the disk.
func (b *bench) inboxParts(ctx context.Context) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("what is signed"))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return err
	}
	verify, err := cost(time.Second, func() error { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature) })
	if err != nil {
		return err
	}
	w := &world{base: "https://music.example"}
	body := []byte(w.post(1, "https://peer.example/users/p1"))
	parse, err := cost(time.Second, func() error {
		_, err := jsonld.Parse(body)
		return err
	})
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, filepath.Join(b.dir, "insert.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	begin, n := time.Now(), 0
	for ; time.Since(begin) < time.Second && err == nil; n++ {
		_, err = d.SQL().ExecContext(ctx, "INSERT INTO activities (actor, id, type, raw, state, received_at) VALUES (?, ?, 'Create', ?, 'received', ?)",
			"https://peer.example/users/p1", n, body, time.Now())
	}
	insert := time.Since(begin) / time.Duration(n)
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	for name, took := range map[string]time.Duration{"rsa-verify": verify, "json-parse": parse, "durable-insert": insert} {
		if err := b.report("inbox/part-"+name, float64(took)/float64(time.Microsecond), "us", noFloor); err != nil {
			return err
		}
	}
	return nil
}
