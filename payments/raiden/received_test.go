package raiden_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
	"antiphon/payments/raiden/raidentest"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// line is a payment that the payee has received, complete.
func line(n *raidentest.Network, identifier uint64) raidentest.Line {
	secret, hash := raidentest.Secret()
	return raidentest.Line{
		Event: raiden.EventReceived, Initiator: n.Payer.Address, Target: n.Payee.Address, Amount: "5", Identifier: identifier,
		Secret: secret, SecretHash: hash, Time: noon.Add(time.Duration(identifier) * time.Second),
	}
}

func identifiers(page raiden.ReceivedPage) string {
	var out []uint64
	for _, p := range page.Payments {
		out = append(out, p.Identifier)
	}
	return fmt.Sprint(out)
}

// TestNotCreditable: none of these lines of a light node's history may be credited.
func TestNotCreditable(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(n *raidentest.Network, l *raidentest.Line){
		"sent":              func(_ *raidentest.Network, l *raidentest.Line) { l.Event = raiden.EventSent },
		"failed":            func(_ *raidentest.Network, l *raidentest.Line) { l.Event = raiden.EventSentFailed },
		"unknown event":     func(_ *raidentest.Network, l *raidentest.Line) { l.Event = "EventPaymentReceivedMaybe" },
		"mediated":          func(_ *raidentest.Network, l *raidentest.Line) { l.Target = eip55.Address{0x77} },
		"nothing":           func(_ *raidentest.Network, l *raidentest.Line) { l.Amount = "0" },
		"expired":           func(_ *raidentest.Network, l *raidentest.Line) { l.Secret = "" },
		"expired, 0x":       func(_ *raidentest.Network, l *raidentest.Line) { l.Secret = "0x" },
		"no hash":           func(_ *raidentest.Network, l *raidentest.Line) { l.SecretHash = "" },
		"another secret":    func(_ *raidentest.Network, l *raidentest.Line) { l.Secret, _ = raidentest.Secret() },
		"hash as secret":    func(_ *raidentest.Network, l *raidentest.Line) { l.Secret = l.SecretHash },
		"negative":          func(_ *raidentest.Network, l *raidentest.Line) { l.Amount = "-5" },
		"float":             func(_ *raidentest.Network, l *raidentest.Line) { l.Amount = "5.5" },
		"exponent":          func(_ *raidentest.Network, l *raidentest.Line) { l.Amount = "5e3" },
		"over 256 bits":     func(_ *raidentest.Network, l *raidentest.Line) { l.Amount = "1" + fmt.Sprintf("%078d", 0) },
		"leading zero":      func(_ *raidentest.Network, l *raidentest.Line) { l.Amount = "05" },
		"null":              func(_ *raidentest.Network, l *raidentest.Line) { l.Raw = "null" },
		"number":            func(_ *raidentest.Network, l *raidentest.Line) { l.Raw = "7" },
		"empty object":      func(_ *raidentest.Network, l *raidentest.Line) { l.Raw = "{}" },
		"identifier 2^64":   rawLine(`"amount":"5","identifier":"18446744073709551616"`),
		"identifier -1":     rawLine(`"amount":"5","identifier":-1`),
		"no identifier":     rawLine(`"amount":"5"`),
		"another token":     rawLine(`"amount":"5","identifier":"1","token_address":"0x0000000000000000000000000000000000000001"`),
		"wrong checksum":    rawLine(`"amount":"5","identifier":"1","initiator":"0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed"`),
		"unreadable time":   rawLine(`"amount":"5","identifier":"1","log_time":"yesterday"`),
		"amount in an list": rawLine(`"amount":["5"],"identifier":"1"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := raidentest.New(t, raiden.DialectLight)
			bad := line(n, 1)
			change(n, &bad)
			n.Payee.Add(bad, line(n, 2))
			page, err := n.Payee.Client(t).Received(t.Context(), n.Token, "", 10)
			if err != nil || identifiers(page) != "[2]" {
				t.Errorf("received %+v, %v", page, err)
			}
			// It does not hold up the others either.
			if again, err := n.Payee.Client(t).Received(t.Context(), n.Token, page.Next, 10); err != nil || len(again.Payments) != 0 {
				t.Errorf("after the cursor %+v, %v", again, err)
			}
		})
	}
}

// rawLine is a received event with the given fields and a secret that opens its lock.
func rawLine(fields string) func(n *raidentest.Network, l *raidentest.Line) {
	return func(n *raidentest.Network, l *raidentest.Line) {
		l.Raw = fmt.Sprintf(`{"event":"EventPaymentReceivedSuccess","target":%q,"secret":%q,"secret_hash":%q,%s}`,
			n.Payee.Address, l.Secret, l.SecretHash, fields)
	}
}

// TestPendingIsHeld: both dialects may list a transfer as received while it is under way.
func TestPendingIsHeld(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			n := raidentest.New(t, d)
			client := n.Payee.Client(t)
			n.Payee.Add(line(n, 1), line(n, 2), line(n, 3))
			n.Payee.Pending(n.Payee.PendingTransfer(n.Payer.Address, 2))
			held, err := client.Received(t.Context(), n.Token, "", 10)
			if err != nil || identifiers(held) != "[1 3]" || held.More {
				t.Fatalf("received %+v, %v", held, err)
			}
			// What came behind it comes again, under its old key, until the transfer has ended.
			again, err := client.Received(t.Context(), n.Token, held.Next, 10)
			if err != nil || identifiers(again) != "[3]" || again.Payments[0].Key != held.Payments[1].Key || again.Next != held.Next {
				t.Fatalf("received %+v, %v", again, err)
			}
			n.Payee.Pending()
			done, err := client.Received(t.Context(), n.Token, again.Next, 10)
			if err != nil || identifiers(done) != "[2 3]" {
				t.Fatalf("received %+v, %v", done, err)
			}
			if end, err := client.Received(t.Context(), n.Token, done.Next, 10); err != nil || len(end.Payments) != 0 {
				t.Errorf("after the end %+v, %v", end, err)
			}
		})
	}
}

// TestMediatedPendingIsPassed: what a hub only passes on does not hold up what it is paid itself.
func TestMediatedPendingIsPassed(t *testing.T) {
	t.Parallel()
	n := raidentest.New(t, raiden.DialectLight)
	through, sent := line(n, 1), line(n, 2)
	through.Target, through.Secret = eip55.Address{0x77}, ""
	sent.Event, sent.Initiator, sent.Target, sent.Secret = raiden.EventSent, n.Payee.Address, n.Payer.Address, ""
	n.Payee.Add(through, sent, line(n, 3))
	n.Payee.Pending(n.Payee.PendingTransfer(n.Payer.Address, 1), n.Payee.PendingTransfer(n.Payee.Address, 2))
	page, err := n.Payee.Client(t).Received(t.Context(), n.Token, "", 10)
	if err != nil || identifiers(page) != "[3]" {
		t.Fatalf("received %+v, %v", page, err)
	}
	if again, err := n.Payee.Client(t).Received(t.Context(), n.Token, page.Next, 10); err != nil || len(again.Payments) != 0 || again.Next != page.Next {
		t.Errorf("after the cursor %+v, %v", again, err)
	}
}

// TestSecretComesLate: a light node shows the secret after it has listed the transfer; by then it may no longer be
// among the pending ones, which were asked for in between.
func TestSecretComesLate(t *testing.T) {
	t.Parallel()
	n := raidentest.New(t, raiden.DialectLight)
	late := line(n, 1)
	secret := late.Secret
	late.Secret = ""
	n.Payee.Add(late)
	n.Payee.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/api/v1/pending_transfers/"+n.Token.String() {
			n.Payee.Change(func(h []raidentest.Line) []raidentest.Line {
				h[0].Secret = secret
				return append(h, line(n, 2)) // came after the pending transfers were asked for
			})
		}
		return false
	})
	page, err := n.Payee.Client(t).Received(t.Context(), n.Token, "", 10)
	if err != nil || identifiers(page) != "[1]" {
		t.Fatalf("received %+v, %v", page, err)
	}
	n.Payee.Intercept(nil)
	if page, err = n.Payee.Client(t).Received(t.Context(), n.Token, page.Next, 10); err != nil || identifiers(page) != "[2]" {
		t.Errorf("received %+v, %v", page, err)
	}
}

// TestRestoredNode: the history is not the one that the cursor was made for.
func TestRestoredNode(t *testing.T) {
	t.Parallel()
	n := raidentest.New(t, raiden.DialectLight)
	client := n.Payee.Client(t)
	n.Payee.Add(line(n, 1), line(n, 2))
	page, err := client.Received(t.Context(), n.Token, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	n.Payee.Change(func(h []raidentest.Line) []raidentest.Line { return h[:1] })
	if _, err := client.Received(t.Context(), n.Token, page.Next, 10); !errors.Is(err, raiden.ErrCursor) {
		t.Errorf("shorter: %v", err)
	}
	n.Payee.Add(line(n, 9))
	if _, err := client.Received(t.Context(), n.Token, page.Next, 10); !errors.Is(err, raiden.ErrCursor) {
		t.Errorf("another line: %v", err)
	}
	again, err := client.Received(t.Context(), n.Token, "", 10)
	if err != nil || identifiers(again) != "[1 9]" || again.Payments[0].Key != page.Payments[0].Key {
		t.Errorf("from the beginning %+v, %v", again, err)
	}
}

func request(n *raidentest.Network, units, identifier uint64) raiden.PayRequest {
	return raiden.PayRequest{Token: n.Token, Target: n.Payee.Address, Amount: amount.NewUnits(units), Identifier: identifier}
}

// TestAnswerIsLost: the payment was made, but its answer did not come: it must not be made again.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			n := raidentest.New(t, d)
			payer := raiden.NewPayer(n.Payer.Client(t))
			n.Payer.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				n.Payer.Intercept(nil)
				n.Payer.ServeHTTP(discard{}, r)
				panic(http.ErrAbortHandler) // the connection breaks
			})
			if _, err := payer.PayOnce(t.Context(), request(n, 5, 77)); !errors.Is(err, raiden.ErrUnknownOutcome) {
				t.Fatalf("pay: %v", err)
			}
			paid, err := payer.PayOnce(t.Context(), request(n, 5, 77))
			if err != nil || paid.Initiator != n.Payer.Address || paid.Amount != amount.NewUnits(5) {
				t.Errorf("pay again: %+v, %v", paid, err)
			}
			if made := n.Payer.Paid(); made != 1 {
				t.Errorf("paid %d times", made)
			}
		})
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// TestPayerWaits: while a transfer of the node is pending nothing is sent.
func TestPayerWaits(t *testing.T) {
	t.Parallel()
	n := raidentest.New(t, raiden.DialectLight)
	payer := raiden.NewPayer(n.Payer.Client(t))
	pending := func(identifier uint64) string {
		return fmt.Sprintf(`{"channel_identifier":"1","initiator":%q,"target":%q,"payment_identifier":"%d","locked_amount":"1","role":"initiator"}`,
			n.Payer.Address, n.Payee.Address, identifier)
	}
	n.Payer.Pending(pending(1))
	if _, err := payer.PayOnce(t.Context(), request(n, 5, 1)); !errors.Is(err, raiden.ErrUnknownOutcome) {
		t.Errorf("the same: %v", err)
	}
	if _, err := payer.PayOnce(t.Context(), request(n, 5, 2)); !errors.Is(err, raiden.ErrBusy) {
		t.Errorf("another: %v", err)
	}
	n.Payer.Pending(n.Payer.PendingTransfer(n.Payee.Address, 3)) // someone pays us
	if _, err := payer.PayOnce(t.Context(), request(n, 5, 2)); err != nil {
		t.Errorf("while receiving: %v", err)
	}
	n.Payer.Pending()
	n.Payer.Add(raidentest.Line{Raw: "{}"})
	if _, err := payer.PayOnce(t.Context(), request(n, 5, 4)); !errors.Is(err, raiden.ErrProtocol) {
		t.Errorf("with an unreadable line, which could be it: %v", err)
	}
	if made := n.Payer.Paid(); made != 1 {
		t.Errorf("paid %d times", made)
	}
}
