package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/vocab"
)

// SyncHeader is FEP-8fcf's header: a digest of those followers that live on the receiving server.
const SyncHeader = "Collection-Synchronization"

// digestsFor is how long the digests of an actor's followers are used again; a change of followers ends it at once.
const digestsFor = time.Minute

// digests are those of one actor's followers, by host.
type digests struct {
	at     time.Time
	deps   []dependency
	byHost map[string]FollowerDigest
}

// digestCache remembers the digests of actors who have sent something lately.
type digestCache struct {
	mu     sync.Mutex
	actors map[string]*digests
}

// maxDigests bounds how many actors' digests are remembered; when there are more, all are made anew.
const maxDigests = 100

func (c *digestCache) get(actorURI string) (*digests, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.actors[actorURI]
	return d, ok
}

func (c *digestCache) put(actorURI string, d *digests) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.actors) >= maxDigests {
		clear(c.actors)
	}
	c.actors[actorURI] = d
}

// FollowerDigest is the XOR of the SHA-256 hashes of actor URIs (FEP-8fcf). The zero value is nobody's.
type FollowerDigest [sha256.Size]byte

// Add puts an actor in, or takes out who was in already.
func (d *FollowerDigest) Add(uri string) {
	for i, b := range sha256.Sum256([]byte(uri)) {
		d[i] ^= b
	}
}

// String is the digest in hexadecimal, as the header has it.
func (d FollowerDigest) String() string { return hex.EncodeToString(d[:]) }

// syncHeader is the value of SyncHeader for what a local actor sends to its followers on a host.
func (o *Outbox) syncHeader(ctx context.Context, actorURI, host string) (string, error) {
	known, err := o.digestsOf(ctx, actorURI)
	if err != nil {
		return "", err
	}
	collection := Followers(actorURI)
	return fmt.Sprintf(`collectionId="%s", url="%s", digest="%s"`, collection, syncURI(actorURI), known.byHost[host]), nil
}

// syncURI is where a server reads which of its people follow an actor.
func syncURI(actorURI string) string { return actorURI + "/" + followersSync }

const followersSync = "followers_synchronization"

// digestsOf hashes all followers of an actor once, because a broadcast asks for every host.
func (o *Outbox) digestsOf(ctx context.Context, actorURI string) (*digests, error) {
	if v, ok := o.digests.get(actorURI); ok {
		same := !slices.ContainsFunc(v.deps, func(d dependency) bool { return d.counter.Load() != d.seen })
		if age := o.now().Sub(v.at); same && age >= 0 && age < digestsFor {
			return v, nil
		}
	}
	made := &digests{at: o.now(), deps: o.renders.watch("follows"), byHost: map[string]FollowerDigest{}}
	rows, err := o.db.Read.WithContext(ctx).Table("follows").Joins("JOIN actors ON actors.uri = follows.follower").
		Where("follows.followed = ? AND follows.state = ? AND NOT actors.local", actorURI, actor.Accepted).
		Select("follows.follower, actors.host").Rows()
	if err != nil {
		return nil, fmt.Errorf("read followers of %s: %w", actorURI, err)
	}
	defer rows.Close()
	for rows.Next() {
		var uri, host string
		if err := rows.Scan(&uri, &host); err != nil {
			return nil, fmt.Errorf("read followers of %s: %w", actorURI, err)
		}
		digest := made.byHost[host]
		digest.Add(uri)
		made.byHost[host] = digest
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read followers of %s: %w", actorURI, err)
	}
	o.digests.put(actorURI, made)
	return made, nil
}

// maxSynced bounds how many followers of one host are told.
const maxSynced = 10_000

// synchronized tells a server which of its people follow a local actor; nobody else is told.
func (d *documents) synchronized(r *http.Request, who actor.Actor) ([]byte, error) {
	key, err := d.verifier.Verify(r.Context(), r, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	host := actor.HostOf(key.Owner)
	if blocked, err := d.hosts.IsBlocked(r.Context(), host); err != nil {
		return nil, err
	} else if blocked {
		return nil, fmt.Errorf("%w: %s is blocked", ErrNotFound, host)
	}
	uris, err := followersAt(r.Context(), d.db.Read, who.URI, host)
	if err != nil {
		return nil, err
	}
	c := vocab.Collection{ID: syncURI(who.URI), TotalItems: int64(len(uris))}
	for _, uri := range uris {
		c.Items = append(c.Items, vocab.Ref{ID: uri})
	}
	return build(c)
}

func followersAt(ctx context.Context, tx *gorm.DB, followed, host string) ([]string, error) {
	var uris []string
	err := tx.WithContext(ctx).Table("follows").Joins("JOIN actors ON actors.uri = follows.follower").
		Where("follows.followed = ? AND follows.state = ? AND actors.host = ? AND NOT actors.local", followed, actor.Accepted, host).
		Order("follows.follower").Limit(maxSynced).Pluck("follows.follower", &uris).Error
	if err != nil {
		return nil, fmt.Errorf("read followers of %s on %s: %w", followed, host, err)
	}
	return uris, nil
}
