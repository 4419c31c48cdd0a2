package vocab

import "antiphon/vocab/jsonld"

// Agreement is a sale (FEP-0837). In an Offer the buyer proposes it, without an id; in the result of an Accept the
// seller confirms it, with an id, a proof and, if there is something to pay, an invoice.
type Agreement struct {
	// ID is empty in an Offer.
	ID string
	// AttributedTo is the artist, whose proof a confirmed agreement carries. In an Offer it is empty, or the buyer if
	// the offer carries a proof itself (a re-grant).
	AttributedTo string
	// Proposal is what the agreement satisfies. An Offer with a Receipt may leave it empty.
	Proposal string
	Product  string
	// Version is the product's, confirmed by the seller; 0 in an Offer.
	Version int
	// Monthly is set if the price buys a month.
	Monthly bool
	Price
	// ReceivingKey is the buyer's secp256k1 Multikey, RequestingKey his Ed25519 Multikey.
	ReceivingKey, RequestingKey string
	// Nonce is NonceSize random bytes in an Offer, nil in a confirmed agreement.
	Nonce []byte
	// Receipt is the old receipt for which a new grant is asked, or empty. Only in an Offer.
	Receipt string
	// Invoice is nil in an Offer, and if there is nothing to pay.
	Invoice *Invoice
}

// Object is the agreement with its own context, also where it will be embedded. It does not check;
// ReadOfferedAgreement and ReadAgreement do.
func (a Agreement) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindAgreement), "type": "Agreement", "product": a.Product,
		"receivingKey": a.ReceivingKey, "requestingKey": a.RequestingKey,
	}
	put(m, "id", a.ID)
	put(m, "attributedTo", a.AttributedTo)
	put(m, "version", a.Version)
	put(m, "receipt", a.Receipt)
	put(m, "nonce", encodeBytes(a.Nonce))
	a.Price.write(m)
	if a.Proposal != "" {
		unit := unitOne
		if a.Monthly {
			unit = unitMonth
		}
		m["stipulates"] = a.commitment(primary, quantity(unit, "1"))
		m["stipulatesReciprocal"] = a.commitment(reciprocal, quantity(unitOne, a.Amount))
	}
	if a.Invoice != nil {
		m["invoice"] = a.Invoice.members()
	}
	return m
}

func (a Agreement) commitment(suffix string, q map[string]any) map[string]any {
	m := map[string]any{"type": "Commitment", "satisfies": a.Proposal + suffix, "resourceQuantity": q}
	if a.ID != "" {
		m["id"] = a.ID + suffix
	}
	return m
}

// ReadOfferedAgreement reads the exact form of the agreement in an Offer. Without a proof it may come without context,
// because then the activity around it has it. Errors wrap ErrInvalid or those of vocab/jsonld.
func ReadOfferedAgreement(raw []byte) (Agreement, error) {
	m, err := jsonld.ParseSigned(raw)
	if err != nil {
		return Agreement{}, err
	}
	o := newObject(m)
	signed := o.has("proof") // vocab/proof looks at it
	if _, own := m["@context"]; own || signed {
		o.context(KindAgreement)
	}
	o.types("Agreement")
	a := Agreement{
		AttributedTo: o.maybeID("attributedTo"), Product: o.id("product"),
		Nonce: o.bytes("nonce", NonceSize), Receipt: o.maybeID("receipt"),
	}
	if a.Receipt == "" || o.has("stipulates") || o.has("stipulatesReciprocal") {
		o.commitments(&a)
	}
	o.terms(&a)
	if err := o.close(); err != nil {
		return Agreement{}, err
	}
	return a, nil
}

// ReadAgreement reads the exact form of the agreement in an Accept's result. It looks neither at the proof nor at the
// clock; that it is what was offered, and costs no more, is for the caller to check. Errors wrap ErrInvalid or those of
// vocab/jsonld.
func ReadAgreement(raw []byte) (Agreement, error) {
	o, err := openSigned(raw, KindAgreement, "Agreement")
	if err != nil {
		return Agreement{}, err
	}
	a := Agreement{ID: o.id("id")}
	a.AttributedTo = o.sibling("attributedTo", a.ID)
	a.Product = o.sibling("product", a.ID)
	a.Version = o.version("version")
	if o.has("stipulates") || o.has("stipulatesReciprocal") {
		o.commitments(&a)
	}
	o.terms(&a)
	if a.Free() == o.has("invoice") {
		o.fail("invoice", "stands if and only if there is something to pay")
	}
	if o.has("invoice") {
		c := o.child("invoice")
		c.types("Invoice", "Document")
		i := c.invoice()
		if i.Price != a.Price {
			c.fail("amount", "is not the agreement's")
		}
		a.Invoice = &i
	}
	if err := o.close(); err != nil {
		return Agreement{}, err
	}
	return a, nil
}

// commitments reads FEP-0837's two halves.
func (o *object) commitments(a *Agreement) {
	service, payment := o.child("stipulates"), o.child("stipulatesReciprocal")
	service.types("Commitment")
	payment.types("Commitment")
	if a.ID != "" {
		service.same("id", a.ID+primary)
		payment.same("id", a.ID+reciprocal)
	}
	a.Proposal = service.intent("satisfies", primary)
	payment.same("satisfies", a.Proposal+reciprocal)
	if a.Proposal != "" && !SameOrigin(a.Proposal, a.Product) {
		service.fail("satisfies", "is on another host than the product")
	}
	sold := service.child("resourceQuantity")
	a.Monthly = sold.oneOf("hasUnit", unitOne, unitMonth) == unitMonth
	sold.same("hasNumericalValue", "1")
	money := payment.child("resourceQuantity")
	money.same("hasUnit", unitOne)
	// The amount is said twice, for FEP-0837 and for us; it must not be two amounts.
	amount, _ := o.get("amount").(string)
	money.same("hasNumericalValue", amount)
}

// terms reads what both forms have.
func (o *object) terms(a *Agreement) {
	a.Price = o.price()
	a.ReceivingKey = o.secp256k1("receivingKey")
	a.RequestingKey = o.ed25519("requestingKey")
}
