package evidence

import (
	"encoding/json"
	"fmt"
	"strconv"

	"antiphon/payments/report"
	"antiphon/vocab/jsonld"
)

// PoolFinding is what an artist's statement of a pool says, when it holds.
type PoolFinding struct {
	// Statement is who is told what, line by line.
	Statement []Line
	// Proved is how many lines of days and of splits are under the roots of the record.
	Proved int
	// Trust says who has signed for the ledger: by Ledger, with the names of the known keys, or by Nobody.
	Trust Trust
}

// IsPoolStatement reports whether a file is an artist's statement of a pool, which is no signed object but lines with
// proofs under a ledger's record.
func IsPoolStatement(file []byte) bool {
	var in struct {
		ArtistsRoot string `json:"artistsRoot"`
		SplitsRoot  string `json:"splitsRoot"`
	}
	return json.Unmarshal(file, &in) == nil && in.ArtistsRoot != "" && in.SplitsRoot != ""
}

// CheckPoolStatement judges an artist's statement: every line under its root, the roots in the record of the node's
// ledger, the record under a checkpoint, and the checkpoint signed by a key of the ring, the ledger's own or a witness's.
// Its error wraps [ErrBroken]; a finding whose Trust is by Nobody is no error.
func CheckPoolStatement(file []byte, ring *Ring) (PoolFinding, error) {
	f, err := checkPool(file, ring)
	if err != nil {
		return PoolFinding{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return f, nil
}

func checkPool(file []byte, ring *Ring) (PoolFinding, error) {
	var f PoolFinding
	if len(file) > jsonld.MaxBytes {
		return f, fmt.Errorf("the file is larger than %d bytes", jsonld.MaxBytes)
	}
	var st report.ArtistStatement
	if err := json.Unmarshal(file, &st); err != nil {
		return f, err
	}
	if err := st.CheckAlone(); err != nil {
		return f, err
	}
	f.Trust.By = Nobody
	if len(ring.notes) > 0 {
		signers, err := st.Record.Witnessed(st.Node, ring.notes...)
		if err != nil {
			return f, err
		}
		f.Trust = Trust{By: Ledger, Signers: signers}
	}
	f.Proved = len(st.Splits)
	for _, d := range st.Days {
		f.Proved += len(d.Lines)
	}
	f.Statement = filled([]Line{
		{"statement", string(st.Stage) + " of " + string(st.Month)}, {"by", st.Node}, {"artist", quoted(st.Artist)}, {"owed", st.Micro.String() + " dollars"},
		{"listeners", strconv.Itoa(st.Listeners)}, {"record in the ledger", strconv.FormatInt(st.Record.N, 10)},
	})
	return f, nil
}
