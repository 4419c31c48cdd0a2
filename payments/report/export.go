package report

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/url"
	"strings"
)

// WriteCSV writes a list for who sends the money by other means: who, how much, where to.
func WriteCSV(w io.Writer, lines []PayoutLine) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"month", "payee", "host", "address", "asset", "units", "dollars", "state", "remark"}); err != nil {
		return err
	}
	for _, l := range lines {
		host := ""
		if u, err := url.Parse(l.Payee); err == nil {
			host = u.Host
		}
		if err := out.Write([]string{string(l.Month), safeCell(l.Payee), host, safeCell(l.Address), l.Asset, l.Units, l.Micro.String(), string(l.State), l.Remark}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// safeCell keeps a spreadsheet from taking what somebody wrote for a formula.
func safeCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// WriteJSON writes a list for programs.
func WriteJSON(w io.Writer, lines []PayoutLine) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"payouts": lines})
}
