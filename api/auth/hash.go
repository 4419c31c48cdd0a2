package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is what one argon2id hash costs.
type Cost struct {
	// Time is the number of passes, Memory KiB, Threads the lanes.
	Time, Memory uint32
	Threads      uint8
}

// DefaultCost takes 19 MiB and a few tens of milliseconds. What is hashed was stretched in the browser already, so a
// copy of the database costs its thief both.
var DefaultCost = Cost{Time: 2, Memory: 19 * 1024, Threads: 1}

// maxCost bounds what a stored hash may ask for.
var maxCost = Cost{Time: 10, Memory: 256 * 1024, Threads: 8}

const (
	saltSize = 16
	hashSize = 32
	// hashesAtOnce bounds the memory that log-ins take together.
	hashesAtOnce = 2
)

var errBadHash = errors.New("stored hash is malformed")

// hasher makes and checks hashes in the PHC form: $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
type hasher struct {
	cost Cost
	rand io.Reader
	gate chan struct{}
	// dummy is checked for names that do not exist, so that they take as long as others.
	dummy string
}

func newHasher(cost Cost, random io.Reader) (*hasher, error) {
	h := &hasher{cost: cost, rand: random, gate: make(chan struct{}, hashesAtOnce)}
	dummy, err := h.hash(context.Background(), make(Secret, AuthSize))
	h.dummy = dummy
	return h, err
}

func (h *hasher) hash(ctx context.Context, auth Secret) (string, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(h.rand, salt); err != nil {
		return "", fmt.Errorf("draw salt: %w", err)
	}
	sum, err := h.run(ctx, auth, salt, h.cost)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.Memory, h.cost.Time, h.cost.Threads,
		b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

// verify reports whether auth is what stored was made from.
func (h *hasher) verify(ctx context.Context, auth Secret, stored string) (bool, error) {
	cost, salt, want, err := parseHash(stored)
	if err != nil {
		return false, err
	}
	got, err := h.run(ctx, auth, salt, cost)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func (h *hasher) run(ctx context.Context, auth Secret, salt []byte, cost Cost) ([]byte, error) {
	select {
	case h.gate <- struct{}{}:
		defer func() { <-h.gate }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey(auth, salt, cost.Time, cost.Memory, cost.Threads, hashSize), nil
}

func parseHash(stored string) (cost Cost, salt, sum []byte, err error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return cost, nil, nil, errBadHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &cost.Memory, &cost.Time, &cost.Threads); err != nil {
		return cost, nil, nil, fmt.Errorf("%w: %w", errBadHash, err)
	}
	if cost.Time < 1 || cost.Time > maxCost.Time || cost.Memory > maxCost.Memory || cost.Threads < 1 || cost.Threads > maxCost.Threads {
		return cost, nil, nil, fmt.Errorf("%w: cost %+v", errBadHash, cost)
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return cost, nil, nil, fmt.Errorf("%w: %w", errBadHash, err)
	}
	if sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return cost, nil, nil, fmt.Errorf("%w: %w", errBadHash, err)
	}
	if len(salt) != saltSize || len(sum) != hashSize {
		return cost, nil, nil, errBadHash
	}
	return cost, salt, sum, nil
}
