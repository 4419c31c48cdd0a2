package templates

import (
	"crypto/sha256"
	"encoding/base32"
	"html/template"
	"strings"
	"time"
)

// Buy is the page before a purchase.
type Buy struct {
	Layout
	Track Track
	// Action is where the form is posted; Proposal goes with it.
	Action, Proposal string
	// Formats are what one gets to download, in words; Release says that it
	// is a whole release of Tracks tracks.
	Formats []string
	Tracks  int
	// Price is the seller's price. With NameYourPrice it is the least, and the
	// buyer names the Amount; Suggested is what the Splits are shown for.
	Price         Money
	NameYourPrice bool
	Amount        string
	Suggested     Money
	// CanGift offers to buy it for somebody else.
	CanGift bool
	// Splits are the parts of the price, largest first.
	Splits []Split
	// Holder is who receives the money: the artist, or the operator of the
	// artist's instance, who then owes it to the artist.
	OperatorHolds bool
	// Seller is the artist's instance's host.
	Seller string
	// Provider is the way of paying in words ("Raiden").
	Provider string
	// ReceivingKey and RequestingKey are the keys that the offer will name.
	ReceivingKey, RequestingKey string
	// Keepers are the hosts that can open the purchase; Needed of them must
	// answer.
	Keepers []string
	Needed  int
	// PurchaseURL leads to a purchase already begun.
	PurchaseURL string
	// Error says why the last try did not work, and what to do.
	Error string
}

func (*Buy) page() string { return "buy" }

// Split is one part of a price.
type Split struct {
	Name, Role string
	// BasisPoints is the share in hundredths of a percent.
	BasisPoints int
	Amount      Money
}

// OrderState is how far a purchase is.
type OrderState string

// The states of a purchase, in the order of the way.
const (
	OrderAsking   OrderState = "asking"
	OrderWaiting  OrderState = "waiting"
	OrderPaid     OrderState = "paid"
	OrderGranted  OrderState = "granted"
	OrderYours    OrderState = "yours"
	OrderRejected OrderState = "rejected"
	OrderExpired  OrderState = "expired"
	OrderHeld     OrderState = "held"
	OrderRevoked  OrderState = "revoked"
	OrderGift     OrderState = "gift"
)

// Order is the page of one purchase. It moves by itself: the browser asks
// StateURL, which answers {state, words, next}.
type Order struct {
	Layout
	ID       string
	State    OrderState
	StateURL string
	Track    Track
	Price    Money
	// Message is what the seller or the provider said, in plain words.
	Message string
	// Seller is the artist's instance's host.
	Seller string
	// Invoice is how to pay by hand; nil before the seller has answered and
	// when there is nothing to pay.
	Invoice *Invoice
	// PayAction is posted to when the user pays with a node that this
	// instance or the user runs; empty hides the button.
	PayAction string
	// GiftCode is what the buyer of a gift hands on, GiftURL where it is
	// redeemed; empty before it is paid, and for what is no gift.
	GiftCode, GiftURL string
	// PayLacks says to the admin what keeps the node from paying, and what to
	// do; empty when nothing does.
	PayLacks string
	// CancelAction gives the purchase up; empty hides the button.
	CancelAction string
	// AgainURL leads back to the buy page.
	AgainURL string
	// Bought is when it was paid; zero before.
	Bought time.Time
	// ReceiptURL leads to the signed receipt, ProofURL to the receipt with the
	// key that it was signed with.
	ReceiptURL, ProofURL string
}

func (*Order) page() string { return "order" }

// Invoice is what one needs to pay by hand.
type Invoice struct {
	// Provider is the way of paying in words, Network the chain's name.
	Provider, Network string
	// Target is the address to pay, Token the token's address, Amount the
	// number of smallest units, Identifier the payment's own number. What is
	// empty is not part of this way of paying.
	Target, Token, Amount, Identifier string
	Expires                           time.Time
	// Link is the request for payment that wallets read, Code the same as a
	// picture; empty when there is no such thing.
	Link template.URL
	Code Code
	// PageURL is the seller's own page about this payment, or empty.
	PageURL string
}

// Code is a QR code: Path draws its dark squares, of side 1, in a field of
// Size squares with the quiet zone around them.
type Code struct {
	Size int
	Path string
}

// Pay is the seller's page about one payment, for whoever has its address.
type Pay struct {
	Layout
	// Product is what is bought, Artist from whom.
	Product, Artist string
	Price           Money
	// State is the order's, Remark what was unusual; see the texts.
	State, Remark string
	// Open says that a payment is still waited for.
	Open bool
	// Words and Seen tell of what is unusual and of what is on its way.
	Words, Seen string
	// Invoice is nil when the artist's Instructions say how to pay, line by
	// line.
	Invoice      *Invoice
	Instructions []string
	// Reference is what a payment by hand should mention.
	Reference string
}

func (*Pay) page() string { return "pay" }

// Orders is the artist's list of orders, newest first.
type Orders struct {
	Layout
	Rows  []OrderRow
	Pager Pager
	// Manual shows the Instructions for payments that the artist confirms.
	Manual       bool
	Instructions string
	// Error says what was wrong with the instructions.
	Error string
	// Holds are buyers whose new keys no earlier key vouches for.
	Holds []KeyHold
}

func (*Orders) page() string { return "orders" }

// OrderRow is one order as its artist sees it.
type OrderRow struct {
	ID, Product string
	// Buyer is the buyer's address, Provider the way of paying in words.
	Buyer, Provider string
	Price           Money
	State, Remark   string
	Words, Seen     string
	Created         time.Time
	// What the artist can do with it.
	CanMark, CanFail, CanRefund bool
	// PayURL is the page that the buyer pays on, or empty.
	PayURL string
}

// Fingerprint is the short form of a listener's two public keys (Multikeys)
// that pages show and people compare: the first 10 bytes of
// SHA-256(receiving || "\n" || requesting) as base32 in groups of four. It is
// empty when a key is missing.
func Fingerprint(receiving, requesting string) string {
	if receiving == "" || requesting == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(receiving + "\n" + requesting))
	text := base32.StdEncoding.EncodeToString(sum[:10])
	var groups []string
	for ; len(text) > 0; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(groups, " ")
}
