package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/media/pre/hpke"
	"antiphon/media/pre/umbral"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// kfragInfo is the HPKE info of a sealed fragment.
const kfragInfo = "antiphon/kfrag/v1"

// maxProxies is how many a grant can name.
const maxProxies = vocab.MaxProxies

// setRow is one run of key fragments; only fragments of one run open together. Proxies is JSON, as it stands in the grant.
type setRow struct {
	GrantURI  string `gorm:"primaryKey"`
	Number    int    `gorm:"primaryKey"`
	Threshold int
	Proxies   string
	State     string
	MadeAt    time.Time
	// LookAt is when the set is to be looked at next, if a proxy of it is missing.
	LookAt    time.Time
	RetiredAt *time.Time
}

func (setRow) TableName() string { return "grant_sets" }

const (
	setOffered = "offered"
	setCurrent = "current"
	setRetired = "retired"
	setDropped = "dropped"
)

// madeSet is a set that is sealed and not written yet.
type madeSet struct {
	row  setRow
	made []madeRow
	own  *heldRow
}

// candidates are this instance and all others that would hold a fragment of a grant of artist to buyer: the buyer's own
// first among them, and those that have not answered lately last. Of the pool, this instance alone holds one.
func (s *Service) candidates(ctx context.Context, artist, buyer, product string) ([]Proxy, error) {
	public, number, err := s.SealingKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("own sealing key: %w", err)
	}
	all := []Proxy{{Actor: s.InstanceActor(), Reencrypt: s.ReencryptURL(), SealingKeyID: s.sealingKeyID(number), SealingKey: public}}
	if p, err := s.Product(ctx, product); err != nil || p.Kind == KindPool {
		return all, err
	}
	chosen, err := s.Chosen(ctx, artist)
	if err != nil {
		return nil, err
	}
	others, err := s.peers.Proxies(ctx, chosen, buyer)
	if err != nil {
		return nil, fmt.Errorf("find proxies: %w", err)
	}
	ailing, err := s.ailing(ctx)
	if err != nil {
		return nil, err
	}
	var last []Proxy
	for _, other := range others {
		switch {
		case other.Actor == s.InstanceActor():
		case ailing[other.Actor] && originOf(other.Actor) != originOf(buyer):
			last = append(last, other)
		default:
			all = append(all, other)
		}
	}
	return append(all, last...), nil
}

// thresholdOf is how many of n proxies open a grant: as many as the admin wants, while one of several may be gone.
func (s *Service) thresholdOf(n int) int { return min(s.config.Threshold, max(1, n-1)) }

