package evidence

import (
	"fmt"
	"strconv"
	"time"

	"antiphon/payments/amount"
	"antiphon/vocab"
)

// Line is one thing that an object says.
type Line struct {
	// Name is a word such as "buyer", Value what is said, without control characters.
	Name  string `json:"name"`
	Value string `json:"value"`
}

// statement reads the exact form of an object of kind, and says in words what it says.
func statement(kind vocab.Kind, raw []byte) ([]Line, error) {
	read, ok := readers[kind]
	if !ok {
		return nil, fmt.Errorf("objects of type %s cannot be read here", kind)
	}
	return read(raw)
}

// readers has one for every kind that carries a proof.
var readers = map[vocab.Kind]func(raw []byte) ([]Line, error){
	vocab.KindReceipt: reader(vocab.ReadReceipt, func(r vocab.Receipt) []Line {
		return []Line{
			{"receipt", r.ID}, {"seller", r.AttributedTo}, {"buyer", r.To}, {"bought", versioned(r.Product, r.Version)},
			{"ground", string(r.Ground)}, {"amount", price(r.Price)}, {"paid through", r.Provider}, {"paid at", moment(r.PaidAt)},
			{"agreement", r.Agreement}, {"buyer's receiving key", r.ReceivingKey}, {"buyer's requesting key", r.RequestingKey},
		}
	}),
	vocab.KindAccessGrant: reader(vocab.ReadGrant, func(g vocab.Grant) []Line {
		return []Line{
			{"grant", g.ID}, {"seller", g.AttributedTo}, {"buyer", g.To}, {"bought", versioned(g.Product, g.Version)},
			{"opens", count(len(g.Items), "track")}, {"from", moment(g.StartTime)}, {"until", end(g.EndTime)},
			{"with", fmt.Sprintf("%d of %s", g.Threshold, count(len(g.Proxies), "proxy"))}, {"receipt", g.Receipt},
			{"buyer's receiving key", g.ReceivingKey}, {"buyer's requesting key", g.RequestingKey},
		}
	}),
	vocab.KindAgreement: readAgreement,
	vocab.KindInvoice: reader(vocab.ReadInvoice, func(i vocab.Invoice) []Line {
		return append([]Line{}, invoice(i)...)
	}),
	vocab.KindAudioTrack: reader(vocab.ReadTrack, func(t vocab.Track) []Line {
		return []Line{
			{"track", t.ID}, {"artist", t.AttributedTo}, {"title", quoted(t.Name)}, {"length", t.Duration.String()},
			{"published", moment(t.Published)}, {"manifest", t.Manifest.CID}, {"ISRC", t.ISRC},
		}
	}),
	vocab.KindKeyFragment: reader(vocab.ReadKeyFragment, func(k vocab.KeyFragment) []Line {
		return []Line{
			{"key fragment", k.ID}, {"artist", k.AttributedTo}, {"kept by", k.Target}, {"of grant", k.Grant},
			{"for", count(len(k.Capsules), "capsule")}, {"from", moment(k.StartTime)}, {"until", end(k.EndTime)},
		}
	}),
	vocab.KindMembership: reader(vocab.ReadMembership, func(m vocab.Membership) []Line {
		return []Line{
			{"member", m.Subject}, {"of the pool through", m.AttributedTo}, {"told to", m.Audience}, {"month", m.Month}, {"until", moment(m.EndTime)},
		}
	}),
	vocab.KindLedgerRecords: reader(vocab.ReadLedgerRecords, func(l vocab.LedgerRecords) []Line {
		lines := []Line{{"records", l.ID}, {"of the ledger of", l.AttributedTo}, {"after record", strconv.FormatInt(l.Previous, 10)}}
		for _, r := range l.Records {
			lines = append(lines, Line{fmt.Sprintf("record %d", r.Number), r.Call + " " + quoted(r.Arguments)})
		}
		return lines
	}),
	vocab.KindPayoutInstruction: reader(vocab.ReadPayoutInstruction, func(p vocab.PayoutInstruction) []Line {
		return []Line{{"artist", p.AttributedTo}, {"is paid in", p.Asset}, {"at", p.Address}, {"said at", moment(p.Published)}}
	}),
	vocab.KindPoolAppeal: reader(vocab.ReadPoolAppeal, func(a vocab.PoolAppeal) []Line {
		return []Line{{"artist", a.AttributedTo}, {"of the pool's month", a.Month}, {"says", quoted(a.Content)}, {"said at", moment(a.Published)}}
	}),
	vocab.KindKeyLink: reader(vocab.ReadKeyLink, func(l vocab.KeyLink) []Line {
		return []Line{
			{"listener", l.Actor}, {"key before", l.From}, {"new receiving key", l.Receiving}, {"new requesting key", l.Requesting},
			{"created", moment(l.Created)},
		}
	}),
}

// readAgreement reads a seller's agreement, which has an id, or the one that a buyer has offered and signed.
func readAgreement(raw []byte) ([]Line, error) {
	a, err := vocab.ReadAgreement(raw)
	if err != nil {
		offered, offeredErr := vocab.ReadOfferedAgreement(raw)
		if offeredErr != nil {
			return nil, err
		}
		a = offered
	}
	lines := []Line{
		{"agreement", a.ID}, {"signed by", a.AttributedTo}, {"on", versioned(a.Product, a.Version)}, {"amount", price(a.Price)},
		{"buyer's receiving key", a.ReceivingKey}, {"buyer's requesting key", a.RequestingKey}, {"earlier receipt", a.Receipt},
	}
	if a.Invoice != nil {
		lines = append(lines, invoice(*a.Invoice)...)
	}
	return filled(lines), nil
}

func invoice(i vocab.Invoice) []Line {
	return []Line{
		{"to pay", price(i.Price)}, {"through", i.Provider}, {"to", quoted(i.Target)}, {"identifier", i.Identifier}, {"pay until", moment(i.Expires)},
	}
}

func reader[T any](read func([]byte) (T, error), say func(T) []Line) func([]byte) ([]Line, error) {
	return func(raw []byte) ([]Line, error) {
		object, err := read(raw)
		if err != nil {
			return nil, err
		}
		return filled(say(object)), nil
	}
}

// filled leaves out what an object does not say.
func filled(lines []Line) []Line {
	var out []Line
	for _, l := range lines {
		if l.Value != "" {
			out = append(out, l)
		}
	}
	return out
}

func price(p vocab.Price) string {
	a, err := amount.Parse(p.Amount, p.Asset)
	if p.Free() || err != nil {
		return p.Amount
	}
	return a.Decimal(p.Decimals) + " of " + p.Asset
}

func versioned(product string, version int) string {
	if version == 0 {
		return product
	}
	return fmt.Sprintf("%s (version %d)", product, version)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func end(t *time.Time) string {
	if t == nil {
		return "for good"
	}
	return moment(*t)
}

func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun == "proxy":
		return fmt.Sprintf("%d proxies", n)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// quoted keeps what somebody wrote from moving a terminal's cursor.
func quoted(s string) string { return strconv.Quote(s) }
