package templates

import "time"

// AdminHosts is the admin's list of other servers, and of what waits for them.
type AdminHosts struct {
	Layout
	Hosts []Host
	Pager Pager
	Query string
}

func (*AdminHosts) page() string { return "admin_hosts" }

// Host is another server.
type Host struct {
	// Name is the host, with its port where there is one; Software is what it says it runs, or empty.
	Name, Software string
	// Music says that it reads our vocabulary, Newer that it reads signatures after RFC 9421.
	Music, Newer bool
	// State is "ok", "suspect", "down" or "gone".
	State  string
	Paused bool
	// Waiting counts the deliveries that wait for it, Dropped those that were given up lately.
	Waiting, Dropped int
	// Oldest is when the oldest that waits was sent, Next when the host is tried again; zero when there is none.
	Oldest, Next time.Time
	// Words is what went wrong last, as it was noted.
	Words string
	// Retry offers to try again at once.
	Retry bool
}
