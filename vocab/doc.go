// Package vocab is what Antiphon says on the wire: ActivityPub's objects and activities and the music vocabulary
// beside them, as Go values that are built into JSON and read from it.
//
// One file holds one noun, its builder and its reader. A builder returns a map[string]any that is ready to be sent,
// or to be signed first (vocab/proof). What the core vocabulary knows is built with go-fed's streams types; what
// carries a proof is written by hand, because streams rewrites dates, durations and contexts. A reader takes raw
// JSON from a stranger, refuses what does not have the exact form, and returns a value that is still only a claim:
// who said it, and whether he may, is not looked at here.
//
// There is no database and no network in it, and no context is ever fetched: Antiphon's own terms lie in an inline
// context, compared as a constant.
//
// Begin with ParseActivity for what arrives in an inbox, Context for the terms, and a noun's own builder.
package vocab
