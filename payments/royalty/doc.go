// Package royalty divides what listeners paid among the artists that they heard: the pure integer arithmetic of a
// month, which any node can run over the same lines and must get the same bytes.
//
// It reads no clock and no database, knows no floating-point number, and does not decide which plays count: that is
// for who keeps the listens. Money is Micro, a millionth of a US dollar; Tokens turns it into an asset's smallest
// units. Begin with Divide for one listener, or Compile for a month of many.
//
// The way of a month:
//
//	plays ── Credit ──▶ heard ── Line, one a (listener, track) and day ──▶ Tree.Root on the ledger, each day
//	                                    │ Compile: all days merged, listener after listener
//	                                    ▼
//	                      Divide ──▶ SplitLine, one a (listener, artist) ──▶ Tree.Root on the ledger, each month
//	                                    │
//	                                    ▼
//	                          Statement: totals by artist, what was carried, what the node earned
package royalty
