package auth

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"antiphon/media/pre/keytree"
	"antiphon/media/pre/umbral"
	"antiphon/vocab/multikey"
)

// Refusal is a request that a person can mend: Words tell them how, Field names the input (empty: none of them).
type Refusal struct{ Field, Words string }

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Field + ": " + r.Words }

// Application is what the browser sends to sign up.
type Application struct {
	Name    string  `json:"name"`
	Display string  `json:"display"`
	Custody Custody `json:"custody"`
	// Role is Artist when empty.
	Role Role   `json:"role"`
	Auth Secret `json:"auth"`
	// Wrapped and Recovery are the seed under the passphrase and under the recovery key. With delegated custody Wrapped
	// is the seed itself, and Recovery is empty.
	Wrapped       Secret `json:"wrapped"`
	Recovery      Secret `json:"recovery"`
	ReceivingKey  string `json:"receivingKey"`
	RequestingKey string `json:"requestingKey"`
	Invite        string `json:"invite"`
	// Guest is the guest who becomes this account, with the same keys; the caller knows it from the session.
	Guest string `json:"-"`
	// Reason tells the admins why somebody wants to join; asked for where they decide.
	Reason string `json:"reason"`
}

// SignUp makes an account and its actor, or returns a [*Refusal] or a [*Slow]. address is the visitor's.
func (s *Service) SignUp(ctx context.Context, a Application, address string) (Account, error) {
	if err := s.origins.take(origin(address), s.now()); err != nil {
		return Account{}, err
	}
	if err := a.check(); err != nil {
		return Account{}, err
	}
	role, err := s.roleOf(ctx, a)
	if err != nil {
		return Account{}, err
	}
	if _, err := s.ByName(ctx, a.Name); !errors.Is(err, ErrNotFound) {
		return Account{}, cmp.Or(err, error(errTaken))
	}
	hash, err := s.hashes.hash(ctx, a.Auth)
	if err != nil {
		return Account{}, fmt.Errorf("hash auth: %w", err)
	}
	account := Account{
		Actor: s.ActorURI(a.Name), Name: a.Name, Role: role, AuthHash: hash, Version: 1, QuotaBytes: s.config.Quota, CreatedAt: s.utc(),
		State: Active,
	}
	if s.Approval() && a.Invite == "" && a.Guest == "" {
		account.State, account.Reason = Pending, a.Reason
	}
	keep, err := s.keep(account.Actor, a.Custody, a.Wrapped, a.Recovery)
	if err != nil {
		return Account{}, err
	}
	keep(&account)
	local := Local{Name: a.Name, Display: a.Display, Kind: "artist", ReceivingKey: a.ReceivingKey, RequestingKey: a.RequestingKey, Unlisted: account.State == Pending}
	if role == Listener {
		local.Kind = "listener"
	}
	actor, err := s.actors.Prepare(ctx, local)
	if err != nil {
		return Account{}, fmt.Errorf("prepare actor %s: %w", a.Name, err)
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.admit(ctx, tx, account, a, actor) })
	if errors.Is(err, gorm.ErrDuplicatedKey) || errors.Is(err, ErrTaken) {
		return Account{}, errTaken
	}
	if err != nil {
		return Account{}, err
	}
	s.log.Info("account made", "name", account.Name, "role", account.Role, "custody", account.Custody, "state", account.State)
	return account, nil
}

var (
	errTaken  = &Refusal{"name", "This name is taken. Please choose another."}
	errInvite = &Refusal{"invite", "This invitation was used already or has expired. Ask for a new one."}
)

// roleOf is what the new account will be, by its own choice or by its invitation, which is looked at and not used up.
func (s *Service) roleOf(ctx context.Context, a Application) (Role, error) {
	if a.Invite == "" {
		// Who has bought here was let in by it, to stay as a listener.
		if a.Guest != "" && (!s.config.Open || s.config.Approval) {
			return Listener, nil
		}
		if !s.config.Open {
			return "", &Refusal{"invite", "An invitation is needed to sign up here."}
		}
		return a.Role, nil
	}
	link, err := s.find(s.db.Read.WithContext(ctx), invitation, a.Invite)
	if errors.Is(err, ErrLink) {
		return "", errInvite
	}
	return cmp.Or(link.Role, a.Role), err
}

