// Package jsonld reads JSON that came from strangers, strictly, and writes its canonical form.
//
// It refuses what two parsers could read in two ways: duplicate keys, lone surrogates, invalid UTF-8, a byte order
// mark, data behind the value; and it bounds size, depth and count before anything is built. It knows nothing of
// JSON-LD's expansion and never fetches a context: @context is a value like any other, compared by whoever cares.
//
// Begin with Parse for a document, ParseSigned for one that carries a proof, Canonicalize for what is signed.
package jsonld
