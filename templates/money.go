package templates

import "strings"

// Money is an amount ready to be shown: a decimal string of smallest units,
// the number of decimals, and the token's or currency's symbol. The zero
// Money means "free".
type Money struct {
	Units    string
	Decimals int
	Symbol   string
	// DevTokens marks development tokens, which are worth nothing.
	DevTokens bool
}

// Free says whether there is nothing to pay.
func (m Money) Free() bool { return strings.Trim(m.Units, "0") == "" }

// Number is the amount as a decimal number in English notation, with at
// least two decimals where the asset has that many.
func (m Money) Number() string {
	units := strings.TrimLeft(m.Units, "0")
	if m.Decimals <= 0 {
		if units == "" {
			return "0"
		}
		return units
	}
	if short := m.Decimals + 1 - len(units); short > 0 {
		units = strings.Repeat("0", short) + units
	}
	whole, part := units[:len(units)-m.Decimals], units[len(units)-m.Decimals:]
	part = strings.TrimRight(part, "0")
	if least := min(2, m.Decimals); len(part) < least {
		part += strings.Repeat("0", least-len(part))
	}
	return whole + "." + part
}
