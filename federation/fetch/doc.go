// Package fetch gets documents of other servers: an object by its URI, and an actor by its handle.
//
// A document is taken only from the host that its id names: what an answer says of itself counts for nothing until it
// was asked for under that very id. Requests are signed with the instance actor's key, because some servers answer no
// others; they go through internal/httpx, which guards addresses, redirects, sizes and time, and never to this server
// itself.
//
// It keeps nothing: caching, and how often a host may be asked, are its callers' business. It does not look at what
// the document is about.
//
// Begin with New, then Fetcher.Get and Fetcher.Finger.
package fetch
