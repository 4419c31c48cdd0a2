package templates

import "time"

// Admin is the admin's home: what needs them today, then everything else.
type Admin struct {
	Layout
	// Disk is where the data folder lies.
	Disk Disk
	// Peers are the hosts that do not take deliveries.
	Peers []Peer
	// Reports and Held count what waits for a decision; their URLs lead there.
	Reports, HeldGrants int
	// Signups counts who waits to be let in.
	Signups                   int
	ReportsURL, HeldGrantsURL string
	// FailedJobs counts jobs that were given up.
	FailedJobs int
	Accounts   []Account
	Pager      Pager
	Query      string
	Invites    []Invite
	// NewInvite and RecoverLink are shown once, right after they were made;
	// RecoverFor is whose account the link restores.
	NewInvite, RecoverLink, RecoverFor string
	RecoverUntil                       time.Time
	// Figures of the instance.
	Tracks, Artists, Listeners int
	// Version is the program's version.
	Version string
}

func (*Admin) page() string { return "admin" }

// Disk is the space in the data folder, in bytes.
type Disk struct {
	Used, Free, Total int64
	// Low says that there is too little left to go on calmly.
	Low bool
}

// Peer is a host that does not take deliveries.
type Peer struct {
	Host string
	// Since is when it last answered.
	Since time.Time
	// Waiting counts deliveries that are kept for it.
	Waiting int
	// Words says in plain words what happens there.
	Words string
}

// Account is one row of the accounts list.
type Account struct {
	Name, Display, URL string
	Created, LastSeen  time.Time
	Custody            Custody
	Admin, Suspended   bool
	Tracks             int
}

// Invite is a code that lets somebody sign up.
type Invite struct {
	ID, Link  string
	Uses, Max int
	Expires   time.Time
}
