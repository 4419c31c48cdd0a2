// Package purchase is the buyer's side of an order: the offer that a user's instance makes, the invoice that comes back,
// the payment by the instance's own node if it is asked to, and the receipt and the grant that end it.
//
// It knows nothing of the network: federation/outbox sends what [OfferMade] asks for, and federation/inbox calls
// [Service.Accepted], [Service.Rejected], [Service.ReceiptArrived] and [Service.GrantArrived]. Begin with
// [Service.Begin].
package purchase

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments"
	"antiphon/payments/amount"
)

// ErrNotFound is returned for a purchase that does not exist, or not for this buyer.
var ErrNotFound = errors.New("no such purchase")

// Refusal is an answer of a seller that does not fit our offer, or a payment that cannot be made; Words go to the buyer.
type Refusal struct{ Words string }

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Words }

// OfferMade: a user wants to buy; the seller is to be told.
type OfferMade struct {
	Purchase string `json:"purchase"`
}

// Kind names the job.
func (OfferMade) Kind() string { return "offer_made" }

// Purchase is one user's buying of one product.
type Purchase struct {
	ID string `gorm:"primaryKey"`
	// Offer is the URI of our Offer activity.
	Offer         string
	Buyer         string
	Artist        string
	Product       string
	Track         string
	Title         string
	Units         amount.Units
	Asset         amount.Asset
	Decimals      int
	ReceivingKey  string
	RequestingKey string
	// Period is the month that is bought, as yyyymm; 0 for what is bought for good.
	Period int64
	// Nonce is 16 random bytes in base64url.
	Nonce string
	State State
	// Words tell the buyer what is unusual; empty when nothing is.
	Words     string
	Agreement string
	// Invoice is the seller's, in JSON; empty before it came and for what is free.
	Invoice    string
	Receipt    string
	ReceiptRaw []byte
	// ReceiptKeys is the document of the artist's key that the receipt was checked with; empty before it came.
	ReceiptKeys string
	GrantURI    string
	// Code is one that is redeemed, until the seller has answered. Gift says that the buyer pays for a code to give away,
	// see [Service.GiftCode].
	Code string
	Gift bool
	// Regrants is the receipt of an earlier purchase whose grant is asked for anew, and Signed the agreement as its buyer
	// signed it; both are empty for a purchase.
	Regrants string
	Signed   []byte
	// Doubt is set while our own node was told to pay and has not said that it did not.
	Doubt     bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Amount is what was offered.
func (p Purchase) Amount() amount.Amount { return amount.Amount{Units: p.Units, Asset: p.Asset} }

// Invoice is what is to be paid, and to whom.
type Invoice struct {
	Provider   string       `json:"provider"`
	Asset      amount.Asset `json:"asset"`
	Units      amount.Units `json:"units"`
	Decimals   int          `json:"decimals"`
	Target     string       `json:"target"`
	Identifier string       `json:"identifier"`
	Expires    time.Time    `json:"expires"`
	// URL is the seller's page about the payment, on the seller's host, or empty.
	URL string `json:"url,omitempty"`
}

// Invoiced returns the seller's invoice; false when there is none.
func (p Purchase) Invoiced() (Invoice, bool) {
	var i Invoice
	if p.Invoice == "" || json.Unmarshal([]byte(p.Invoice), &i) != nil {
		return Invoice{}, false
	}
	return i, true
}

// Payer pays from the instance's own node.
type Payer interface {
	// Pays reports whether the node can pay in an asset.
	Pays(asset amount.Asset) bool
	// Pay pays an invoice once, however often it is called: it looks for the payment in the node's history first. A
	// [*Refusal] says in words why it cannot be paid at the moment.
	Pay(ctx context.Context, i Invoice) error
	// Lacks says in words what keeps the node from paying an invoice now, and what to do; empty when nothing is known.
	Lacks(ctx context.Context, i Invoice) string
}

// Parts are what the room is joined with.
type Parts struct {
	DB   *db.DB
	Jobs *jobs.Queue
	// Payer is nil when the instance has no node of its own.
	Payer Payer
	// GiftKey is what the codes of gifts are made with; nobody else has it. Without one, nothing is bought as a gift.
	GiftKey []byte
	Log     *slog.Logger
	Now     func() time.Time
	Rand    io.Reader
}

// Service is the buyer's side.
type Service struct {
	base string
	Parts
}

// New makes the room; baseURL is the instance's, without a trailing slash.
func New(baseURL string, p Parts) *Service { return &Service{base: baseURL, Parts: p} }

// Request says what a user wants to buy.
type Request struct {
	// Track is the URI of what is bought: a track or a release.
	Buyer, Artist, Product, Track, Title string
	Amount                               amount.Amount
	Decimals                             int
	ReceivingKey, RequestingKey          string
	// Code is one that is redeemed: the Amount is nothing then. Gift buys a code to give away.
	Code string
	Gift bool
	// Period is the month that is bought; 0 for what is bought for good.
	Period int64
}

// Begin makes a purchase and the job that offers it to the seller. While one of the same product and month is open at the
// same amount, or was granted, that one is returned; a gift, and what comes with a code, is a purchase of its own.
func (s *Service) Begin(ctx context.Context, r Request) (Purchase, error) {
	nonce := make([]byte, 16)
	if _, err := io.ReadFull(s.Rand, nonce); err != nil {
		return Purchase{}, fmt.Errorf("draw nonce: %w", err)
	}
	id, now := strings.ToLower(rand.Text()), s.utc()
	p := Purchase{
		ID: id, Offer: s.base + "/offers/" + id, Buyer: r.Buyer, Artist: r.Artist, Product: r.Product, Track: r.Track, Title: r.Title,
		Units: r.Amount.Units, Asset: r.Amount.Asset, Decimals: r.Decimals, ReceivingKey: r.ReceivingKey,
		RequestingKey: r.RequestingKey, Nonce: base64.RawURLEncoding.EncodeToString(nonce), State: Offered, Period: r.Period, Code: r.Code, Gift: r.Gift,
		CreatedAt: now, UpdatedAt: now,
	}
	if r.Gift && len(s.GiftKey) == 0 {
		return Purchase{}, &Refusal{"This instance cannot buy gifts."}
	}
	begin := func(ctx context.Context, tx *gorm.DB) error {
		var old Purchase
		err := tx.Where("buyer = ? AND product = ? AND period = ? AND state <> ? AND NOT gift AND regrants = ''", r.Buyer, r.Product, r.Period, Refused).Order("created_at DESC").Take(&old).Error
		if err == nil && !s.stale(old) && !r.Gift && (old.State == Granted || old.Doubt || r.Period > 0 && old.State == Offered || r.Code == old.Code && (old.settled() || old.Units == r.Amount.Units)) {
			p = old
			return nil
		}
		if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return fmt.Errorf("look up purchase: %w", err)
		}
		if err := tx.Create(&p).Error; err != nil {
			return fmt.Errorf("write purchase: %w", err)
		}
		return s.Jobs.Insert(ctx, tx, OfferMade{Purchase: p.ID})
	}
	err := s.DB.Tx(ctx, begin)
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		err = s.DB.Tx(ctx, begin) // the same month was offered for at this moment, and is found now
	}
	return p, err
}

