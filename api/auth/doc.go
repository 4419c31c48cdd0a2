// Package auth is how one logs in: accounts, sessions, invitations and the way back in.
//
// The passphrase never comes here. The browser stretches it and sends auth, 32 bytes that only prove that it was
// known; the server keeps argon2id(auth). What opens the listener's music, the seed, is kept wrapped under keys that
// the server does not have, or, when the listener chose so, sealed with the instance's master key.
//
// It is not for who one is to the world: that is the actor, which [Actors] makes. It knows no pages either; of HTTP it
// knows only the cookie. Begin with [New]; print the link of [Service.FirstLink] while there is no administrator.
package auth
