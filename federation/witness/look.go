package witness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"antiphon/internal/httpx"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/witness"
)

// Comparison is what a witness has seen of a ledger.
type Comparison struct {
	// Size is how many records it has signed for, and they are those that there are.
	Size int64
	// Forks are the checkpoints that it has refused and that are not how this ledger begins, or that prove two pasts.
	Forks []witness.Fork
}

// Compare holds the ledger against the last checkpoint that the instance at address has signed for. The error wraps
// ledger.ErrTampered when it has seen another ledger, or more of it, and ledger.ErrNotFound when it has seen none.
func Compare(ctx context.Context, client *httpx.Client, l *ledger.Ledger, tx *gorm.DB, address string) (Comparison, error) {
	address = strings.TrimRight(address, "/")
	query := "?" + url.Values{"origin": {l.Verifier().Name()}}.Encode()
	status, signed, err := get(ctx, client, address+"/witness/checkpoint"+query)
	switch {
	case err != nil:
		return Comparison{}, err
	case status == http.StatusNotFound:
		return Comparison{}, fmt.Errorf("%w: %s has not signed for this ledger", ledger.ErrNotFound, address)
	case status != http.StatusOK:
		return Comparison{}, fmt.Errorf("%s/witness/checkpoint: status %d", address, status)
	}
	size, err := l.Holds(ctx, tx, signed)
	if err != nil {
		return Comparison{}, fmt.Errorf("%s: %w", address, err)
	}
	out := Comparison{Size: size}
	status, raw, err := get(ctx, client, address+"/witness/forks"+query)
	if err != nil {
		return out, err
	}
	if status != http.StatusOK {
		return out, fmt.Errorf("%s/witness/forks: status %d", address, status)
	}
	var answer struct{ Forks []witness.Fork }
	if err := json.Unmarshal(raw, &answer); err != nil {
		return out, fmt.Errorf("%s/witness/forks: %w", address, err)
	}
	for _, f := range answer.Forks {
		// Anybody can send a good checkpoint with a bad proof.
		if _, err := l.Holds(ctx, tx, []byte(f.Refused)); err != nil || f.Proved {
			out.Forks = append(out.Forks, f)
		}
	}
	return out, nil
}

// LogKeys looks up the keys of the ledgers that this instance signs for.
type LogKeys struct {
	HTTP *httpx.Client
	// Scheme is https, or http among instances of one machine.
	Scheme string
	// Allowed reports whether this instance signs for the ledger of a host.
	Allowed func(ctx context.Context, host string) bool
}

// LogKey asks the host that an origin begins with for the key of its ledger; witness.ErrUnknown when it is not signed for,
// or has none. Whoever speaks for a host can say what the key of its ledger is, but only once.
func (k LogKeys) LogKey(ctx context.Context, origin string) (string, error) {
	host, path, _ := strings.Cut(origin, "/")
	if u, err := url.Parse(k.Scheme + "://" + host); err != nil || u.Host != host || host == "" || path != "ledger" || !k.Allowed(ctx, host) {
		return "", witness.ErrUnknown
	}
	status, body, err := get(ctx, k.HTTP, k.Scheme+"://"+host+"/ledger/key")
	if err != nil {
		return "", fmt.Errorf("%w: %w", witness.ErrUnknown, err)
	}
	key := strings.TrimSpace(string(body))
	verifier, err := note.NewVerifier(key)
	if status != http.StatusOK || err != nil || verifier.Name() != origin {
		return "", fmt.Errorf("%w: %s has no key of it", witness.ErrUnknown, host)
	}
	return key, nil
}
