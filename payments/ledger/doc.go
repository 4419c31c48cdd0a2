// Package ledger is the instance's append-only ledger: who is owed what, as a signed Merkle log in the instance's own
// database. Each record is the call of a contract function with what it wrote; the function, the log's hashes and the
// signed checkpoint are written in the caller's transaction, or not at all.
//
// It is not for personal data: agreements and payees appear as SHA-256 of their URIs, buyers not at all. It moves no
// money, and it keeps no secret from who has the database; what it gives is that nobody can change the past without
// the checkpoints that others have seen saying so.
//
// The log is that of RFC 6962 as golang.org/x/mod/sumdb/tlog has it; checkpoints are signed notes
// (golang.org/x/mod/sumdb/note, transparency-dev/formats). Begin with New, post with Ledger.Post, check with
// Ledger.VerifyAll.
package ledger