// split makes one fragment per proxy of a set, seals it, and drafts its KeyFragment.
func (s *Service) split(ctx context.Context, g grantRow, number int, proxies []Proxy) (*madeSet, error) {
	if len(proxies) == 0 || len(proxies) > maxProxies {
		return nil, fmt.Errorf("a grant has 1 to %d proxies, not %d", maxProxies, len(proxies))
	}
	capsules, err := hashesOf(g.Items)
	if err != nil {
		return nil, err
	}
	now := s.utc()
	set := &madeSet{row: setRow{
		GrantURI: g.URI, Number: number, Threshold: s.thresholdOf(len(proxies)), State: setOffered, MadeAt: now, LookAt: now.Add(s.config.Patience),
	}}
	list := make([]vocab.Proxy, len(proxies))
	for i, proxy := range proxies {
		list[i] = vocab.Proxy{Actor: proxy.Actor, Reencrypt: proxy.Reencrypt}
	}
	if set.row.Proxies, err = text(list); err != nil {
		return nil, err
	}
	keys, err := s.artist(ctx, g.Artist)
	if err != nil {
		return nil, err
	}
	delegating, err := keys.Product(g.Product, g.Version)
	if err != nil {
		return nil, err
	}
	signing, err := keys.Signing()
	if err != nil {
		return nil, err
	}
	receiving, err := point(g.ReceivingKey)
	if err != nil {
		return nil, fmt.Errorf("receiving key of %s: %w", g.Buyer, err)
	}
	kfrags, err := umbral.GenerateKeyFrags(s.rand, umbral.KeyFragParams{
		Delegating: delegating, Receiving: receiving, Signing: signing, Threshold: set.row.Threshold, Shares: len(proxies),
	})
	if err != nil {
		return nil, fmt.Errorf("make key fragments: %w", err)
	}
	verifyingKey, err := multikey.EncodeSecp256k1(signing.PublicKey().Bytes())
	if err != nil {
		return nil, err
	}
	delegatingKey, err := multikey.EncodeSecp256k1(delegating.PublicKey().Bytes())
	if err != nil {
		return nil, err
	}
	for i, proxy := range proxies {
		k := vocab.KeyFragment{
			ID: s.base + "/kfrags/" + newID(), AttributedTo: g.Artist, Target: proxy.Actor, Grant: g.URI, Set: number,
			DelegatingKey: delegatingKey, VerifyingKey: verifyingKey, ReceivingKey: g.ReceivingKey, RequestingKey: g.RequestingKey,
			Capsules: capsules, StartTime: g.StartTime, EndTime: g.EndTime, Updated: now,
		}
		if err := s.seal(set, k, proxy, kfrags[i].Bytes()); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// seal adds one sealed fragment to a set.
func (s *Service) seal(set *madeSet, k vocab.KeyFragment, proxy Proxy, kfrag []byte) error {
	aad, err := vocab.AAD(k.Object())
	if err != nil {
		return fmt.Errorf("aad of fragment: %w", err)
	}
	k.Sealed.Key = proxy.SealingKeyID
	k.Sealed.Enc, k.Sealed.Ciphertext, err = hpke.Seal(s.rand, proxy.SealingKey, []byte(kfragInfo), aad, kfrag)
	if err != nil {
		return fmt.Errorf("seal fragment to %s: %w", proxy.Actor, err)
	}
	object, err := json.Marshal(k.Object())
	if err != nil {
		return fmt.Errorf("encode fragment: %w", err)
	}
	row := madeRow{URI: k.ID, GrantURI: k.Grant, SetNumber: k.Set, Proxy: proxy.Actor, Object: object, State: madeWaiting, UpdatedAt: k.Updated}
	if proxy.Actor == s.InstanceActor() {
		// Our own fragment takes no way over the network: it goes into custody with the grant.
		held, err := s.custody(k, aad)
		if err != nil {
			return err
		}
		set.own = &held
		row.State, row.Object = madeAccepted, []byte{}
	}
	set.made = append(set.made, row)
	return nil
}

// write writes a set and the job that delivers it inside tx.
func (s *Service) write(ctx context.Context, tx *gorm.DB, set *madeSet) error {
	if err := tx.Create(&set.row).Error; err != nil {
		return fmt.Errorf("write set: %w", err)
	}
	if err := tx.Create(&set.made).Error; err != nil {
		return fmt.Errorf("write fragments: %w", err)
	}
	if set.own != nil {
		if err := tx.Create(set.own).Error; err != nil {
			return fmt.Errorf("keep own fragment: %w", err)
		}
	}
	return s.jobs.Insert(ctx, tx, KfragsMade{Grant: set.row.GrantURI, Set: set.row.Number})
}

// publicKeys are the artist's verifying key and the grant's delegating key, as Multikeys.
func (s *Service) publicKeys(ctx context.Context, g grantRow) (verifying, delegating string, err error) {
	keys, err := s.artist(ctx, g.Artist)
	if err != nil {
		return "", "", err
	}
	signing, err := keys.Signing()
	if err != nil {
		return "", "", err
	}
	product, err := keys.Product(g.Product, g.Version)
	if err != nil {
		return "", "", err
	}
	verifying, err = multikey.EncodeSecp256k1(signing.PublicKey().Bytes())
	if err != nil {
		return "", "", err
	}
	delegating, err = multikey.EncodeSecp256k1(product.PublicKey().Bytes())
	return verifying, delegating, err
}

// hashesOf are the SHA-256 of the capsules of a grant's items.
func hashesOf(items string) ([][]byte, error) {
	var all []vocab.Item
	if err := json.Unmarshal([]byte(items), &all); err != nil {
		return nil, fmt.Errorf("items of a grant: %w", err)
	}
	hashes := make([][]byte, len(all))
	for i, item := range all {
		sum := sha256.Sum256(item.Capsule)
		hashes[i] = sum[:]
	}
	return hashes, nil
}

// grantByURI returns the seller's record of a grant, or [ErrUnknownGrant].
func grantByURI(tx *gorm.DB, uri string) (grantRow, error) {
	var g grantRow
	err := tx.Where("uri = ?", uri).Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return g, fmt.Errorf("%w: %s", ErrUnknownGrant, uri)
	}
	return g, err
}
