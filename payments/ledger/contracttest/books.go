package contracttest

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Asset is what listeners and artists are paid in: a token of 18 decimals.
const Asset amount.Asset = "antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

// Heard is what one listener heard of one artist.
type Heard struct {
	Listener, Artist string
	Plays            int64
}

// Books are a node's month as the node has it: everything that it reports, and the lines that stay with it.
type Books struct {
	Node  string
	Month royalty.Month
	// Day has all that was heard; it is the last day of the month.
	Day     contract.DayReport
	Report  contract.MonthReport
	Splits  []royalty.SplitLine
	Carried []royalty.Listener
}

// Artist is the hash of an artist's URI.
func Artist(name string) string { return contract.Digest("payee", artistURI(name)) }

func artistURI(name string) string { return "https://artists.example/users/" + name }

// Pseudonym is a listener's for the month, under a key that is no secret.
func Pseudonym(node string, month royalty.Month, listener string) string {
	return royalty.Pseudonym([32]byte{1}, month, "https://"+node+"/users/"+listener)
}

// Tokens is money in the smallest units of Asset.
func Tokens(t testing.TB, m royalty.Micro) amount.Amount {
	t.Helper()
	units, err := m.Tokens(18)
	if err != nil {
		t.Fatal(err)
	}
	a, err := amount.FromBig(units, Asset)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Hash is some hash of 64 hexadecimal digits.
func Hash(n int) string { return fmt.Sprintf("%064x", n) }

// Keep makes the books of a month from what was heard on its last day, with the report of an empty day before it.
func Keep(t testing.TB, node string, month royalty.Month, policy int, listeners []string, all ...Heard) Books {
	t.Helper()
	last := month.Next().Start().AddDate(0, 0, -1)
	b := Books{Node: node, Month: month}
	var lines []royalty.Line
	var plays int64
	heard := map[string]bool{}
	for _, h := range all {
		lines = append(lines, royalty.Line{
			Pseudonym: Pseudonym(node, month, h.Listener), Artist: artistURI(h.Artist), Track: "https://artists.example/tracks/" + h.Artist,
			Units: h.Plays * royalty.Unit, Seconds: h.Plays * 180,
		})
		plays += h.Plays
		heard[h.Listener] = true
	}
	slices.SortFunc(lines, func(a, b royalty.Line) int { return cmp.Compare(a.String(), b.String()) })
	var tree royalty.Tree
	for _, l := range lines {
		tree.Add(l.String())
	}
	empty := contract.Root(royalty.Tree{})
	b.Day = contract.DayReport{
		Node: node, Day: last.Format(time.DateOnly), Root: contract.Root(tree), Lines: int64(len(lines)), Plays: plays, Seconds: plays * 180,
		Policy: policy, PrevDayRoot: empty,
	}
	var who []royalty.Listener
	for _, l := range listeners {
		who = append(who, royalty.Listener{Pseudonym: Pseudonym(node, month, l)})
	}
	slices.SortFunc(who, func(a, b royalty.Listener) int { return strings.Compare(a.Pseudonym, b.Pseudonym) })
	s, err := royalty.Compile(royalty.DefaultPolicy(), month, each(who), royalty.Days{each(lines)},
		func(l royalty.SplitLine) error { b.Splits = append(b.Splits, l); return nil },
		func(l royalty.Listener) error { b.Carried = append(b.Carried, l); return nil })
	if err != nil {
		t.Fatal(err)
	}
	b.Report.Statement = contract.Statement{
		Node: node, Month: month, Policy: policy, Payments: s.Payments, Listeners: int64(len(heard)), Operator: s.Operator, Pool: s.Pool,
		CarryIn: s.CarryIn, CarryOut: s.CarryOut, SplitsRoot: hex.EncodeToString(s.Root[:]), SplitLines: s.Splits,
		DaysRoot: contract.DaysRoot([]string{last.AddDate(0, 0, -1).Format(time.DateOnly), b.Day.Day}, []string{empty, b.Day.Root}),
	}
	b.Report.Totals(s.Artists)
	return b
}

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// EmptyDay is the report of the day before the last, on which nothing was heard.
func (b Books) EmptyDay() contract.DayReport {
	day := b.Month.Next().Start().AddDate(0, 0, -2)
	return contract.DayReport{Node: b.Node, Day: day.Format(time.DateOnly), Root: contract.Root(royalty.Tree{}), Policy: b.Day.Policy}
}

// Paid are the payments of the listeners; their hashes count from first.
func (b Books) Paid(t testing.TB, first int, listeners ...string) contract.Subscriptions {
	t.Helper()
	out := contract.Subscriptions{Node: b.Node}
	for i, l := range listeners {
		out.Lines = append(out.Lines, contract.Subscription{
			Pseudonym: Pseudonym(b.Node, b.Month, l), Month: b.Month, Micro: royalty.Fee, Paid: Tokens(t, royalty.Fee), Provider: "raiden",
			PaymentHash: Hash(first + i),
		})
	}
	return out
}

// Final is the report as the final statement.
func (b Books) Final() contract.FinalStatement {
	return contract.FinalStatement{Statement: b.Report.Statement}
}

// Payouts pays everything that the report says.
func (b Books) Payouts(t testing.TB) contract.Payouts {
	t.Helper()
	out := contract.Payouts{Node: b.Node, Month: b.Month}
	for _, total := range b.Report.Artists {
		out.Lines = append(out.Lines, contract.Payout{
			Artist: total.Artist, Micro: total.Micro, Sent: Tokens(t, total.Micro), Provider: "manual", Ref: "list-1",
		})
	}
	return out
}

// Delta is what changes for each artist from one set of books to another.
func Delta(from, to Books) []contract.ArtistTotal {
	sum := map[string]royalty.Micro{}
	for _, t := range from.Report.Artists {
		sum[t.Artist] -= t.Micro
	}
	for _, t := range to.Report.Artists {
		sum[t.Artist] += t.Micro
	}
	var out []contract.ArtistTotal
	for _, artist := range slices.Sorted(maps.Keys(sum)) {
		if sum[artist] != 0 {
			out = append(out, contract.ArtistTotal{Artist: artist, Micro: sum[artist]})
		}
	}
	return out
}
