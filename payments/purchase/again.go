package purchase

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"gorm.io/gorm"
)

// maxOutdated bounds how many purchases are asked for anew at once.
const maxOutdated = 1000

// Again asks for the grant of an earlier purchase anew, for the buyer's keys of now.
type Again struct {
	Buyer, Artist, Product, Track, Title string
	ReceivingKey, RequestingKey          string
	// Receipt is the earlier purchase's, and Signed the agreement that names it, signed with the key that it names.
	Receipt string
	Signed  []byte
}

// BeginAgain makes a purchase that asks for an earlier one's grant anew, and the job that sends it, inside tx; nothing is
// paid. Where one of the same receipt and keys is under way or has ended well, that one is returned.
func (s *Service) BeginAgain(ctx context.Context, tx *gorm.DB, a Again) (Purchase, error) {
	var old Purchase
	err := tx.Where("buyer = ? AND regrants = ? AND receiving_key = ? AND state <> ?", a.Buyer, a.Receipt, a.ReceivingKey, Refused).Take(&old).Error
	if err == nil {
		return old, nil
	}
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return Purchase{}, fmt.Errorf("look up purchase: %w", err)
	}
	nonce := make([]byte, 16)
	if _, err := io.ReadFull(s.Rand, nonce); err != nil {
		return Purchase{}, fmt.Errorf("draw nonce: %w", err)
	}
	id, now := strings.ToLower(rand.Text()), s.utc()
	p := Purchase{
		ID: id, Offer: s.base + "/offers/" + id, Buyer: a.Buyer, Artist: a.Artist, Product: a.Product, Track: a.Track, Title: a.Title,
		ReceivingKey: a.ReceivingKey, RequestingKey: a.RequestingKey, Nonce: base64.RawURLEncoding.EncodeToString(nonce), State: Offered,
		Regrants: a.Receipt, Signed: a.Signed, CreatedAt: now, UpdatedAt: now,
	}
	if err := tx.Create(&p).Error; err != nil {
		return Purchase{}, fmt.Errorf("write purchase: %w", err)
	}
	return p, s.Jobs.Insert(ctx, tx, OfferMade{Purchase: p.ID})
}

// Outdated are a buyer's purchases whose grant is for another key than receiving, and that are not asked for anew yet,
// the oldest first.
func (s *Service) Outdated(ctx context.Context, buyer, receiving string) ([]Purchase, error) {
	var rows []Purchase
	err := s.DB.Read.WithContext(ctx).
		Where("buyer = ? AND state = ? AND NOT gift AND receipt <> '' AND receiving_key <> ?", buyer, Granted, receiving).
		Where("NOT EXISTS (SELECT 1 FROM purchases again WHERE again.buyer = purchases.buyer AND again.regrants = purchases.receipt"+
			" AND (again.state = ? OR again.receiving_key = ?))", Granted, receiving).
		Order("created_at").Limit(maxOutdated).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read purchases of %s: %w", buyer, err)
	}
	return rows, nil
}

// AskedAnew are the purchases that ask for grants anew for a buyer's key, the oldest first.
func (s *Service) AskedAnew(ctx context.Context, buyer, receiving string) ([]Purchase, error) {
	var rows []Purchase
	err := s.DB.Read.WithContext(ctx).Where("buyer = ? AND regrants <> '' AND receiving_key = ?", buyer, receiving).
		Order("created_at, id").Limit(maxOutdated).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read what %s asked anew: %w", buyer, err)
	}
	return rows, nil
}

// AskAgain sends what asks for a grant anew once more, as an Offer of its own, whatever became of the one before. A
// purchase of somebody else, or one that was granted, is [ErrNotFound].
func (s *Service) AskAgain(ctx context.Context, buyer, id string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		p, err := s.unanswered(tx, buyer, id)
		if err != nil {
			return err
		}
		values := map[string]any{"offer": s.base + "/offers/" + strings.ToLower(rand.Text()), "state": Offered, "words": "", "agreement": "", "updated_at": s.utc()}
		if err := tx.Model(&p).Updates(values).Error; err != nil {
			return fmt.Errorf("ask again: %w", err)
		}
		return s.Jobs.Insert(ctx, tx, OfferMade{Purchase: p.ID})
	})
}

// LetGo ends what asks for a grant anew: the earlier grant goes on with its old key. A purchase of somebody else, or one
// that was granted, is [ErrNotFound].
func (s *Service) LetGo(ctx context.Context, buyer, id string) error {
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		p, err := s.unanswered(tx, buyer, id)
		if err != nil || p.State == Refused {
			return err
		}
		p.Words = LetGoWords
		return s.move(tx, &p, Refused)
	})
}

// Regranted reports inside tx whether a grant that was kept is one that was asked for anew.
func Regranted(tx *gorm.DB, grant string) (bool, error) {
	var n int64
	if err := tx.Model(&Purchase{}).Where("grant_uri = ? AND regrants <> ''", grant).Count(&n).Error; err != nil {
		return false, fmt.Errorf("look up purchase of %s: %w", grant, err)
	}
	return n > 0, nil
}

// LetGoWords are those of what its buyer has let go.
const LetGoWords = "You let this one go. It opens with your old key."

func (s *Service) unanswered(tx *gorm.DB, buyer, id string) (Purchase, error) {
	return one(tx.Where("id = ? AND buyer = ? AND regrants <> '' AND state IN ?", id, buyer, []State{Offered, Refused}), id)
}
