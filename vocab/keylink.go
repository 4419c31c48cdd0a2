package vocab

import "time"

// KeyLink says that a listener's new keys are the same listener's as the requesting key before them, which signs it.
type KeyLink struct {
	// Actor is the listener.
	Actor string
	// From is the URI of the requesting key that signs: "https://b.example/users/lin#requesting-1".
	From string
	// Receiving (secp256k1) and Requesting (Ed25519) are the new keys, as Multikeys.
	Receiving, Requesting string
	Created               time.Time
}

// Object is the link as it is signed. It does not check; ReadKeyLink does.
func (l KeyLink) Object() map[string]any {
	return map[string]any{
		"@context": Context(KindKeyLink), "type": []any{"KeyLink", "Document"}, "actor": l.Actor, "from": l.From,
		"to":      map[string]any{"receiving": l.Receiving, "requesting": l.Requesting},
		"created": formatTime(l.Created),
	}
}

// ReadKeyLink reads a link's exact form. That From signed it is for vocab/proof and the caller to see. Errors wrap
// ErrInvalid or those of vocab/jsonld.
func ReadKeyLink(raw []byte) (KeyLink, error) {
	o, err := openSigned(raw, KindKeyLink, "KeyLink", "Document")
	if err != nil {
		return KeyLink{}, err
	}
	l := KeyLink{Actor: o.id("actor"), From: o.text("from", maxURI)}
	if k := (Key{ID: l.From}); k.Number() == 0 || k != RequestingKey(l.Actor, k.Number(), "") {
		o.fail("from", "is not a requesting key of the actor")
	}
	to := o.child("to")
	l.Receiving, l.Requesting = to.secp256k1("receiving"), to.ed25519("requesting")
	l.Created = o.moment("created")
	if err := o.close(); err != nil {
		return KeyLink{}, err
	}
	return l, nil
}