// admit writes the account and its actor, and uses the invitation up.
func (s *Service) admit(ctx context.Context, tx *gorm.DB, account Account, a Application, actor func(context.Context, *gorm.DB) (string, error)) error {
	if a.Invite != "" {
		if _, err := s.use(tx, invitation, a.Invite); errors.Is(err, ErrLink) {
			return errInvite
		} else if err != nil {
			return err
		}
	}
	uri, err := actor(ctx, tx)
	if err != nil {
		return fmt.Errorf("make actor %s: %w", account.Name, err)
	}
	if uri != account.Actor {
		return fmt.Errorf("actor %s was made as %s", account.Actor, uri)
	}
	if err := tx.Create(&account).Error; err != nil {
		return fmt.Errorf("write account %s: %w", account.Name, err)
	}
	if a.Guest != "" {
		return s.inherit(ctx, tx, a.Guest, a, account.Actor)
	}
	return nil
}

// check refuses what is malformed and fills in what may be left out.
func (a *Application) check() error {
	if !validName.MatchString(a.Name) {
		return &Refusal{"name", "A name is made of 1 to 30 small letters, digits and _."}
	}
	if reserved[a.Name] {
		return &Refusal{"name", "This name is kept free, so that nobody passes for the people who run this server."}
	}
	a.Display = strings.TrimSpace(a.Display)
	if a.Display == "" {
		a.Display = a.Name
	}
	if !ValidDisplay(a.Display) {
		return &Refusal{"display", "This name can have up to 80 characters, on one line."}
	}
	a.Reason = strings.TrimSpace(strings.ToValidUTF8(a.Reason, ""))
	if utf8.RuneCountInString(a.Reason) > 1000 {
		return &Refusal{"reason", "These words can have up to 1,000 characters."}
	}
	switch a.Role {
	case "":
		a.Role = Artist
	case Artist, Listener:
	default:
		return &Refusal{"role", "A new account is an artist's or a listener's."}
	}
	if len(a.Auth) != AuthSize {
		return &Refusal{"", "The request is incomplete: auth has another length than 32 bytes."}
	}
	if err := checkCustody(a.Custody, a.Wrapped, a.Recovery); err != nil {
		return err
	}
	return a.checkKeys()
}

func (a *Application) checkKeys() error {
	receiving, err := multikey.DecodeSecp256k1(a.ReceivingKey)
	if err == nil {
		_, err = umbral.ParsePublicKey(receiving)
	}
	if err != nil {
		return &Refusal{"", "The request is incomplete: the receiving key is not a secp256k1 Multikey."}
	}
	requesting, err := multikey.DecodeEd25519(a.RequestingKey)
	if err != nil {
		return &Refusal{"", "The request is incomplete: the requesting key is not an Ed25519 Multikey."}
	}
	if a.Custody == Delegated {
		return checkSeed(a.Wrapped, receiving, requesting)
	}
	return nil
}

// checkSeed makes sure that a seed handed over is the one that the public keys were made from.
func checkSeed(seed Secret, receiving []byte, requesting ed25519.PublicKey) error {
	mismatch := &Refusal{"custody", "The seed that was sent does not belong to the keys that were sent."}
	keys, err := keytree.Listener(seed)
	if err != nil {
		return mismatch
	}
	secret, err := keys.Receiving(1)
	if err != nil {
		return mismatch
	}
	private, err := keys.Requesting(1)
	if err != nil {
		return mismatch
	}
	if string(secret.PublicKey().Bytes()) != string(receiving) || !requesting.Equal(private.Public()) {
		return mismatch
	}
	return nil
}

// ValidDisplay reports whether name can be shown as a person's name: 1 to 80 characters on one line.
func ValidDisplay(name string) bool {
	n := utf8.RuneCountInString(name)
	return utf8.ValidString(name) && n >= 1 && n <= 80 && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
