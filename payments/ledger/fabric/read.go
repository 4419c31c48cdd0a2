package fabric

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hyperledger/fabric-gateway/pkg/client"
)

// Get implements [contract.Backend]: what the operator's own peer has committed.
func (b *Backend) Get(ctx context.Context, key string) (string, bool, error) {
	stored, err := b.evaluate(ctx, readKey, key)
	if err != nil {
		return "", false, err
	}
	value, found := unwrap(stored)
	return value, found, nil
}

// Range implements [contract.Backend]. It reads page by page, each as of its own moment.
func (b *Backend) Range(ctx context.Context, start, end string, fn func(key, value string) error) error {
	for {
		raw, err := b.evaluate(ctx, readRange, start, end)
		if err != nil {
			return err
		}
		var p page
		if err := json.Unmarshal(raw, &p); err != nil || len(p.Rows)%2 != 0 || p.More && len(p.Rows) == 0 {
			return fmt.Errorf("%w: the peer's answer is no page of keys", ErrUnavailable)
		}
		for i := 0; i < len(p.Rows); i += 2 {
			if err := fn(p.Rows[i], p.Rows[i+1]); err != nil {
				return err
			}
			start = p.Rows[i] + "\x00" // the next key that there can be
		}
		if !p.More {
			return nil
		}
	}
}

func (b *Backend) evaluate(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	value, err := b.contract.EvaluateWithContext(ctx, name, client.WithArguments(args...))
	if err != nil {
		return nil, b.read(err).err
	}
	return value, nil
}
