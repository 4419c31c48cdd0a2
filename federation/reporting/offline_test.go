package reporting_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"antiphon/federation/evidence"
	"antiphon/payments/report"
)

// checkOffline judges a statement with the key of the node's ledger alone. What gamma says of the day that it has altered
// does not hold.
func checkOffline(t *testing.T, st report.ArtistStatement, n *node, broken bool) {
	t.Helper()
	raw, err := json.Marshal(st)
	n.must(err)
	keys, err := json.Marshal(map[string]any{"notes": []string{n.key}})
	n.must(err)
	ring := evidence.NewRing()
	n.must(ring.Give(keys))
	f, err := evidence.CheckPoolStatement(raw, ring)
	if broken {
		if !errors.Is(err, evidence.ErrBroken) {
			t.Errorf("%s: an altered line holds: %+v", n.name, f)
		}
		return
	}
	if err != nil || f.Trust.By != evidence.Ledger {
		t.Errorf("%s: %+v, %v", n.name, f, err)
	}
	other := strings.Replace(string(raw), `"micro":`+strconv.FormatInt(int64(st.Micro), 10), `"micro":99000000`, 1)
	if _, err := evidence.CheckPoolStatement([]byte(other), ring); !errors.Is(err, evidence.ErrBroken) {
		t.Errorf("%s: another total holds: %v", n.name, err)
	}
}
