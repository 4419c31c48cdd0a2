package actor

import (
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/vocab/multikey"
)

// Local is a local actor to be made.
type Local struct {
	// Name is 1 to 30 of a-z, 0-9 and _.
	Name    string
	Display string
	// Kind is Artist or Listener.
	Kind string
	// ReceivingKey and RequestingKey are the listener's Multikeys, secp256k1 and Ed25519; both or none.
	ReceivingKey, RequestingKey string
	// Keys are from Registry.NewKeys; made on the spot when nil.
	Keys *Keys
}

var namePattern = regexp.MustCompile(`^[a-z0-9_]{1,30}$`)

// CreateLocal writes a new actor and its keys inside tx. The errors to branch on are ErrName and ErrTaken; after
// either, tx must be rolled back.
func (r *Registry) CreateLocal(ctx context.Context, tx *gorm.DB, l Local) (Actor, error) {
	if !namePattern.MatchString(l.Name) {
		return Actor{}, fmt.Errorf("%w: %q", ErrName, l.Name)
	}
	if l.Kind != Artist && l.Kind != Listener {
		return Actor{}, fmt.Errorf("make actor %s: kind %q", l.Name, l.Kind)
	}
	number := int64(0)
	if l.ReceivingKey != "" || l.RequestingKey != "" {
		if err := checkListenerKeys(l.ReceivingKey, l.RequestingKey); err != nil {
			return Actor{}, fmt.Errorf("make actor %s: %w", l.Name, err)
		}
		number = 1
	}
	uri := r.config.BaseURL + "/users/" + l.Name
	display := l.Display
	if display == "" {
		display = l.Name
	}
	made := row{
		URI: uri, Local: true, Name: l.Name, Host: r.host, Kind: l.Kind, Display: display,
		URL: r.config.BaseURL + "/@" + l.Name, Inbox: uri + "/inbox", SharedInbox: r.config.BaseURL + "/inbox", Music: true,
		ReceivingKey: l.ReceivingKey, RequestingKey: l.RequestingKey, KeyNumber: number, CreatedAt: r.utc(),
	}
	if err := r.create(ctx, tx, made, l.Keys); err != nil {
		return Actor{}, err
	}
	return r.actor(ctx, made)
}

func checkListenerKeys(receiving, requesting string) error {
	if _, err := multikey.DecodeSecp256k1(receiving); err != nil {
		return fmt.Errorf("receiving key: %w", err)
	}
	if _, err := multikey.DecodeEd25519(requesting); err != nil {
		return fmt.Errorf("requesting key: %w", err)
	}
	return nil
}

func (r *Registry) create(ctx context.Context, tx *gorm.DB, made row, keys *Keys) error {
	if keys == nil {
		var err error
		if keys, err = r.NewKeys(); err != nil {
			return err
		}
	}
	rows, err := r.keyRows(made.URI, keys)
	if err != nil {
		return err
	}
	tx = tx.WithContext(ctx)
	if err := tx.Create(&made).Error; errors.Is(err, gorm.ErrDuplicatedKey) {
		return fmt.Errorf("%w: %s", ErrTaken, made.Name)
	} else if err != nil {
		return fmt.Errorf("write actor %s: %w", made.URI, err)
	}
	if err := tx.Create(&rows).Error; err != nil {
		return fmt.Errorf("write keys of %s: %w", made.URI, err)
	}
	return nil
}

// EnsureInstance makes the instance's own actor if there is none and returns it. Call it once at start; several
// processes may do so at the same time.
func (r *Registry) EnsureInstance(ctx context.Context) (Actor, error) {
	found, err := r.Local(ctx, r.Instance())
	if err == nil || !errors.Is(err, ErrNotFound) {
		return found, err
	}
	keys, err := r.NewKeys()
	if err != nil {
		return Actor{}, err
	}
	uri := r.Instance()
	rows, err := r.keyRows(uri, keys)
	if err != nil {
		return Actor{}, err
	}
	// Its name is the host, which no account can have.
	made := row{
		URI: uri, Local: true, Name: r.host, Host: r.host, Kind: Instance, Display: r.config.Name, URL: r.config.BaseURL + "/",
		Inbox: r.config.BaseURL + "/inbox", SharedInbox: r.config.BaseURL + "/inbox", Music: true, CreatedAt: r.utc(),
	}
	err = r.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		result := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&made)
		if result.Error != nil || result.RowsAffected == 0 {
			return result.Error
		}
		return tx.Create(&rows).Error
	})
	if err != nil {
		return Actor{}, fmt.Errorf("write instance actor: %w", err)
	}
	return r.Local(ctx, uri)
}

