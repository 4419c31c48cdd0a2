package report

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"antiphon/payments/royalty"
)

// Proof shows that a line is the n-th of size lines under a root.
type Proof struct {
	Line   string           `json:"line"`
	N      int64            `json:"n"`
	Size   int64            `json:"size"`
	Hashes tlog.RecordProof `json:"-"`
}

// proofJSON is a Proof with its hashes as text.
type proofJSON struct {
	Line   string   `json:"line"`
	N      int64    `json:"n"`
	Size   int64    `json:"size"`
	Hashes []string `json:"hashes"`
}

// MarshalJSON writes the hashes in base64.
func (p Proof) MarshalJSON() ([]byte, error) {
	out := proofJSON{p.Line, p.N, p.Size, []string{}}
	for _, h := range p.Hashes {
		out.Hashes = append(out.Hashes, base64.StdEncoding.EncodeToString(h[:]))
	}
	return json.Marshal(out)
}

// maxHashes bounds a proof: the levels of a tree of as many lines as there can be.
const maxHashes = 63

// UnmarshalJSON reads what MarshalJSON has written.
func (p *Proof) UnmarshalJSON(raw []byte) error {
	var in proofJSON
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	if len(in.Hashes) > maxHashes {
		return fmt.Errorf("%w: %d hashes", ErrFile, len(in.Hashes))
	}
	*p = Proof{Line: in.Line, N: in.N, Size: in.Size}
	for _, text := range in.Hashes {
		h, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(h) != tlog.HashSize {
			return fmt.Errorf("%w: hash %.60q", ErrFile, text)
		}
		p.Hashes = append(p.Hashes, tlog.Hash(h))
	}
	return nil
}

// Check checks the proof under a root of 64 hexadecimal digits.
func (p Proof) Check(root string) error {
	h, err := parseRoot(root)
	if err != nil {
		return err
	}
	return royalty.CheckLine(p.Hashes, p.Size, h, p.N, p.Line)
}

// prover adds lines to a tree and proves those that it was asked for.
type prover struct {
	stored []tlog.Hash
	wanted []Proof
	size   int64
}

func (p *prover) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = p.stored[index]
	}
	return out, nil
}

func (p *prover) add(line string, wanted bool) error {
	hashes, err := tlog.StoredHashes(p.size, []byte(line), p)
	if err != nil {
		return fmt.Errorf("hash line: %w", err)
	}
	p.stored = append(p.stored, hashes...)
	if wanted {
		p.wanted = append(p.wanted, Proof{Line: line, N: p.size})
	}
	p.size++
	return nil
}

func (p *prover) proofs() ([]Proof, error) {
	for i := range p.wanted {
		w := &p.wanted[i]
		w.Size = p.size
		var err error
		if w.Hashes, err = tlog.ProveRecord(p.size, w.N, p); err != nil {
			return nil, fmt.Errorf("prove line: %w", err)
		}
	}
	if p.wanted == nil {
		return []Proof{}, nil
	}
	return p.wanted, nil
}
