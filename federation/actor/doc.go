// Package actor knows who is who: the actors that live here with their keys, and remote ones as their own servers
// describe them.
//
// A local actor is made once, inside the transaction of its sign-up; its private keys lie sealed in the database. A
// remote actor is fetched, checked and kept, and asked for again at most once a minute. The package says which key
// belongs to whom; it does not log anybody in (that is api/auth) and does not decide what an actor may do.
//
// Begin with New, then Registry.EnsureInstance, then Registry.Find for anybody.
package actor
