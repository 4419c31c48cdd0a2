// Package inbox takes what other servers send: it authenticates each activity, stores it byte for byte with a job in
// one transaction, answers 202, and then lets one handler per verb act on it.
//
//	size → host block, rate of the key's host → signature → key's owner = actor → id on the actor's host
//	     → stored, once per (actor, id), with its job → 202 → job: verb and kind of object → handler → outcome
//
// The same activity twice is a 202 with no second effect. A handler looks at who owns what; it is told only who
// speaks. The package sends nothing by itself but through federation/outbox, and serves no documents.
//
// Begin with New, add other rooms' verbs with Inbox.Handle, then Inbox.Register and mount the Inbox as the handler of
// every inbox.
package inbox
