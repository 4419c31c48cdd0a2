package web

import (
	"strings"

	"antiphon/payments/amount"
	"antiphon/templates"
)

// money is an amount as the pages show it.
func (p *Pages) money(units string, asset amount.Asset, decimals int) templates.Money {
	m := templates.Money{Units: units, Decimals: decimals, DevTokens: asset.Development()}
	for _, a := range p.Assets {
		if a.ID == asset {
			m.Symbol = a.Symbol
			return m
		}
	}
	// An asset that this instance does not take is named by its own words: a currency's code, or a token's address.
	_, m.Symbol, _ = strings.Cut(string(asset), ":")
	if i := strings.LastIndex(m.Symbol, ":"); i >= 0 {
		m.Symbol = m.Symbol[i+1:]
		if len(m.Symbol) > 12 {
			m.Symbol = m.Symbol[:6] + "…" + m.Symbol[len(m.Symbol)-4:]
		}
	}
	return m
}

// asset finds what a track can be sold for by its name.
func (p *Pages) asset(id string) (Asset, bool) {
	for _, a := range p.Assets {
		if string(a.ID) == id {
			return a, true
		}
	}
	return Asset{}, false
}
