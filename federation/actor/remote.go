package actor

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/fetch"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

const (
	// stale is how old a document may be before it is asked for again, if its server answers.
	stale = 24 * time.Hour
	// pause is the least time between two requests for one actor.
	pause = time.Minute
)

// Find returns an actor, local or remote. A remote one comes from the database; it is fetched when it is not there, is
// a day old, or fresh is set and the last request was more than a minute ago. An old document is better than none, but
// a fresh one must be fresh: then the server's silence is an error, unless the minute has not passed. It must not be
// called inside a transaction. The errors to branch on are ErrNotFound and ErrGone.
func (r *Registry) Find(ctx context.Context, uri string, fresh bool) (Actor, error) {
	uri, _, _ = strings.Cut(uri, "#")
	if r.Own(uri) {
		return r.Local(ctx, uri)
	}
	if !fresh {
		if a, _, ok := read(&r.cache, &r.cache.actors, uri, r.now()); ok {
			return a, nil
		}
	}
	turn := r.cache.now()
	stored, err := take(r.db.Read.WithContext(ctx).Where("uri = ? AND NOT local", uri), uri)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Actor{}, err
	}
	have := err == nil
	if have {
		age := time.Duration(1 << 62)
		if stored.FetchedAt != nil {
			age = r.now().Sub(*stored.FetchedAt)
		}
		if age < pause || !fresh && age < stale {
			a, err := r.actor(ctx, stored)
			if err == nil {
				write(&r.cache, &r.cache.actors, uri, a, r.now().Add(min(cached, stale-age)), turn)
			}
			return a, err
		}
	}
	found, err := r.refresh(ctx, uri)
	if err != nil && have && !fresh && !errors.Is(err, ErrGone) {
		return r.actor(ctx, stored)
	}
	return found, err
}

// Renew returns an actor as its server describes it now, however lately that was asked. It is for what the actor itself
// has just signed and what does not fit what is known of it: nobody else may have a server asked like this.
func (r *Registry) Renew(ctx context.Context, uri string) (Actor, error) {
	if r.Own(uri) {
		return r.Local(ctx, uri)
	}
	return r.refresh(ctx, uri)
}

// refresh fetches an actor, in one flight for all who wait, and remembers for a minute that it could not be had.
func (r *Registry) refresh(ctx context.Context, uri string) (Actor, error) {
	if f, ok := recall(r, r.failed, uri); ok && r.now().Sub(f.at) < pause {
		return Actor{}, f.err
	}
	v, err, _ := r.flights.Do(uri, func() (any, error) {
		a, err := r.get(ctx, uri)
		if err != nil && ctx.Err() == nil && !errors.Is(err, fetch.ErrBlocked) {
			remember(r, r.failed, uri, failure{r.now(), err})
		}
		return a, err
	})
	if err != nil {
		return Actor{}, err
	}
	return v.(Actor), nil
}

func (r *Registry) get(ctx context.Context, uri string) (Actor, error) {
	document, err := r.fetch.Get(ctx, uri)
	if errors.Is(err, fetch.ErrGone) {
		return Actor{}, fmt.Errorf("actor %s: %w", uri, ErrGone)
	}
	if err != nil {
		return Actor{}, fmt.Errorf("%w: %s: %w", ErrNotFound, uri, err)
	}
	a, err := vocab.ReadActor(document.Raw)
	if err != nil {
		return Actor{}, fmt.Errorf("%w: %s: %w", ErrNotFound, uri, err)
	}
	if a.ID != uri || r.Own(a.Inbox) {
		return Actor{}, fmt.Errorf("%w: %s: the document is of %s with inbox %s", ErrNotFound, uri, a.ID, a.Inbox)
	}
	now := r.utc()
	fetched := row{
		URI: uri, Name: strings.ToLower(a.PreferredUsername), Host: HostOf(uri), Kind: string(a.Type), Display: a.Name, Summary: a.Summary,
		URL: a.URL, Icon: a.Icon.URL, Inbox: a.Inbox, SharedInbox: a.SharedInbox, Music: speaksMusic(a), Raw: document.Raw,
		FetchedAt: &now, CreatedAt: now,
	}
	if fetched.Name == "" {
		fetched.Name = uri
	}
	if fetched.Display == "" {
		fetched.Display = a.PreferredUsername
	}
	if k, ok := vocab.Current(a.ReceivingKeys); ok {
		fetched.ReceivingKey, fetched.KeyNumber = k.Multikey, int64(k.Number())
	}
	if k, ok := vocab.Current(a.RequestingKeys); ok {
		fetched.RequestingKey = k.Multikey
	}
	if err := r.put(ctx, fetched, a); err != nil {
		return Actor{}, err
	}
	return r.actor(ctx, fetched)
}

func speaksMusic(a vocab.Actor) bool {
	return a.Tracks != "" || a.Reencrypt != "" || a.SealingKey != nil || len(a.RequestingKeys) > 0 || len(a.VerifyingKeys) > 0
}

