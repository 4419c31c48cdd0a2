package vocab

import (
	"reflect"
	"slices"
)

const (
	// ActivityStreams is the context that every document begins with.
	ActivityStreams = "https://www.w3.org/ns/activitystreams"
	// DataIntegrity is the context of the terms of a proof.
	DataIntegrity = "https://w3id.org/security/data-integrity/v1"
	// Security is the context of publicKey.
	Security = "https://w3id.org/security/v1"
	// MultikeyContext is the context of Multikey and assertionMethod.
	MultikeyContext = "https://w3id.org/security/multikey/v1"
	// Namespace is where Antiphon's own terms live. It is one constant and not a URL of the own host, which would
	// make another vocabulary of every server.
	Namespace = "urn:antiphon:ns:"
	// Public is the collection of everyone.
	Public = ActivityStreams + "#Public"
)

// Kind is a noun that has a context of its own. The value is the object's type, or the first of its types.
type Kind string

const (
	// KindActor is a person or an instance.
	KindActor Kind = "Actor"
	// KindNote is the announcement of a track, or a reply.
	KindNote Kind = "Note"
	// KindActivity is an activity whose object is named by its id.
	KindActivity Kind = "Activity"
	// KindPlaylist is a listener's or artist's list of tracks.
	KindPlaylist Kind = "Playlist"
	// KindAlbum is a release: an artist's tracks in order.
	KindAlbum Kind = "Album"
	// KindListen is what was heard of a track: one play, or several with their number.
	KindListen Kind = "Listen"
	// KindSubscription is a standing relationship between a fan and an artist.
	KindSubscription Kind = "Subscription"
	// KindProposal is what is for sale, and for how much (FEP-0837).
	KindProposal Kind = "Proposal"

	// KindAudioTrack is one recording. This and all that follow carry a proof.
	KindAudioTrack Kind = "AudioTrack"
	// KindAgreement is what buyer and seller agreed on, with the invoice in it.
	KindAgreement Kind = "Agreement"
	// KindInvoice is an invoice that stands alone.
	KindInvoice Kind = "Invoice"
	// KindReceipt confirms that an order was paid.
	KindReceipt Kind = "Receipt"
	// KindAccessGrant tells a buyer how to open what was bought.
	KindAccessGrant Kind = "AccessGrant"
	// KindKeyFragment brings a key fragment to a proxy.
	KindKeyFragment Kind = "KeyFragment"
	// KindMembership says that a listener is a paying member of a pool.
	KindMembership Kind = "Membership"
	// KindKeyLink ties new keys of a listener to the requesting key before them.
	KindKeyLink Kind = "KeyLink"
	// KindLedgerRecords are what an instance has written into its ledger.
	KindLedgerRecords Kind = "LedgerRecords"
	// KindPayoutInstruction says where an artist wants to be paid.
	KindPayoutInstruction Kind = "PayoutInstruction"
	// KindPoolAppeal says why an artist's plays should be paid.
	KindPoolAppeal Kind = "PoolAppeal"
)

// prefixes are the namespaces that the terms below are written with.
var prefixes = map[string]string{
	"mus":    Namespace,
	"fw":     "https://funkwhale.audio/ns#",
	"vf":     "https://w3id.org/valueflows/ont/vf#",
	"om2":    "http://www.ontology-of-units-of-measure.org/resource/om-2/",
	"toot":   "http://joinmastodon.org/ns#",
	"schema": "http://schema.org#",
	"sec":    "https://w3id.org/security#",
}

// definition says what a term is: an IRI of one of the prefixes, and whether its value is a reference.
type definition struct {
	prefix, name string
	reference    bool
}

