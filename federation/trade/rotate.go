package trade

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
	"antiphon/payments/purchase"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

// keysChanged: a local listener has new keys; followers are to read them.
type keysChanged struct {
	Actor  string `json:"actor"`
	Number int    `json:"number"`
}

// Kind names the job.
func (keysChanged) Kind() string { return "keys_changed" }

const (
	// linkAge is how old a statement about new keys may be when it is published.
	linkAge = 10 * time.Minute
	// MaxAnew is how many purchases are asked for anew in one request.
	MaxAnew = 100
	// maxTaken is how many a library that is brought along may hold.
	maxTaken = 1000
)

// Refusal says what is wrong with what a browser sent; Words go to its user.
type Refusal struct{ Words string }

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Words }

// Rotate publishes a local listener's next pair of keys, as the statement says that the key of now has signed. It returns
// a [*Refusal] for any other statement.
func (s *Service) Rotate(ctx context.Context, me string, link []byte) error {
	who, err := s.Actors.Local(ctx, me)
	if err != nil {
		return err
	}
	l, err := vocab.ReadKeyLink(link)
	if err != nil {
		return &Refusal{"The statement about the new key is malformed."}
	}
	from := vocab.RequestingKey(me, who.KeyNumber, who.RequestingKey)
	verified, err := proof.Verify(link, func(c proof.Claim) (ed25519.PublicKey, error) {
		if c.Signer != me || c.VerificationMethod != from.ID || l.From != from.ID {
			return nil, errSender
		}
		return multikey.DecodeEd25519(from.Multikey)
	}, s.Now())
	switch {
	case err != nil:
		return &Refusal{"The new key is not vouched for by the key that you have now. Load the page again; perhaps it was changed in another browser."}
	case l.Created.Before(s.Now().Add(-linkAge)) || l.Created.After(s.Now().Add(proof.Skew)):
		return &Refusal{"The statement about the new key is too old. Check this device's clock, and try again."}
	case l.Receiving == who.ReceivingKey || l.Requesting == who.RequestingKey:
		return &Refusal{"The new key is the old one."}
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.Actors.SetListenerKeys(ctx, tx, me, l.Receiving, l.Requesting, verified.Raw); err != nil {
			return err
		}
		return s.Jobs.Insert(ctx, tx, keysChanged{Actor: me, Number: who.KeyNumber + 1})
	})
}

// tellKeys tells followers how a listener describes itself now.
func (s *Service) tellKeys(ctx context.Context, f keysChanged) error {
	document, err := s.Actors.Document(ctx, f.Actor)
	if errors.Is(err, actor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.Outbox.Tell(ctx, tx, vocab.Activity{
			ID: fmt.Sprintf("%s#keys-%d", f.Actor, f.Number), Type: vocab.VerbUpdate, Actor: f.Actor, Object: vocab.Ref{ID: f.Actor, Raw: document},
			To: []string{vocab.Public}, Cc: []string{outbox.Followers(f.Actor)}, Published: s.Now().UTC(),
		})
	})
}

// AskAnew asks sellers for grants anew, each with an agreement that a local user's browser has signed with the key that
// the earlier receipt names. It returns how many are under way. Anything that is not exactly that is a [*Refusal], and
// nothing is asked for then.
func (s *Service) AskAnew(ctx context.Context, me string, agreements []json.RawMessage) (int, error) {
	if len(agreements) == 0 || len(agreements) > MaxAnew {
		return 0, &Refusal{fmt.Sprintf("Between 1 and %d purchases are asked for at once.", MaxAnew)}
	}
	who, err := s.Actors.Local(ctx, me)
	if err != nil {
		return 0, err
	}
	outdated, err := s.Purchases.Outdated(ctx, me, who.ReceivingKey)
	if err != nil {
		return 0, err
	}
	asked, err := s.Purchases.AskedAnew(ctx, me, who.ReceivingKey)
	if err != nil {
		return 0, err
	}
	var all []purchase.Again
	for _, raw := range agreements {
		a, err := s.signedAgain(raw, who)
		if err != nil {
			return 0, err
		}
		i := slices.IndexFunc(outdated, func(p purchase.Purchase) bool { return p.Receipt == a.Receipt && p.Product == a.Product })
		if i < 0 {
			if slices.ContainsFunc(asked, func(p purchase.Purchase) bool { return bytes.Equal(p.Signed, raw) }) {
				continue
			}
			return 0, &Refusal{"What was signed is not one of your purchases, or was asked for already."}
		}
		p := outdated[i]
		if err := signedWith(raw, me, p.RequestingKey, s.Now()); err != nil {
			return 0, &Refusal{"A purchase was signed for with another key than its receipt names."}
		}
		all = append(all, purchase.Again{
			Buyer: me, Artist: p.Artist, Product: p.Product, Track: p.Track, Title: p.Title, ReceivingKey: a.ReceivingKey, RequestingKey: a.RequestingKey,
			Receipt: a.Receipt, Signed: raw,
		})
	}
	return len(all), s.ask(ctx, all)
}

