package raiden

import (
	"testing"

	"antiphon/payments/amount"
)

// FuzzReadEvent: whatever a node sends is read or refused, and what is read holds to the rules of its types.
func FuzzReadEvent(f *testing.F) {
	const secret = `"secret":"0x0000000000000000000000000000000000000000000000000000000000000001"`
	for _, s := range []string{
		`{"event":"EventPaymentReceivedSuccess","initiator":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","amount":5,"identifier":1}`,
		`{"event":"EventPaymentSentSuccess","target":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","amount":"5","identifier":"1",` + secret + `}`,
		`{"event":"EventPaymentSentFailed","target":null,"identifier":18446744073709551615,"reason":"no route","log_time":"2026-11-20T12:00:00.123"}`,
		`{"event":"x","amount":1e3,"identifier":-1}`, `null`, `[]`, `{`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := readEvent(data)
		if err != nil {
			return
		}
		if e.Kind == "" || e.key() == "" || e.mark() == "" {
			t.Errorf("event %+v", e)
		}
		if again, err := amount.ParseUnits(e.Amount.String()); err != nil || again != e.Amount {
			t.Errorf("amount %s: %v", e.Amount, err)
		}
		if e.proven() && e.Secret.Hash() != e.SecretHash {
			t.Error("proven without proof")
		}
	})
}

func TestLogTime(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2026-11-20T12:00:00.123":       "2026-11-20T12:00:00.123Z",
		"2026-11-20T12:00:00":           "2026-11-20T12:00:00Z",
		"2026-11-20T12:00:00Z":          "2026-11-20T12:00:00Z",
		"2026-11-20T13:00:00.5+01:00":   "2026-11-20T12:00:00.5Z",
		"2026-11-20":                    "",
		"2026-11-20T12:00:00.123 +0100": "",
	} {
		got, err := logTime(in)
		if (err == nil) != (want != "") || (err == nil && got.Format("2006-01-02T15:04:05.999Z07:00") != want) {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
}

func FuzzUserDeposit(f *testing.F) {
	for _, s := range []string{`"12"`, `12`, `{"total_deposit":"5"}`, `{"balance":7,"x":[]}`, `{"effective_balance":-1}`, `null`, `[]`, `{`, `{"amount":"1e3"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if units, ok := readUserDeposit(data); ok {
			if again, err := amount.ParseUnits(units.String()); err != nil || again != units {
				t.Errorf("amount %s: %v", units, err)
			}
		}
	})
}
