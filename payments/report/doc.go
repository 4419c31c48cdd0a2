// Package report tells what was heard and who is paid for it: the day's report, the month's statement, and the list of
// payouts, each computed from the lines of the one before and each with its root on the ledger.
//
//	ListenSource ──▶ lines of a day ──▶ DayReport       each morning
//	                     │ Month.Compile, over all days of the month and all who paid
//	                     ▼
//	                 split lines ──▶ MonthReport         from the 4th on
//	                     │ decisions on what was held, rulings on disputes
//	                     ▼
//	                 split lines ──▶ FinalStatement      when disputes are settled
//	                     ▼
//	                 payout lines, exported; Payouts when they were sent
//
// The lines stay on the instance; the ledger has roots, counts and pseudonyms. Which plays count is decided by who keeps
// them ([ListenSource]) and by people ([Service.Decide]); the arithmetic is payments/royalty's; what may be reported and
// when is the contract's (payments/ledger/contract). No money moves here: a list of payouts is exported, and what was
// sent is recorded ([Service.Sent]).
//
// Begin with [New] and [Service.Register]; with [Month.Compile] to compute a month that somebody else has reported.
package report
