package pool_test

import (
	"fmt"
	"testing"

	"antiphon/payments/manual"
)

// What members have paid a month with is the address that the payment for it came from, in small letters; whoever noted it
// by hand is nobody's address.
func TestInstruments(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		names := []string{lin, base + "/users/eve", base + "/users/hand", base + "/users/nobody"}
		for _, name := range names[:3] {
			o := w.join(t, name)
			if name == lin {
				w.pay(t, o, 10_000_000, other) // in the wrong token: it pays nothing
			}
			w.pay(t, o, 10_000_000, asset)
		}
		w.posted(t, "2026-10")
		must(t, w.db.Write.Exec("UPDATE payments SET initiator = '0xFALSE' WHERE outcome = 'misplaced'").Error)
		must(t, w.db.Write.Exec("UPDATE payments SET provider = ? WHERE order_uri IN (SELECT order_uri FROM pool_payments WHERE listener = ?)", manual.Name, names[2]).Error)
		got, err := w.Instruments(t.Context(), "2026-10", names)
		must(t, err)
		const address = "0xd1220a0cf47c7b9be7a2e6ba89f429762e7b9adb"
		if fmt.Sprint(got) != fmt.Sprint(map[string]string{lin: address, names[1]: address}) {
			t.Errorf("%v", got)
		}
		if got, err = w.Instruments(t.Context(), "2026-11", names); err != nil || len(got) != 0 {
			t.Errorf("a month that nobody has paid: %v, %v", got, err)
		}
	})
}