// settled reports whether something was paid already, or is being paid.
func (p Purchase) settled() bool { return p.State != Offered && p.State != Invoiced }

// GiftCode is the code that a gift pays for, which its buyer hands on. It is made of the purchase and the instance's key,
// so that it is stored nowhere; the seller was told its hash.
func (s *Service) GiftCode(p Purchase) string {
	mac := hmac.New(sha256.New, s.GiftKey)
	mac.Write([]byte("gift\x00" + p.ID))
	return payments.CodeOf(mac.Sum(nil))
}

// stale reports whether a purchase waits for a payment that nobody will make any more: a new one is begun then. One that
// our own node may have paid is not: to pay it again is safe, and to pay another one is not.
func (s *Service) stale(p Purchase) bool {
	invoice, ok := p.Invoiced()
	return p.State == Invoiced && ok && s.Now().After(invoice.Expires) && !p.Doubt
}

// ByID returns a purchase, or [ErrNotFound].
func (s *Service) ByID(ctx context.Context, id string) (Purchase, error) {
	return one(s.DB.Read.WithContext(ctx).Where("id = ?", id), id)
}

// ByOffer returns the purchase of an Offer's URI, or [ErrNotFound].
func (s *Service) ByOffer(ctx context.Context, offer string) (Purchase, error) {
	return one(s.DB.Read.WithContext(ctx).Where("offer = ?", offer), offer)
}

// ByAgreement returns the purchase of an agreement of a seller's, or [ErrNotFound].
func (s *Service) ByAgreement(ctx context.Context, artist, agreement string) (Purchase, error) {
	return one(s.DB.Read.WithContext(ctx).Where("artist = ? AND agreement = ?", artist, agreement), agreement)
}

// Agreed reports whether an agreement is one of this instance's users.
func (s *Service) Agreed(ctx context.Context, agreement string) (bool, error) {
	var n int64
	err := s.DB.Read.WithContext(ctx).Model(&Purchase{}).Where("agreement = ?", agreement).Count(&n).Error
	return n > 0, err
}

// overtaken is how long after a grant its agreement and its receipt may still be on their way.
const overtaken = time.Hour

// Awaits reports whether any user of this instance is buying from an artist, or has the grant and still lacks what was
// sent before it.
func (s *Service) Awaits(ctx context.Context, artist string) (bool, error) {
	var n int64
	err := s.DB.Read.WithContext(ctx).Model(&Purchase{}).Where("artist = ?", artist).
		Where("state NOT IN ? OR state = ? AND receipt = '' AND updated_at > ?", []State{Granted, Refused}, Granted, s.utc().Add(-overtaken)).
		Count(&n).Error
	return n > 0, err
}

// Of returns a buyer's purchases, newest first.
func (s *Service) Of(ctx context.Context, buyer string, limit int) ([]Purchase, error) {
	var rows []Purchase
	err := s.DB.Read.WithContext(ctx).Where("buyer = ?", buyer).Order("created_at DESC").Limit(limit).Find(&rows).Error
	return rows, err
}

func one(q *gorm.DB, name string) (Purchase, error) {
	var p Purchase
	err := q.Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Purchase{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return p, err
}

func (s *Service) utc() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// move changes the purchase's state and whatever else was set on p, if that is legal and nobody has moved it meanwhile.
func (s *Service) move(tx *gorm.DB, p *Purchase, next State) error {
	from := p.State
	if from != next {
		if err := from.To(next); err != nil {
			return err
		}
	}
	p.State, p.UpdatedAt = next, s.utc()
	result := tx.Model(p).Where("state = ?", from).Select("*").Updates(p)
	if result.Error != nil {
		return fmt.Errorf("move purchase %s: %w", p.ID, result.Error)
	}
	if result.RowsAffected != 1 {
		return fmt.Errorf("move purchase %s: it was moved by someone else", p.ID)
	}
	return nil
}