// terms are all terms that are not in the fixed contexts of others.
var terms = map[string]definition{
	"Hashtag":                   {"as", "Hashtag", false},
	"sensitive":                 {"as", "sensitive", false},
	"manuallyApprovesFollowers": {"as", "manuallyApprovesFollowers", false},
	"alsoKnownAs":               {"as", "alsoKnownAs", true},
	"movedTo":                   {"as", "movedTo", true},

	"featured":      {"toot", "featured", true},
	"discoverable":  {"toot", "discoverable", false},
	"indexable":     {"toot", "indexable", false},
	"PropertyValue": {"schema", "PropertyValue", false},
	"value":         {"schema", "value", false},

	"InteractionCounter":   {"schema", "InteractionCounter", false},
	"interactionType":      {"schema", "interactionType", false},
	"userInteractionCount": {"schema", "userInteractionCount", false},

	"assertionMethod": {"sec", "assertionMethod", true},
	"keyAgreement":    {"sec", "keyAgreement", true},

	"Album":         {"fw", "Album", false},
	"album":         {"fw", "album", true},
	"bitrate":       {"fw", "bitrate", false},
	"size":          {"fw", "size", false},
	"musicbrainzId": {"fw", "musicbrainzId", false},
	"released":      {"fw", "released", false},
	"license":       {"fw", "license", true},

	"Proposal":             {"vf", "Proposal", false},
	"Intent":               {"vf", "Intent", false},
	"Agreement":            {"vf", "Agreement", false},
	"Commitment":           {"vf", "Commitment", false},
	"action":               {"vf", "action", false},
	"purpose":              {"vf", "purpose", false},
	"unitBased":            {"vf", "unitBased", false},
	"publishes":            {"vf", "publishes", false},
	"reciprocal":           {"vf", "reciprocal", false},
	"stipulates":           {"vf", "stipulates", false},
	"stipulatesReciprocal": {"vf", "stipulatesReciprocal", false},
	"satisfies":            {"vf", "satisfies", true},
	"resourceConformsTo":   {"vf", "resourceConformsTo", true},
	"resourceQuantity":     {"vf", "resourceQuantity", false},
	"hasUnit":              {"om2", "hasUnit", false},
	"hasNumericalValue":    {"om2", "hasNumericalValue", false},

	"AudioTrack":   {"mus", "AudioTrack", false},
	"Playlist":     {"mus", "Playlist", false},
	"Subscription": {"mus", "Subscription", false},
	"Invoice":      {"mus", "Invoice", false},
	"Receipt":      {"mus", "Receipt", false},
	"AccessGrant":  {"mus", "AccessGrant", false},
	"KeyFragment":  {"mus", "KeyFragment", false},
	"Membership":   {"mus", "Membership", false},
	"KeyLink":      {"mus", "KeyLink", false},

	"LedgerRecords":     {"mus", "LedgerRecords", false},
	"PayoutInstruction": {"mus", "PayoutInstruction", false},
	"PoolAppeal":        {"mus", "PoolAppeal", false},
	"previous":          {"mus", "previous", false},
	"number":            {"mus", "number", false},
	"call":              {"mus", "call", false},
	"arguments":         {"mus", "arguments", false},
	"payTo":             {"mus", "payTo", false},

	"tracks":      {"mus", "tracks", true},
	"playlists":   {"mus", "playlists", true},
	"releases":    {"mus", "releases", true},
	"subscribers": {"mus", "subscribers", true},
	"track":       {"mus", "track", true},
	"product":     {"mus", "product", true},
	"receipt":     {"mus", "receipt", true},
	"grant":       {"mus", "grant", true},
	"reencrypt":   {"mus", "reencrypt", true},

	"access":         {"mus", "access", false},
	"aead":           {"mus", "aead", false},
	"amount":         {"mus", "amount", false},
	"asset":          {"mus", "asset", false},
	"basisPoints":    {"mus", "basisPoints", false},
	"capsule":        {"mus", "capsule", false},
	"capsules":       {"mus", "capsules", false},
	"cid":            {"mus", "cid", false},
	"ciphertext":     {"mus", "ciphertext", false},
	"code":           {"mus", "code", false},
	"contentKeyHash": {"mus", "contentKeyHash", false},
	"created":        {"mus", "created", false},
	"decimals":       {"mus", "decimals", false},
	"delegatingKey":  {"mus", "delegatingKey", false},
	"enc":            {"mus", "enc", false},
	"expires":        {"mus", "expires", false},
	"from":           {"mus", "from", true},
	"ground":         {"mus", "ground", false},
	"identifier":     {"mus", "identifier", false},
	"invoice":        {"mus", "invoice", false},
	"isrc":           {"mus", "isrc", false},
	"kdf":            {"mus", "kdf", false},
	"kem":            {"mus", "kem", false},
	"key":            {"mus", "key", true},
	"keyLink":        {"mus", "keyLink", false},
	"manifest":       {"mus", "manifest", false},
	"month":          {"mus", "month", false},
	"nonce":          {"mus", "nonce", false},
	"paidAt":         {"mus", "paidAt", false},
	"payee":          {"mus", "payee", true},
	"paymentHash":    {"mus", "paymentHash", false},
	"position":       {"mus", "position", false},
	"provider":       {"mus", "provider", false},
	"proposals":      {"mus", "proposals", false},
	"proxies":        {"mus", "proxies", false},
	"receiving":      {"mus", "receiving", false},
	"releaseType":    {"mus", "releaseType", false},
	"role":           {"mus", "role", false},
	"receivingKey":   {"mus", "receivingKey", false},
	"requesting":     {"mus", "requesting", false},
	"requestingKey":  {"mus", "requestingKey", false},
	"scheme":         {"mus", "scheme", false},
	"sealed":         {"mus", "sealed", false},
	"sealingKey":     {"mus", "sealingKey", false},
	"set":            {"mus", "set", false},
	"sha256":         {"mus", "sha256", false},
	"shares":         {"mus", "shares", false},
	"suggested":      {"mus", "suggested", false},
	"threshold":      {"mus", "threshold", false},
	"verifyingKey":   {"mus", "verifyingKey", false},
	"version":        {"mus", "version", false},
}

