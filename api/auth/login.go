package auth

import (
	"context"
	"errors"
	"fmt"
)

// ErrCredentials is returned for a wrong name and for a wrong passphrase alike.
var ErrCredentials = errors.New("name or passphrase is wrong")

// LogIn returns the account of name when auth is right, [ErrCredentials] when it is not or there is no such account
// (both take the same time), or a [*Slow]. address is the visitor's.
func (s *Service) LogIn(ctx context.Context, name string, auth Secret, address string) (Account, error) {
	if err := s.origins.take(origin(address), s.now()); err != nil {
		return Account{}, err
	}
	name = s.LocalName(name)
	if !validName.MatchString(name) || len(auth) != AuthSize {
		return Account{}, ErrCredentials
	}
	account, err := s.ByName(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Account{}, err
	}
	known := err == nil
	if !known {
		account = Account{Name: name, AuthHash: s.hashes.dummy}
	}
	// The dummy hash is checked, and counted, like any other.
	if err := s.prove(ctx, account, auth); err != nil {
		return Account{}, err
	}
	if !known {
		return Account{}, ErrCredentials
	}
	// Who proved the passphrase is told how the account stands, and nobody else.
	return account, account.standing()
}

// prove checks auth against the account, counting the try.
func (s *Service) prove(ctx context.Context, account Account, auth Secret) error {
	if err := s.tries.take(account.Name, s.now()); err != nil {
		return err
	}
	ok, err := s.hashes.verify(ctx, auth, account.AuthHash)
	if err != nil {
		return fmt.Errorf("check auth of %s: %w", account.Name, err)
	}
	if !ok {
		return ErrCredentials
	}
	return nil
}
