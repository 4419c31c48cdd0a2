package vocab

import (
	"regexp"
	"time"
)

var (
	providerPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	addressPattern  = regexp.MustCompile(`^0x[0-9a-fA-F]{40}$`)
)

// Invoice tells a buyer how to pay. It lies in an Agreement and is covered by its proof.
type Invoice struct {
	// Provider is the payment backend: "raiden", "erc20", or "manual" for what the artist sees with own eyes.
	Provider string
	// Price is what is to be paid, more than nothing.
	Price
	// Target is who is paid, in the provider's own form; for "raiden" and "erc20" an address of 40 hexadecimal digits.
	Target string
	// Identifier is the payment identifier, an unsigned 64-bit number in decimal.
	Identifier string
	// Expires is when the seller stops waiting.
	Expires time.Time
	// URL is a page to pay on, or empty.
	URL string
}

// Object is the invoice as a document of its own. Inside of an agreement it has no context. It does not check;
// ReadInvoice does.
func (i Invoice) Object() map[string]any {
	m := i.members()
	m["@context"] = Context(KindInvoice)
	return m
}

func (i Invoice) members() map[string]any {
	m := map[string]any{
		"type": []any{"Invoice", "Document"}, "provider": i.Provider, "target": i.Target,
		"identifier": i.Identifier, "expires": formatTime(i.Expires),
	}
	i.Price.write(m)
	put(m, "url", i.URL)
	return m
}

// ReadInvoice reads the exact form of an invoice that stands alone. It does not look at the clock, and an address's
// checksum is for payments to judge. Errors wrap ErrInvalid or those of vocab/jsonld.
func ReadInvoice(raw []byte) (Invoice, error) {
	o, err := openSigned(raw, KindInvoice, "Invoice", "Document")
	if err != nil {
		return Invoice{}, err
	}
	i := o.invoice()
	if err := o.close(); err != nil {
		return Invoice{}, err
	}
	return i, nil
}

func (o *object) invoice() Invoice {
	i := Invoice{Provider: o.provider("provider"), Price: o.price(), Target: o.text("target", maxName)}
	if i.Provider == "raiden" || i.Provider == "erc20" {
		o.match("target", addressPattern, "an address")
	}
	if i.Free() {
		o.fail("amount", "is nothing, for which there is no invoice")
	}
	o.counter("identifier")
	i.Identifier, _ = o.get("identifier").(string)
	i.Expires = o.moment("expires")
	i.URL = o.maybeID("url")
	return i
}

func (o *object) provider(name string) string {
	return o.match(name, providerPattern, "a provider's name")
}
