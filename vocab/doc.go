// Package vocab is what Antiphon says on the wire: ActivityPub's objects and activities and the music vocabulary
// beside them, as Go values that are built into JSON and read from it.
//
// One file holds one noun, its builder and its reader. Object gives the noun as a map[string]any that is ready to be
// signed (vocab/proof) or sent; it is written by hand, because go-fed's streams rewrites dates, durations and contexts.
// Build does the same for activities and for the nouns that every server knows (actor, note, collection), over
// streams' types. A reader takes raw JSON from a stranger, refuses what does not have the exact form, and returns a
// value that is still only a claim: who said it, and whether he may, is not looked at here. No reader passes a
// stranger's JSON to streams, whose own readers panic on an empty duration.
//
// There is no database and no network in it, and no context is ever fetched: Antiphon's own terms lie in an inline
// context, compared as a constant.
//
// Begin with ParseActivity for what arrives in an inbox, Context for the terms, and a noun's own builder.
package vocab
