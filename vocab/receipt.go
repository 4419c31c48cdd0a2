package vocab

import "time"

// Ground is why a receipt was given.
type Ground string

const (
	// GroundPayment is a payment that the ledger knows.
	GroundPayment Ground = "payment"
	// GroundCode is a download code.
	GroundCode Ground = "code"
	// GroundFree is a price of nothing.
	GroundFree Ground = "free"
	// GroundMembership is a subscription's or pool's membership.
	GroundMembership Ground = "membership"
	// GroundGift is the artist's gift.
	GroundGift Ground = "gift"
	// GroundOwn is the artist's own work.
	GroundOwn Ground = "own"
	// GroundRegrant is an earlier receipt, for new keys.
	GroundRegrant Ground = "regrant"
)

// Receipt confirms to a buyer that an order was paid, or why nothing was to be paid.
type Receipt struct {
	ID string
	// AttributedTo is the artist, whose proof the receipt carries.
	AttributedTo string
	// To is the buyer.
	To string
	// Agreement is what was agreed on. Only a receipt of GroundPayment must have one.
	Agreement string
	Product   string
	Version   int
	Ground    Ground
	// Price is what was paid: more than nothing for GroundPayment, nothing for every other ground.
	Price
	// Provider and PaymentHash (SHA-256, 32 bytes) name the payment. Only GroundPayment has them.
	Provider    string
	PaymentHash []byte
	// ReceivingKey is a secp256k1 Multikey, RequestingKey an Ed25519 Multikey.
	ReceivingKey, RequestingKey string
	PaidAt                      time.Time
}

// Object is the receipt as it is signed. It does not check; ReadReceipt does.
func (r Receipt) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindReceipt), "id": r.ID, "type": []any{"Receipt", "Document"},
		"attributedTo": r.AttributedTo, "to": r.To, "product": r.Product, "version": r.Version,
		"ground": string(r.Ground), "receivingKey": r.ReceivingKey, "requestingKey": r.RequestingKey,
		"paidAt": formatTime(r.PaidAt),
	}
	r.Price.write(m)
	put(m, "context", r.Agreement)
	put(m, "provider", r.Provider)
	put(m, "paymentHash", encodeBytes(r.PaymentHash))
	return m
}

// ReadReceipt reads a receipt's exact form. It looks neither at the proof nor at the clock. Errors wrap ErrInvalid or
// those of vocab/jsonld.
func ReadReceipt(raw []byte) (Receipt, error) {
	o, err := openSigned(raw, KindReceipt, "Receipt", "Document")
	if err != nil {
		return Receipt{}, err
	}
	r := Receipt{ID: o.id("id")}
	r.AttributedTo = o.sibling("attributedTo", r.ID)
	r.To = o.id("to")
	r.Agreement = o.maybeSibling("context", r.ID)
	r.Product = o.sibling("product", r.ID)
	r.Version = o.version("version")
	r.Ground = Ground(o.oneOf("ground", string(GroundPayment), string(GroundCode), string(GroundFree),
		string(GroundMembership), string(GroundGift), string(GroundOwn), string(GroundRegrant)))
	r.Price = o.price()
	if r.Ground == GroundPayment {
		r.Provider = o.provider("provider")
		r.PaymentHash = o.hash("paymentHash")
		if r.Free() {
			o.fail("amount", "is nothing, but the ground is payment")
		}
		if r.Agreement == "" {
			o.fail("context", "is missing, but the ground is payment")
		}
	} else {
		if !r.Free() {
			o.fail("amount", "is more than nothing, but the ground is not payment")
		}
	}
	r.ReceivingKey = o.secp256k1("receivingKey")
	r.RequestingKey = o.ed25519("requestingKey")
	r.PaidAt = o.moment("paidAt")
	if err := o.close(); err != nil {
		return Receipt{}, err
	}
	return r, nil
}
