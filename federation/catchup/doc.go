// Package catchup fetches what was not delivered: the back catalogue of an artist whom somebody here has begun to
// follow, and what followed actors posted while this instance was down.
//
// Others stop delivering after minutes or days, so a follower who only waits misses things. The outbox, the featured
// posts and the tracks of an actor are read within a budget of pages, posts and time, as jobs; what is found goes through
// the same checks as what is received (inbox.Inbox.Take). The package fetches nothing for strangers and keeps no copy of
// its own.
//
// Begin with New and Service.Register; call Service.Begin once at start, and Service.Watch while the instance lives.
package catchup
