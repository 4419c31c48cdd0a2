package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/media/pre/hpke"
	"antiphon/media/pre/umbral"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// kfragInfo is the HPKE info of a sealed fragment.
const kfragInfo = "antiphon/kfrag/v1"

// Request asks for a grant.
type Request struct {
	Artist, Buyer, Product, Agreement, Receipt string
	Version                                    int
	// ReceivingKey and RequestingKey are the buyer's, as Multikeys.
	ReceivingKey, RequestingKey string
}

// Prepared is a grant whose fragments are made and sealed, and that is not written yet.
type Prepared struct {
	service *Service
	grant   grantRow
	made    []madeRow
	own     *heldRow
}

// Prepare makes the key fragments of a grant and seals each to its proxy: 2 of them open when there are three proxies
// or more, else 1. It asks the peers for their keys, so it runs outside of any transaction.
func (s *Service) Prepare(ctx context.Context, r Request) (*Prepared, error) {
	p, err := s.Product(ctx, r.Product)
	if err != nil {
		return nil, err
	}
	if p.Version != r.Version || p.Artist != r.Artist {
		return nil, fmt.Errorf("product %s is not what the order names", r.Product)
	}
	items, capsules, err := s.items(ctx, p)
	if err != nil {
		return nil, err
	}
	proxies, err := s.proxies(ctx, r)
	if err != nil {
		return nil, err
	}
	now := s.utc()
	g := grantRow{
		URI: s.base + "/grants/" + newID(), Artist: r.Artist, Buyer: r.Buyer, Product: r.Product, Version: r.Version,
		Agreement: r.Agreement, Receipt: r.Receipt, ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey,
		SetNumber: 1, Threshold: 1, StartTime: now, UpdatedAt: now, CreatedAt: now,
	}
	if len(proxies) >= 3 {
		g.Threshold = 2
	}
	list := make([]vocab.Proxy, len(proxies))
	for i, proxy := range proxies {
		list[i] = vocab.Proxy{Actor: proxy.Actor, Reencrypt: proxy.Reencrypt}
	}
	if g.Proxies, err = text(list); err != nil {
		return nil, err
	}
	if g.Items, err = text(items); err != nil {
		return nil, err
	}
	prepared := &Prepared{service: s, grant: g}
	return prepared, s.split(ctx, prepared, p, proxies, capsules)
}

// Meet makes sure that those who would hold fragments of a grant to buyer are known here. It is called when the buyer
// offers, whose instance is there at that moment: it may be away when the payment is confirmed.
func (s *Service) Meet(ctx context.Context, buyer string) error { return s.peers.Meet(ctx, buyer) }

// items are the product's tracks as a grant names them, and the SHA-256 of each capsule.
func (s *Service) items(ctx context.Context, p Product) ([]vocab.Item, [][]byte, error) {
	var rows []Capsule
	err := s.db.Read.WithContext(ctx).Where("product = ? AND version = ?", p.URI, p.Version).Order("track").Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, nil, fmt.Errorf("capsules of %s: none, or %w", p.URI, err)
	}
	var items []vocab.Item
	var hashes [][]byte
	for _, row := range rows {
		t, err := media.ByURI(ctx, s.db.Read, row.Track)
		if err != nil {
			return nil, nil, err
		}
		items = append(items, vocab.Item{
			Track: t.URI, Capsule: row.Capsule, Ciphertext: row.Ciphertext, Manifest: t.Manifest, ContentKeyHash: t.ContentKeyHash,
		})
		sum := sha256.Sum256(row.Capsule)
		hashes = append(hashes, sum[:])
	}
	return items, hashes, nil
}

// proxies are this instance and its peers for the grant, at most 16.
func (s *Service) proxies(ctx context.Context, r Request) ([]Proxy, error) {
	public, number, err := s.SealingKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("own sealing key: %w", err)
	}
	proxies := []Proxy{{Actor: s.InstanceActor(), Reencrypt: s.ReencryptURL(), SealingKeyID: s.sealingKeyID(number), SealingKey: public}}
	others, err := s.peers.Proxies(ctx, r.Artist, r.Buyer)
	if err != nil {
		return nil, fmt.Errorf("find proxies: %w", err)
	}
	for _, other := range others {
		if other.Actor != s.InstanceActor() && len(proxies) < 16 {
			proxies = append(proxies, other)
		}
	}
	return proxies, nil
}