// kinds says which contexts of others a kind uses besides ActivityStreams, and which terms it defines inline. A
// change of a signed kind's list makes objects that older instances refuse: add a kind rather than a term.
var kinds = map[Kind]struct{ contexts, terms []string }{
	KindActor: {[]string{Security, MultikeyContext}, []string{"featured", "discoverable", "indexable",
		"manuallyApprovesFollowers", "alsoKnownAs", "movedTo", "PropertyValue", "value", "tracks", "playlists",
		"releases", "subscribers", "assertionMethod", "keyAgreement", "verifyingKey", "requestingKey", "sealingKey", "kem", "kdf", "aead", "reencrypt", "keyLink"}},
	KindNote:     {nil, []string{"Hashtag", "sensitive", "AudioTrack", "track"}},
	KindActivity: {nil, []string{"code"}},
	KindPlaylist: {nil, []string{"Playlist"}},
	KindAlbum: {nil, []string{"Album", "released", "releaseType", "Proposal", "proposals", "product", "amount", "asset",
		"decimals"}},
	KindListen:       {nil, []string{"InteractionCounter", "interactionType", "userInteractionCount"}},
	KindSubscription: {nil, []string{"Subscription", "product"}},
	KindProposal: {nil, []string{"Proposal", "Intent", "action", "purpose", "unitBased", "publishes", "reciprocal",
		"resourceConformsTo", "resourceQuantity", "hasUnit", "hasNumericalValue", "product", "decimals", "suggested",
		"shares", "payee", "role", "basisPoints"}},

	KindAudioTrack: {[]string{DataIntegrity}, []string{"AudioTrack", "isrc", "position", "album", "bitrate", "size",
		"musicbrainzId", "license", "sha256", "access", "manifest", "cid", "capsules", "product", "version",
		"delegatingKey", "capsule", "ciphertext", "contentKeyHash", "Album", "Proposal", "proposals", "amount", "asset",
		"decimals"}},
	KindAgreement: {[]string{DataIntegrity}, []string{"Agreement", "Commitment", "stipulates", "stipulatesReciprocal",
		"satisfies", "resourceQuantity", "hasUnit", "hasNumericalValue", "receivingKey", "requestingKey", "nonce",
		"product", "version", "amount", "asset", "decimals", "receipt", "invoice", "Invoice", "provider",
		"identifier", "expires"}},
	KindInvoice: {[]string{DataIntegrity}, []string{"Invoice", "provider", "asset", "amount", "decimals",
		"identifier", "expires"}},
	KindReceipt: {[]string{DataIntegrity}, []string{"Receipt", "product", "version", "ground", "amount", "decimals",
		"asset", "provider", "paymentHash", "receivingKey", "requestingKey", "paidAt"}},
	KindAccessGrant: {[]string{DataIntegrity}, []string{"AccessGrant", "receipt", "scheme", "product", "version",
		"delegatingKey", "verifyingKey", "receivingKey", "requestingKey", "set", "threshold", "proxies", "reencrypt",
		"track", "capsule", "ciphertext", "manifest", "contentKeyHash"}},
	KindKeyFragment: {[]string{DataIntegrity}, []string{"KeyFragment", "grant", "set", "delegatingKey",
		"verifyingKey", "receivingKey", "requestingKey", "capsules", "sealed", "key", "enc", "ciphertext"}},
	KindMembership:        {[]string{DataIntegrity}, []string{"Membership", "month", "receivingKey", "requestingKey"}},
	KindKeyLink:           {[]string{DataIntegrity}, []string{"KeyLink", "from", "receiving", "requesting", "created"}},
	KindLedgerRecords:     {[]string{DataIntegrity}, []string{"LedgerRecords", "previous", "number", "call", "arguments"}},
	KindPayoutInstruction: {[]string{DataIntegrity}, []string{"PayoutInstruction", "asset", "payTo"}},
	KindPoolAppeal:        {[]string{DataIntegrity}, []string{"PoolAppeal", "month"}},
}

