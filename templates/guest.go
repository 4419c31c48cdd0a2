package templates

// Guest is where somebody of another server begins to buy without an account
// here: they name their account, and a link is sent there.
type Guest struct {
	Layout
	Track Track
	// Host is this instance's.
	Host string
	// Handle is what was typed; SentTo is "@name@host" once a link was sent.
	Handle, SentTo string
	// Error says why none was sent, and what to do.
	Error string
}

func (*Guest) page() string { return "guest" }

// GuestLink is the page behind a guest's link. Looking at it uses nothing up.
type GuestLink struct {
	Layout
	// Handle is whose account the link proves, Title what is to be bought.
	Handle, Title string
	// Host is this instance's.
	Host string
	// Action is posted to go on; Action + "/refuse" to be written to no more.
	Action string
	// Gone says that the link is used up, expired or unknown; Refused that
	// nothing is sent any more.
	Gone, Refused bool
}

func (*GuestLink) page() string { return "guestlink" }

// GuestKeys is where a guest's browser makes keys, or opens the ones that
// were made in another browser.
type GuestKeys struct {
	Layout
	Host string
	// ReceivingKey is empty until keys were made; Recovery is the seed under
	// the recovery key (base64url).
	ReceivingKey, Recovery string
	// Next is where to go on.
	Next string
}

func (*GuestKeys) page() string { return "guestkeys" }