// signedAgain reads an agreement that asks for a grant anew, for the keys that who has now.
func (s *Service) signedAgain(raw []byte, who actor.Actor) (vocab.Agreement, error) {
	a, err := vocab.ReadOfferedAgreement(raw)
	switch {
	case err != nil || a.Receipt == "" || a.AttributedTo == "" || a.Proposal != "" || !a.Free():
		return a, &Refusal{"What was signed does not ask for an earlier purchase."}
	case a.ReceivingKey != who.ReceivingKey || a.RequestingKey != who.RequestingKey:
		return a, &Refusal{"What was signed names other keys than yours of now. Load the page again."}
	}
	return a, nil
}

// signedWith checks who signed an agreement, and with which requesting key.
func signedWith(raw []byte, signer, key string, now time.Time) error {
	_, err := proof.Verify(raw, func(c proof.Claim) (ed25519.PublicKey, error) {
		if controller, _, _ := strings.Cut(c.VerificationMethod, "#"); c.Signer != signer || controller != signer {
			return nil, errSender
		}
		return multikey.DecodeEd25519(key)
	}, now)
	return err
}

func (s *Service) ask(ctx context.Context, all []purchase.Again) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, a := range all {
			if _, err := s.Purchases.BeginAgain(ctx, tx, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// Carried is a purchase on its way to another account of its buyer.
type Carried struct {
	Artist string `json:"artist"`
	Track  string `json:"track"`
	Title  string `json:"title"`
	// Agreement asks for it anew, for the keys of the other account, signed with the key that its receipt names.
	Agreement json.RawMessage `json:"agreement"`
}

// Luggage is a library that moves with its owner.
type Luggage struct {
	Type  string    `json:"type"`
	From  string    `json:"from"`
	To    string    `json:"to"`
	Items []Carried `json:"items"`
}

// LuggageType marks such a file.
const LuggageType = "antiphon-library"

// ParseLuggage reads the file of a library that moves: 1 to 1,000 items, nothing unknown in it. What was signed is not
// looked at. The error is a [*Refusal].
func ParseLuggage(file []byte) (Luggage, error) {
	var l Luggage
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil || l.Type != LuggageType || len(l.Items) == 0 || len(l.Items) > maxTaken {
		return Luggage{}, &Refusal{"This file is not a library that was taken along."}
	}
	for _, c := range l.Items {
		if len(c.Artist) > 2048 || len(c.Track) > 2048 || len(c.Title) > 1000 || len(c.Agreement) > 16<<10 {
			return Luggage{}, &Refusal{"Something in this file is too long."}
		}
	}
	return l, nil
}

// BringLibrary takes the library of an account that has moved here: each seller is asked to grant it anew to a local user.
// That the account has moved is for the sellers to see, who ask both sides. It returns how many are under way, or a
// [*Refusal].
func (s *Service) BringLibrary(ctx context.Context, me string, file []byte) (int, error) {
	who, err := s.Actors.Local(ctx, me)
	if err != nil {
		return 0, err
	}
	l, err := ParseLuggage(file)
	if err != nil {
		return 0, err
	}
	switch {
	case l.To != me:
		return 0, &Refusal{"This library was packed for another account."}
	case !slices.Contains(who.AlsoKnownAs, l.From):
		return 0, &Refusal{"Name the old account among your other accounts first."}
	}
	var all []purchase.Again
	for _, c := range l.Items {
		a, err := s.signedAgain(c.Agreement, who)
		if err != nil {
			return 0, err
		}
		if a.AttributedTo != l.From || !vocab.SameOrigin(c.Artist, a.Product) || !vocab.SameOrigin(a.Receipt, a.Product) ||
			!vocab.SameOrigin(c.Track, a.Product) || s.Actors.Own(a.Receipt) && !s.Actors.Own(c.Artist) {
			return 0, &Refusal{"A purchase in this file is not the old account's, or of a mixture of servers."}
		}
		all = append(all, purchase.Again{
			Buyer: me, Artist: c.Artist, Product: a.Product, Track: c.Track, Title: c.Title, ReceivingKey: a.ReceivingKey, RequestingKey: a.RequestingKey,
			Receipt: a.Receipt, Signed: c.Agreement,
		})
	}
	return len(all), s.ask(ctx, all)
}

// Target returns the account that a local user has moved to, as its server describes it now, or a [*Refusal].
func (s *Service) Target(ctx context.Context, me string) (actor.Actor, error) {
	who, err := s.Actors.Local(ctx, me)
	if err != nil {
		return actor.Actor{}, err
	}
	if who.MovedTo == "" {
		return actor.Actor{}, &Refusal{"Say first where you have moved to."}
	}
	to, err := s.described(ctx, who.MovedTo, func(to actor.Actor) bool { return slices.Contains(to.AlsoKnownAs, me) && to.ReceivingKey != "" })
	switch {
	case errors.Is(err, actor.ErrNotFound):
		return to, &Refusal{"The new account's server does not answer. Try again later."}
	case err != nil:
		return to, err
	case !slices.Contains(to.AlsoKnownAs, me):
		return to, &Refusal{"The new account does not name this one as yours."}
	case to.ReceivingKey == "" || to.RequestingKey == "":
		return to, &Refusal{"The new account has no keys: its server does not keep music libraries."}
	}
	return to, nil
}