// coreTerms are the terms of ActivityStreams and of proofs that may stand inside a signed object.
var coreTerms = []string{
	"@context", "id", "type", "actor", "attachment", "attributedTo", "audience", "cc", "content", "context",
	"duration", "endTime", "height", "href", "hreflang", "image", "icon", "items", "mediaType", "name", "object", "published",
	"rel", "startTime", "subject", "summary", "tag", "target", "to", "updated", "url", "width",
	"proof", "cryptosuite", "proofPurpose", "proofValue", "verificationMethod", "created",
}

// Context returns a fresh @context for documents of kind: the fixed contexts, then one object that defines the
// terms. It is the same on every instance, and it is nil for a kind that is not known.
func Context(kind Kind) []any {
	k, ok := kinds[kind]
	if !ok {
		return nil
	}
	out := []any{ActivityStreams}
	for _, c := range k.contexts {
		out = append(out, c)
	}
	inline := map[string]any{}
	for _, term := range k.terms {
		d := terms[term]
		if iri, ok := prefixes[d.prefix]; ok {
			inline[d.prefix] = iri
		}
		if d.reference {
			inline[term] = map[string]any{"@id": d.prefix + ":" + d.name, "@type": "@id"}
		} else {
			inline[term] = d.prefix + ":" + d.name
		}
	}
	return append(out, inline)
}

// IsContext reports whether v, as jsonld.Parse gave it, is exactly the context of kind.
func IsContext(kind Kind, v any) bool {
	want := Context(kind)
	return want != nil && reflect.DeepEqual(want, v)
}

// SignedKind returns the kind of a signed object by the first of its types. The kinds that carry no proof are not
// known to it.
func SignedKind(object map[string]any) (Kind, bool) {
	name, _ := object["type"].(string)
	if list, ok := object["type"].([]any); ok && len(list) > 0 {
		name, _ = list[0].(string)
	}
	k, ok := kinds[Kind(name)]
	return Kind(name), ok && slices.Contains(k.contexts, DataIntegrity)
}

// HasTerm reports whether name may be a key, at any depth, of a signed object of kind.
func HasTerm(kind Kind, name string) bool {
	return slices.Contains(coreTerms, name) || slices.Contains(kinds[kind].terms, name)
}
