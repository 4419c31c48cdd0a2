package templates

import "time"

// Tier is what an artist sells by the month, as listeners see it.
type Tier struct {
	Name string
	// Words are the artist's, plain text in paragraphs.
	Words []string
	// Price is a month's.
	Price Money
	// Tracks counts what it holds now; Whole says that it is all that the artist has, also what comes. Tracks is 0 where that
	// is not known.
	Tracks int
	Whole  bool
	// URL leads to joining; empty where nobody can.
	URL string
	// State is how the visitor subscribes to it, as in [Subscription]; empty for not at all.
	State string
}

// Tiers is the list of an artist's tiers on another server.
type Tiers struct {
	Layout
	Artist, ArtistURL string
	Tiers             []Tier
}

func (*Tiers) page() string { return "tiers" }

// Subscribe is the page before joining, resuming or renewing.
type Subscribe struct {
	Layout
	Tier
	Artist, ArtistURL string
	// Action is where the form is posted; Seen is the price in smallest units that goes with it.
	Action, Seen string
	// Seller is the artist's instance's host, Provider the way of paying in words.
	Seller, Provider string
	// First is what is paid now, when that is known, for Month, which Ends. Where nothing is to be paid yet, Ends is zero.
	First Money
	Month time.Time
	Ends  time.Time
	// Partly says that First is for what is left of the month.
	Partly bool
	// Closes is when it stops to play if the next month is not paid.
	Closes time.Time
	// Shown is whether the listener wants to be seen among the subscribers.
	Shown bool
	// ReceivingKey and RequestingKey are the keys that the offer will name.
	ReceivingKey, RequestingKey string
	Error                       string
}

func (*Subscribe) page() string { return "subscribe" }

// Subscriptions is the list of what a listener subscribes to.
type Subscriptions struct {
	Layout
	Rows []Subscription
	// CanStand shows the standing orders: the instance has a payment node, and the visitor may spend its money.
	CanStand bool
	// Error is what was wrong with the order to the subscription ErrorID.
	Error, ErrorID string
}

func (*Subscriptions) page() string { return "subscriptions" }

// Subscription is one of a listener's.
type Subscription struct {
	ID, Name          string
	Artist, ArtistURL string
	// State is asked, active, ending, grace, lapsed or ended.
	State string
	Price Money
	// Ends is the end of what was paid, zero before; Closes is when it stops to play.
	Ends, Closes time.Time
	Words        string
	// TierURL leads to renewing or joining again; empty when there is nothing to do. PurchaseURL is the purchase under way.
	TierURL, PurchaseURL string
	CanCancel, CanResume bool
	// Standing is the order that stands, or nil; Most and Until are what its form begins with.
	Standing    *Standing
	Most, Until string
	Since       time.Time
}

// Standing is a listener's order to the own payment node.
type Standing struct {
	Most  Money
	Until time.Time
	// Covers says that it covers the price that was agreed to.
	Covers bool
}

// StudioTiers is the artist's list of tiers and subscribers.
type StudioTiers struct {
	Layout
	Rows        []StudioTier
	Subscribers []Subscriber
	Pager       Pager
}

func (*StudioTiers) page() string { return "studiotiers" }

// StudioTier is one tier as its artist sees it.
type StudioTier struct {
	Tier
	EditURL string
	Open    bool
	// Subscribers counts those who stand.
	Subscribers int
}

// Subscriber is one of an artist's.
type Subscriber struct {
	Name, URL, Tier string
	State           string
	Since, Ends     time.Time
	Shown           bool
}

// TierForm is the form of a tier.
type TierForm struct {
	Layout
	// ID is empty for a new one.
	ID, Name, Words, Price string
	Assets                 []Choice
	Whole, Open            bool
	Tracks                 []Choice
	// Errors is what is wrong, by field: name, words, price, asset, tracks.
	Errors map[string]string
}

func (*TierForm) page() string { return "tierform" }
