package vocab

import (
	"regexp"
	"time"
)

var monthPattern = regexp.MustCompile(`^[0-9]{4}-(?:0[1-9]|1[0-2])$`)

// Membership says for one day that a listener has paid for a month of the pool, and with which keys to grant.
type Membership struct {
	// AttributedTo is the listener's home instance, which signs.
	AttributedTo string
	// Subject is the listener, on the home's host.
	Subject string
	// Audience is the seller's instance; nobody else may use it.
	Audience string
	// Month is such as "2026-11".
	Month string
	// ReceivingKey (secp256k1) and RequestingKey (Ed25519) are Multikeys.
	ReceivingKey, RequestingKey string
	// EndTime is at most 24 hours after the proof was made; the seller compares it with the own clock.
	EndTime time.Time
}

// Object is the membership as it is signed. It does not check; ReadMembership does.
func (s Membership) Object() map[string]any {
	return map[string]any{
		"@context": Context(KindMembership), "type": []any{"Membership", "Document"}, "attributedTo": s.AttributedTo,
		"subject": s.Subject, "audience": s.Audience, "month": s.Month, "receivingKey": s.ReceivingKey,
		"requestingKey": s.RequestingKey, "endTime": formatTime(s.EndTime),
	}
}

// ReadMembership reads a membership's exact form. It looks neither at the proof nor at the clock, nor at what the home
// instance has paid. Errors wrap ErrInvalid or those of vocab/jsonld.
func ReadMembership(raw []byte) (Membership, error) {
	o, err := openSigned(raw, KindMembership, "Membership", "Document")
	if err != nil {
		return Membership{}, err
	}
	s := Membership{AttributedTo: o.id("attributedTo")}
	s.Subject = o.sibling("subject", s.AttributedTo)
	s.Audience = o.id("audience")
	s.Month = o.match("month", monthPattern, "a month such as 2026-11")
	s.ReceivingKey, s.RequestingKey = o.secp256k1("receivingKey"), o.ed25519("requestingKey")
	s.EndTime = o.moment("endTime")
	if err := o.close(); err != nil {
		return Membership{}, err
	}
	return s, nil
}
