// Package witness signs for the ledgers of others: it keeps the last checkpoint of each and signs a newer one only when
// that is shown to go on from it (c2sp.org/tlog-witness, c2sp.org/tlog-cosignature).
//
// Who has been signed for cannot change what was recorded before, not even with its key and its database, unless all
// of its witnesses help. A witness does not look at records and does not say that they are right. It speaks no HTTP:
// package api does, and federation/witness asks others. Begin with New and Witness.Add; Submission is what is sent.
package witness
