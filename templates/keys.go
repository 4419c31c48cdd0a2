package templates

import "time"

// Keys is the page of a listener's keys: a new one, and how far what was bought
// for earlier ones is granted anew.
type Keys struct {
	Layout
	// ReceivingKey and RequestingKey are the keys of now, as Multikeys.
	ReceivingKey, RequestingKey string
	// Rows are the purchases that were asked for anew; Waiting counts those
	// that were not yet. Granted of Total are done.
	Rows                    []Anew
	Waiting, Granted, Total int
	// MovedTo is the account that this one has moved to, or empty.
	MovedTo string
	// Error says what was wrong with a file.
	Error string
}

func (*Keys) page() string { return "keys" }

// Anew is a purchase whose grant is asked for anew. State is asked, silent,
// granted, refused or letgo.
type Anew struct {
	ID, Title, Seller, State, Words string
	Since                           time.Time
}

// KeyHold is a buyer to whom nothing more is sold until the artist says yes.
type KeyHold struct {
	Buyer, Name, Key string
	Since            time.Time
}
