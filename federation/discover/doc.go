// Package discover is how servers find each other: WebFinger, NodeInfo and host-meta for those who ask us, and a memory
// of those whom we ask or deliver to.
//
// Who an actor is stands in federation/actor; this package only leads to it. Begin with NewHosts for other servers, and
// New for the handlers.
package discover
