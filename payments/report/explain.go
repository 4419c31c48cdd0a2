package report

import (
	"errors"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Explain says to an admin what a refusal means and what to do, in two sentences; the error itself stands beside it.
func Explain(err error) string {
	for _, e := range []struct {
		is    error
		words string
	}{
		{ErrAltered, "The lines of a day are not the ones that were reported. Restore them from a backup; what was reported cannot be changed."},
		{ErrTwice, "Somebody is named twice. Look for a listener or a track that the source counts twice."},
		{ErrNotYet, "Its time has not come. It is done by itself when it has."},
		{ErrUnknown, "There is no such report here. Look at the month and the address."},
		{royalty.ErrInvalid, "The figures are not those of a month's listening. Counts out of bounds, or a name that no line can hold, come from the source."},
		{contract.ErrChain, "The report does not follow the one before. The days or months between have to be reported first."},
		{contract.ErrDuplicate, "This was recorded before. What stands on the ledger counts."},
		{contract.ErrLate, "It is too late: the month is closed. A correction in a later month can mend it."},
		{contract.ErrEarly, "It is too early. It is done by itself when its time has come."},
		{contract.ErrSum, "The sums do not come out. Nothing was written; compare payments, listeners and days with the ledger."},
		{contract.ErrOverflow, "A sum is larger than one ledger counts. Such figures are a mistake or an attempt."},
		{contract.ErrOverdrawn, "More would be paid than is owed. Nothing was written."},
		{contract.ErrUnknown, "The ledger does not know it: a node, a policy, a report or a dispute is missing."},
		{contract.ErrCaller, "This instance may not say that."},
		{contract.ErrFrivolous, "Whoever opens this has lost too many disputes of late, and has to wait."},
		{contract.ErrInvalid, "The ledger does not take these figures: one is missing or out of bounds. Nothing was written."},
		{contract.ErrState, "The dispute is past that step."},
	} {
		if errors.Is(err, e.is) {
			return e.words
		}
	}
	return "It did not work, and nothing was written. It is tried again."
}
