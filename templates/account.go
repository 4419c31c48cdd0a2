package templates

import "time"

// Signup makes an account. All secrets are made in the browser.
type Signup struct {
	Layout
	// Host is shown behind the name: "@name@host".
	Host string
	// Invite is the code from the link, sent back with the request.
	Invite string
	// InviteNeeded says that a code is required to sign up.
	InviteNeeded bool
	// Closed says that nobody can sign up; the page says so and nothing else.
	Closed bool
	// Guest is the handle of the guest who becomes the account, with the key
	// that is in this browser; empty for everyone else.
	Guest string
	// Rules is what the admin asks of members, one plain sentence each.
	Rules []string
	// Approval says that an admin decides, and asks for the reason to join; Waiting that it was sent.
	Approval, Waiting bool
}

func (*Signup) page() string { return "signup" }

// Login logs in. The passphrase stays in the browser.
type Login struct {
	Layout
	// Name is filled in when it is known.
	Name string
	// Next is a local path to go to afterwards, may be empty.
	Next string
}

func (*Login) page() string { return "login" }

// Recover is the page behind an admin's recovery link.
type Recover struct {
	Layout
	// Token is the link's secret, as in /recover/{token}.
	Token string
	// Name and Actor are whose account it is.
	Name, Actor string
	Custody     Custody
	// Recovery is the seed wrapped under the recovery key (base64url); the
	// browser opens it with what the listener types. Empty when there is none.
	Recovery string
	// Version is the version of the present wrapping; the new one is one more.
	Version int
	// Gone says that the link is used up, expired or unknown.
	Gone bool
}

func (*Recover) page() string { return "recover" }

// Settings is the page of one's own account.
type Settings struct {
	Layout
	// Sessions are the places where the account is logged in.
	Sessions []Session
	// ReceivingKey and RequestingKey are the current keys as Multikeys; the
	// page shows their [Fingerprint] and the browser compares them with its own.
	ReceivingKey, RequestingKey string
	// Version is the version of the wrapped seed.
	Version int
	// Bio is the profile's text, plain.
	Bio string
	// HasRecovery says that a recovery key was made.
	HasRecovery bool
	// Proxies are set for an artist: who keeps parts of the keys of what was sold.
	Proxies *Proxies
}

// Proxies are the instances that an artist's grants lean on.
type Proxies struct {
	// Threshold of Number open a grant.
	Threshold, Number int
	// Own are those that the artist chose, Trusted the hosts that the admin did.
	Own     []Holder
	Trusted []string
	// Address and Error are what was typed, and what is wrong with it.
	Address, Error string
}

func (*Settings) page() string { return "settings" }

// Session is one place where an account is logged in.
type Session struct {
	ID string
	// Agent is the browser in words ("Firefox on Android").
	Agent          string
	Since, Last    time.Time
	Current        bool
	ForMusicPlayer bool
}