func (r *Registry) put(ctx context.Context, fetched row, document vocab.Actor) error {
	err := r.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		// A name that its server gave to somebody else meanwhile is taken from whom it had.
		err := tx.Model(&row{}).Where("host = ? AND name = ? AND uri <> ? AND NOT local", fetched.Host, fetched.Name, fetched.URI).
			Update("name", gorm.Expr("uri")).Error
		if err != nil {
			return err
		}
		if err := see(tx, document, r.utc()); err != nil {
			return err
		}
		return tx.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "uri"}},
			DoUpdates: clause.AssignmentColumns([]string{"name", "host", "kind", "display", "summary", "url", "icon", "inbox",
				"shared_inbox", "music", "receiving_key", "requesting_key", "key_number", "raw", "fetched_at"}),
		}).Create(&fetched).Error
	})
	if err != nil {
		return fmt.Errorf("write actor %s: %w", fetched.URI, err)
	}
	r.cache.drop(fetched.URI)
	return nil
}

// Forget removes a remote actor. What it made is for other rooms to remove; Registry.Forget follows the commit.
func Forget(ctx context.Context, tx *gorm.DB, uri string) error {
	tx = tx.WithContext(ctx)
	if err := tx.Where("follower = ? OR followed = ?", uri, uri).Delete(&Follow{}).Error; err != nil {
		return fmt.Errorf("forget follows of %s: %w", uri, err)
	}
	if err := tx.Where("uri = ? AND NOT local", uri).Delete(&row{}).Error; err != nil {
		return fmt.Errorf("forget actor %s: %w", uri, err)
	}
	return nil
}

// Lookup returns the actor of a handle (name@host, with or without a leading @) or a URI, as a person types it.
func (r *Registry) Lookup(ctx context.Context, text string) (Actor, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://") {
		if name, ok := strings.CutPrefix(text, r.config.BaseURL+"/@"); ok {
			return r.ByName(ctx, name)
		}
		return r.follow(ctx, text)
	}
	name, host, ok := strings.Cut(strings.TrimPrefix(text, "@"), "@")
	if !ok || name == "" || host == "" {
		if ok || name == "" {
			return Actor{}, fmt.Errorf("%w: %q is not name@host", ErrNotFound, text)
		}
		return r.ByName(ctx, name)
	}
	if strings.EqualFold(host, r.host) {
		return r.ByName(ctx, name)
	}
	uri, err := r.fetch.Finger(ctx, name+"@"+host)
	if err != nil {
		return Actor{}, fmt.Errorf("%w: %s: %w", ErrNotFound, text, err)
	}
	return r.Find(ctx, uri, false)
}

// follow finds the actor that a URL leads to, which may be its page.
func (r *Registry) follow(ctx context.Context, url string) (Actor, error) {
	a, err := r.Find(ctx, url, false)
	if err == nil || r.Own(url) || errors.Is(err, ErrGone) {
		return a, err
	}
	document, getErr := r.fetch.Get(ctx, url)
	if getErr != nil || document.URI == url {
		return Actor{}, err
	}
	return r.Find(ctx, document.URI, false)
}

// fromDocument makes an Actor of a remote one's row.
func fromDocument(stored row) (Actor, error) {
	a, err := vocab.ReadActor(stored.Raw)
	if err != nil {
		return Actor{}, fmt.Errorf("stored actor %s: %w", stored.URI, err)
	}
	out := Actor{
		URI: a.ID, Name: stored.Name, Host: stored.Host, Kind: stored.Kind, Display: stored.Display, Summary: stored.Summary,
		URL: a.URL, Icon: a.Icon.URL, Inbox: a.Inbox, SharedInbox: a.SharedInbox, Followers: a.Followers, Music: stored.Music,
		ReceivingKey: stored.ReceivingKey, RequestingKey: stored.RequestingKey, KeyNumber: int(stored.KeyNumber),
		SealingKey: a.SealingKey, Reencrypt: a.Reencrypt, KeyLinks: a.KeyLinks, MovedTo: a.MovedTo, AlsoKnownAs: a.AlsoKnownAs,
		HTTPKeyID: a.PublicKey.ID, HTTPKeyPEM: a.PublicKey.PEM, Raw: stored.Raw,
	}
	if k, ok := vocab.Current(a.VerifyingKeys); ok {
		out.VerifyingKey = k.Multikey
	}
	return out, out.addProofKeys(a.ProofKeys)
}

func (a *Actor) addProofKeys(keys []vocab.Key) error {
	for _, k := range keys {
		key, err := multikey.DecodeEd25519(k.Multikey)
		if err != nil {
			return fmt.Errorf("key %s: %w", k.ID, err)
		}
		if a.ProofKeys == nil {
			a.ProofKeys = map[string]ed25519.PublicKey{}
		}
		a.ProofKeys[k.ID] = key
	}
	return nil
}
