package vocab

import (
	"strings"
	"time"
)

const (
	unitOne   = "one"
	unitMonth = "month"

	primary    = "#primary"
	reciprocal = "#reciprocal"
)

// Proposal is what an artist sells and for how much (FEP-0837). ID, AttributedTo and Product are on one host.
type Proposal struct {
	ID string
	// AttributedTo is the artist.
	AttributedTo string
	Name         string
	Product      string
	// Resource is the kind of thing that is sold: Namespace+"AudioTrack", Namespace+"Subscription".
	Resource string
	// Monthly is set if the price buys a month and not the thing once and for all.
	Monthly bool
	// Price is what is asked. With Suggested it is the least that is taken, and buyers name the amount themselves.
	Price
	// Suggested is what a page begins with where the buyer names the amount: smallest units, not less than the Price. It
	// is empty for a fixed price.
	Suggested string
	// Shares say who is owed what is paid, largest first; none means the artist alone. They add up to 10,000.
	Shares []Share
	// Updated is when name or price changed last; zero if they never did.
	Updated time.Time
}

// Share is somebody's part of a price, in ten-thousandths.
type Share struct {
	// Payee is an actor.
	Payee string
	// Name is how people call the payee, Role what the part is for; Role may be empty.
	Name, Role  string
	BasisPoints int
}

// MaxShares bounds the parts of a price.
const MaxShares = 20

// Object is the proposal with its context. FEP-0837's quantity of money is the count of the asset's smallest units.
// It does not check; ReadProposal does.
func (p Proposal) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindProposal), "id": p.ID, "type": "Proposal", "purpose": "offer", "unitBased": true,
		"attributedTo": p.AttributedTo, "name": p.Name, "to": Public, "product": p.Product,
		"publishes": map[string]any{
			"id": p.ID + primary, "type": "Intent", "action": "deliverService",
			"resourceConformsTo": p.Resource, "resourceQuantity": quantity(p.unit(), "1"),
		},
	}
	payment := map[string]any{
		"id": p.ID + reciprocal, "type": "Intent", "action": "transfer", "resourceQuantity": quantity(unitOne, p.Amount),
	}
	if p.Asset != "" {
		payment["resourceConformsTo"] = p.Asset
		m["decimals"] = p.Decimals
	}
	m["reciprocal"] = payment
	put(m, "suggested", p.Suggested)
	if len(p.Shares) > 0 {
		shares := make([]any, len(p.Shares))
		for i, s := range p.Shares {
			share := map[string]any{"payee": s.Payee, "name": s.Name, "basisPoints": s.BasisPoints}
			put(share, "role", s.Role)
			shares[i] = share
		}
		m["shares"] = shares
	}
	putTime(m, "updated", p.Updated)
	return m
}

func (p Proposal) unit() string {
	if p.Monthly {
		return unitMonth
	}
	return unitOne
}

// quantity is FEP-0837's resourceQuantity.
func quantity(unit, value string) map[string]any {
	return map[string]any{"hasUnit": unit, "hasNumericalValue": value}
}

// ReadProposal reads a proposal of an Antiphon instance. Members that it does not know are left alone, because a
// proposal binds nobody: the seller checks an offer against its own price. Errors wrap ErrInvalid or those of
// vocab/jsonld.
func ReadProposal(raw []byte) (Proposal, error) {
	o, err := openObject(raw)
	if err != nil {
		return Proposal{}, err
	}
	o.typed("Proposal")
	o.same("purpose", "offer")
	p := Proposal{ID: o.id("id")}
	p.AttributedTo = o.sibling("attributedTo", p.ID)
	p.Name = o.text("name", maxName)
	p.Product = o.sibling("product", p.ID)
	p.Updated = o.maybeMoment("updated")

	service := o.child("publishes")
	service.same("id", p.ID+primary)
	p.Resource = service.text("resourceConformsTo", maxURI)
	sold := service.child("resourceQuantity")
	p.Monthly = sold.oneOf("hasUnit", unitOne, unitMonth) == unitMonth
	sold.same("hasNumericalValue", "1")

	payment := o.child("reciprocal")
	payment.same("id", p.ID+reciprocal)
	money := payment.child("resourceQuantity")
	money.same("hasUnit", unitOne)
	p.Amount = money.decimal("hasNumericalValue")
	if !p.Free() || payment.has("resourceConformsTo") || o.has("decimals") {
		p.Asset = payment.asset("resourceConformsTo")
		p.Decimals = int(o.integer("decimals", 0, maxDecimals))
	}
	if o.has("suggested") {
		p.Suggested = o.decimal("suggested")
	}
	p.Shares = o.shares("shares")
	if err := o.err(); err != nil {
		return Proposal{}, err
	}
	return p, nil
}

// shares reads parts that add up to the whole.
func (o *object) shares(name string) []Share {
	var out []Share
	sum := 0
	for _, c := range o.children(name, 0, MaxShares) {
		s := Share{
			Payee: c.id("payee"), Name: c.text("name", maxName), Role: c.maybeText("role", maxName), BasisPoints: int(c.integer("basisPoints", 1, 10_000)),
		}
		sum += s.BasisPoints
		out = append(out, s)
	}
	if out != nil && sum != 10_000 {
		o.fail(name, "do not add up to 10000")
	}
	return out
}

// intent asks for the id of one of a proposal's two intents and returns the proposal's.
func (o *object) intent(name, suffix string) string {
	s, _ := o.get(name).(string)
	proposal, ok := strings.CutSuffix(s, suffix)
	if uri, known := uriOf(proposal); !ok || !known || !plain(uri) {
		o.fail(name, "is not a proposal's %s", suffix)
		return ""
	}
	return proposal
}
