package api_test

import (
	"net/http"
	"testing"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// A payment that is charged back after its month is final, and money that nobody claims: what the artist and the admin see.
func TestMendedMonth(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	s := i.reporting(t)
	admin, ada := i.admin(t, "vera"), i.signedUp(t, "ada", nil)
	i.signedUp(t, "lin", nil)
	host := hostOf(i.base)
	i.clock.Set(october.Next().Day(24))
	check(t, s.Reports.StateFinal(t.Context(), october))
	i.clock.Set(october.Next().Day(25))
	check(t, s.Reports.ListPayouts(t.Context(), october))
	ada, admin = i.loggedIn(t, ada), i.loggedIn(t, admin)
	ada.get("/statements").want(http.StatusOK, "What you are owed now", "$18.000000", "goes to all artists on 2028-11-25", "!Correction of")
	admin.get("/admin/months?month=2026-10").want(http.StatusOK, "no address was given before the 23rd; the oldest of it is kept until 2028-11-25", "!What was mended")

	i.clock.Set(october.Next().Next().Day(2))
	name := royalty.Pseudonym([32]byte{5}, october, i.base+"/users/lin")
	check(t, s.Book().Submit(t.Context(), contract.Chargeback{Node: host, Month: october, Pseudonym: name, PaymentHash: contract.Digest("test", name)}))
	check(t, s.Reports.CorrectChargeback(t.Context(), october, name))
	ada, admin = i.loggedIn(t, ada), i.loggedIn(t, admin)
	ada.get("/statements").want(http.StatusOK, "2026-12: -$9.000000", "Correction of 2026-10:", "<strong>-$9.000000</strong>, charged back", "$9.000000</strong> from")
	ada.get("/statements.csv").want(http.StatusOK, "2026-12,"+host+",correction,,,,-9.000000,,,correction of 2026-10: charged back", "2026-10,"+host+",final,2,4,800,18.000000")
	for _, month := range []string{"2026-10", "2026-12"} {
		admin.get("/admin/months?month="+month).want(http.StatusOK, "What was mended, and what nobody claimed", "<strong>-$9.000000</strong>", ada.actor, "charged back",
			"Correction of 2026-10, made in 2026-12.", "this instance, and what it carries", "-$1.000000")
	}
	admin.get("/admin/months?month=2026-11").want(http.StatusOK, "!What was mended")

	// Two years later nobody has said where to send the rest.
	last := royalty.Month("2028-10")
	for month := october.Next(); month <= last; month = month.Next() {
		i.clock.Set(month.Next().Day(4))
		check(t, s.Reports.ReportMonth(t.Context(), month))
		i.clock.Set(month.Next().Day(24))
		check(t, s.Reports.StateFinal(t.Context(), month))
	}
	i.clock.Set(last.Next().Day(25))
	check(t, s.Reports.ListPayouts(t.Context(), last))
	check(t, s.Reports.LapseUnclaimed(t.Context(), last))
	ada, admin = i.loggedIn(t, ada), i.loggedIn(t, admin)
	ada.get("/statements").want(http.StatusOK, "2028-10: -$9.000000", "<strong>-$9.000000</strong> went to all artists: nobody had said where to send it", "!What you are owed now")
	ada.get("/statements.csv").want(http.StatusOK, "2028-10,"+host+",lapsed,,,,-9.000000,,,not claimed in time")
	admin.get("/admin/months?month=2028-10").want(http.StatusOK, "not claimed in time", ada.actor, "<strong>-$9.000000</strong>")
}