// split makes one fragment per proxy, seals it, and drafts its KeyFragment.
func (s *Service) split(ctx context.Context, prepared *Prepared, p Product, proxies []Proxy, capsules [][]byte) error {
	g := prepared.grant
	keys, err := s.artist(ctx, g.Artist)
	if err != nil {
		return err
	}
	delegating, err := keys.Product(p.URI, p.Version)
	if err != nil {
		return err
	}
	signing, err := keys.Signing()
	if err != nil {
		return err
	}
	receiving, err := point(g.ReceivingKey)
	if err != nil {
		return fmt.Errorf("receiving key of %s: %w", g.Buyer, err)
	}
	kfrags, err := umbral.GenerateKeyFrags(s.rand, umbral.KeyFragParams{
		Delegating: delegating, Receiving: receiving, Signing: signing, Threshold: g.Threshold, Shares: len(proxies),
	})
	if err != nil {
		return fmt.Errorf("make key fragments: %w", err)
	}
	verifying, err := multikey.EncodeSecp256k1(signing.PublicKey().Bytes())
	if err != nil {
		return err
	}
	for i, proxy := range proxies {
		k := vocab.KeyFragment{
			ID: s.base + "/kfrags/" + newID(), AttributedTo: g.Artist, Target: proxy.Actor, Grant: g.URI, Set: g.SetNumber,
			DelegatingKey: p.DelegatingKey, VerifyingKey: verifying, ReceivingKey: g.ReceivingKey, RequestingKey: g.RequestingKey,
			Capsules: capsules, StartTime: g.StartTime, EndTime: g.EndTime, Updated: g.UpdatedAt,
		}
		aad, err := vocab.AAD(k.Object())
		if err != nil {
			return fmt.Errorf("aad of fragment: %w", err)
		}
		k.Sealed.Key = proxy.SealingKeyID
		k.Sealed.Enc, k.Sealed.Ciphertext, err = hpke.Seal(s.rand, proxy.SealingKey, []byte(kfragInfo), aad, kfrags[i].Bytes())
		if err != nil {
			return fmt.Errorf("seal fragment to %s: %w", proxy.Actor, err)
		}
		object, err := json.Marshal(k.Object())
		if err != nil {
			return fmt.Errorf("encode fragment: %w", err)
		}
		row := madeRow{URI: k.ID, GrantURI: g.URI, SetNumber: g.SetNumber, Proxy: proxy.Actor, Object: object, State: madeWaiting, UpdatedAt: g.UpdatedAt}
		if proxy.Actor == s.InstanceActor() {
			// Our own fragment takes no way over the network: it goes into custody with the grant.
			held, err := s.custody(k, aad)
			if err != nil {
				return err
			}
			prepared.own = &held
			row.State, row.Object = madeAccepted, []byte{}
		}
		prepared.made = append(prepared.made, row)
	}
	return nil
}

// Issue writes the grant, its fragments and the jobs that deliver them inside tx, and returns the grant's URI.
func (p *Prepared) Issue(ctx context.Context, tx *gorm.DB) (string, error) {
	if err := tx.Create(&p.grant).Error; err != nil {
		return "", fmt.Errorf("write grant: %w", err)
	}
	if err := tx.Create(&p.made).Error; err != nil {
		return "", fmt.Errorf("write fragments: %w", err)
	}
	if p.own != nil {
		if err := tx.Create(p.own).Error; err != nil {
			return "", fmt.Errorf("keep own fragment: %w", err)
		}
	}
	if err := p.service.jobs.Insert(ctx, tx, GrantIssued{Grant: p.grant.URI}); err != nil {
		return "", err
	}
	return p.grant.URI, p.service.jobs.Insert(ctx, tx, KfragsMade{Grant: p.grant.URI, Set: p.grant.SetNumber})
}

// CheckReceivingKey refuses a receiving key of a buyer that no grant of this artist's product could be made to: one
// that is malformed, or one of the artist's own keys.
func (s *Service) CheckReceivingKey(ctx context.Context, product, receiving string) error {
	p, err := s.Product(ctx, product)
	if err != nil {
		return err
	}
	verifying, _, err := s.VerifyingKey(ctx, p.Artist)
	if err != nil {
		return err
	}
	_, err = umbralKeys(verifying, p.DelegatingKey, receiving)
	return err
}

// umbralKeys decodes the three public keys that fragments are checked against.
func umbralKeys(verifying, delegating, receiving string) (umbral.Keys, error) {
	var keys umbral.Keys
	for _, k := range []struct {
		to   **umbral.PublicKey
		text string
		name string
	}{{&keys.Verifying, verifying, "verifying"}, {&keys.Delegating, delegating, "delegating"}, {&keys.Receiving, receiving, "receiving"}} {
		key, err := point(k.text)
		if err != nil {
			return keys, fmt.Errorf("%s key: %w", k.name, err)
		}
		*k.to = key
	}
	return keys, keys.Check()
}

func point(text string) (*umbral.PublicKey, error) {
	b, err := multikey.DecodeSecp256k1(text)
	if err != nil {
		return nil, err
	}
	return umbral.ParsePublicKey(b)
}

func text(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func newID() string { return strings.ToLower(rand.Text()) }