// HTTPKey is the key that signs requests of a local actor, and its id.
func (r *Registry) HTTPKey(ctx context.Context, actorURI string) (keyID string, signer *rsa.PrivateKey, err error) {
	if k, ok := recall(r, r.http, actorURI); ok {
		return k.id, k.signer, nil
	}
	found, err := r.current(ctx, actorURI, purposeHTTP)
	if err != nil {
		return "", nil, err
	}
	key, err := open[*rsa.PrivateKey](r, found)
	if err != nil {
		return "", nil, err
	}
	remember(r, r.http, actorURI, httpKey{found.ID, key})
	return found.ID, key, nil
}

// ProofKey is the key that signs objects of a local actor, and its id: the proof's verificationMethod.
func (r *Registry) ProofKey(ctx context.Context, actorURI string) (verificationMethod string, key ed25519.PrivateKey, err error) {
	if k, ok := recall(r, r.proof, actorURI); ok {
		return k.id, k.key, nil
	}
	found, err := r.current(ctx, actorURI, purposeProof)
	if err != nil {
		return "", nil, err
	}
	if key, err = open[ed25519.PrivateKey](r, found); err != nil {
		return "", nil, err
	}
	remember(r, r.proof, actorURI, proofKey{found.ID, key})
	return found.ID, key, nil
}

func (r *Registry) current(ctx context.Context, actorURI, purpose string) (keyRow, error) {
	var found keyRow
	err := r.db.Read.WithContext(ctx).Where("actor = ? AND purpose = ?", actorURI, purpose).Order("number DESC").Take(&found).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return keyRow{}, fmt.Errorf("%s key of %s: %w", purpose, actorURI, ErrNotFound)
	}
	if err != nil {
		return keyRow{}, fmt.Errorf("read %s key of %s: %w", purpose, actorURI, err)
	}
	return found, nil
}

// SetListenerKeys publishes a new pair of a listener's keys with the next number, and the link to it that the old
// requesting key signed, if there is one (a KeyLink as JSON). It does nothing when they are the current ones.
func (r *Registry) SetListenerKeys(ctx context.Context, tx *gorm.DB, actorURI, receiving, requesting string, link json.RawMessage) error {
	if err := checkListenerKeys(receiving, requesting); err != nil {
		return fmt.Errorf("keys of %s: %w", actorURI, err)
	}
	tx = tx.WithContext(ctx)
	changed := tx.Model(&row{}).
		Where("uri = ? AND local AND NOT (receiving_key = ? AND requesting_key = ?)", actorURI, receiving, requesting).
		Updates(map[string]any{
			"receiving_key": receiving, "requesting_key": requesting, "key_number": gorm.Expr("key_number + 1"), "raw": []byte(link),
		})
	if changed.Error != nil {
		return fmt.Errorf("write keys of %s: %w", actorURI, changed.Error)
	}
	if changed.RowsAffected == 0 {
		return nil
	}
	var number int64
	if err := tx.Model(&row{}).Where("uri = ?", actorURI).Pluck("key_number", &number).Error; err != nil {
		return fmt.Errorf("read keys of %s: %w", actorURI, err)
	}
	return keepLink(tx, actorURI, number, link, r.utc())
}

// SetProfile changes what a local actor shows of itself. Summary is HTML that was sanitized; icon is a CID or empty.
func (r *Registry) SetProfile(ctx context.Context, tx *gorm.DB, actorURI, display, summary, icon string) error {
	err := tx.WithContext(ctx).Model(&row{}).Where("uri = ? AND local", actorURI).
		Updates(map[string]any{"display": display, "summary": summary, "icon": icon}).Error
	if err != nil {
		return fmt.Errorf("write profile of %s: %w", actorURI, err)
	}
	return nil
}
