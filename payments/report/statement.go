package report

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Few is how many listeners an artist must have for lines to be shown: with fewer, a pseudonym could be somebody.
const Few = 5

// ArtistStatement is what an artist is told of a month on one node.
type ArtistStatement struct {
	Node   string        `json:"node"`
	Month  royalty.Month `json:"month"`
	Stage  Stage         `json:"stage"`
	Artist string        `json:"artist"`
	// Micro is the artist's total, Listeners how many it comes from; Units and Seconds are what they heard.
	Micro     royalty.Micro `json:"micro"`
	Listeners int           `json:"listeners"`
	Units     int64         `json:"units"`
	Seconds   int64         `json:"seconds"`
	// Total proves Micro under the statement's ArtistsRoot, of ArtistCount totals.
	Total       Proof  `json:"total"`
	ArtistsRoot string `json:"artistsRoot"`
	// Splits and Days have the artist's lines, each with its proof; none when there are fewer than five listeners.
	Splits     []Proof     `json:"splits"`
	SplitsRoot string      `json:"splitsRoot"`
	Days       []DayProofs `json:"days"`
	// AllDays are the roots of all days of the month that were reported; the record has the root over them.
	AllDays []DayRoot `json:"allDays"`
	// Record proves the node's statement in its ledger, for who has no ledger to look into.
	Record *ledger.RecordProof `json:"record,omitempty"`
	// More says that there are more lines than these.
	More bool `json:"more,omitempty"`
}

// shownLines is how many lines of each kind a statement has.
const shownLines = 300

// DayRoot is the root of one day's report.
type DayRoot struct {
	Day  string `json:"day"`
	Root string `json:"root"`
}

// DayProofs are an artist's lines of one day.
type DayProofs struct {
	Day   string  `json:"day"`
	Root  string  `json:"root"`
	Lines []Proof `json:"lines"`
}

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

// stageOf is the last statement that was made of a month.
func (s *Service) stageOf(ctx context.Context, month royalty.Month) (Stage, contract.Statement, error) {
	st, err := contract.Finally(ctx, s.Book, month, s.config.Node)
	if err == nil || !errors.Is(err, contract.ErrUnknown) {
		return Final, st, err
	}
	st, _, err = contract.Reported(ctx, s.Book, month, s.config.Node)
	if errors.Is(err, contract.ErrUnknown) {
		err = fmt.Errorf("%w: %s is not reported", ErrUnknown, month)
	}
	return Reported, st, err
}

// StatementFor is what an artist is told of a month: the final statement when it is made. ErrUnknown when the artist has
// no part in it.
func (s *Service) StatementFor(ctx context.Context, month royalty.Month, artist string) (ArtistStatement, error) {
	stage, st, err := s.stageOf(ctx, month)
	if err != nil {
		return ArtistStatement{}, err
	}
	out := ArtistStatement{
		Node: s.config.Node, Month: month, Stage: stage, Artist: artist, ArtistsRoot: st.ArtistsRoot, SplitsRoot: st.SplitsRoot,
		Splits: []Proof{}, Days: []DayProofs{}, AllDays: []DayRoot{},
	}
	total, err := s.ProveTotal(ctx, month, stage, artist)
	if err != nil {
		return out, err
	}
	if s.Prove != nil {
		if out.Record, err = s.Prove(ctx, month, stage == Final); err != nil {
			return out, err
		}
	}
	out.Micro = total.Micro
	out.Total = Proof{
		Line: contract.ArtistLine(contract.ArtistTotal{Artist: contract.Digest("payee", artist), Micro: total.Micro}),
		N:    total.N, Size: st.ArtistCount, Hashes: total.Hashes,
	}
	var own []splitRow
	err = s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ? AND artist = ?", month, stage, artist).Order("n").Find(&own).Error
	if err != nil {
		return out, wrap("read splits", err)
	}
	out.Listeners = len(own)
	listeners := map[string]bool{}
	for _, r := range own {
		listeners[r.Pseudonym] = true
	}
	if err := s.daysFor(ctx, &out, listeners); err != nil || out.Listeners < Few {
		return out, err
	}
	out.Splits, err = s.splitsFor(ctx, month, stage, artist)
	out.More = out.More || len(out.Splits) < out.Listeners
	return out, err
}

// splitsFor proves an artist's split lines.
func (s *Service) splitsFor(ctx context.Context, month royalty.Month, stage Stage, artist string) ([]Proof, error) {
	var p prover
	err := s.splits(ctx, month, stage, func(r splitRow) error {
		return p.add(royalty.SplitLine{Pseudonym: r.Pseudonym, Artist: r.Artist, Micro: r.Micro}.String(), r.Artist == artist && len(p.wanted) < shownLines)
	})
	if err != nil {
		return nil, err
	}
	return p.proofs()
}

func (s *Service) splits(ctx context.Context, month royalty.Month, stage Stage, fn func(splitRow) error) error {
	for next := int64(0); ; {
		var rows []splitRow
		err := s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ? AND n >= ?", month, stage, next).Order("n").Limit(pageLines).Find(&rows).Error
		if err != nil {
			return wrap("read splits", err)
		}
		for _, r := range rows {
			next = r.N + 1
			if err := fn(r); err != nil {
				return err
			}
		}
		if len(rows) < pageLines {
			return nil
		}
	}
}

// daysFor sums what an artist's paid listeners heard, and proves the lines when there are enough listeners.
func (s *Service) daysFor(ctx context.Context, out *ArtistStatement, listeners map[string]bool) error {
	days, err := Days(ctx, s.Book, out.Month, s.config.Node)
	if err != nil {
		return err
	}
	shown := 0
	for _, d := range days {
		out.AllDays = append(out.AllDays, DayRoot{d.Day, d.Root})
		var n int64
		err := s.DB.Read.WithContext(ctx).Model(&row{}).Where("day = ? AND artist = ? AND held = ?", d.Day, out.Artist, false).Count(&n).Error
		if err != nil {
			return wrap("count lines", err)
		}
		if n == 0 {
			continue
		}
		var p prover
		for line, err := range s.lines(ctx, d.Day, false) {
			if err != nil {
				return err
			}
			mine := line.Artist == out.Artist && listeners[line.Pseudonym]
			if mine {
				out.Units, out.Seconds = out.Units+line.Units, out.Seconds+line.Seconds
			}
			if out.Listeners < Few {
				continue
			}
			if mine && shown == shownLines {
				out.More, mine = true, false
			}
			if mine {
				shown++
			}
			if err := p.add(line.String(), mine); err != nil {
				return err
			}
		}
		proofs, err := p.proofs()
		if err != nil {
			return err
		}
		if len(proofs) > 0 {
			out.Days = append(out.Days, DayProofs{d.Day, d.Root, proofs})
		}
	}
	return nil
}

// Portion is a part of a listener's money.
type Portion struct {
	Artist string
	Micro  royalty.Micro
}

// Share is where one listener's money of a month went.
type Share struct {
	Month royalty.Month
	Stage Stage
	// Portions are the artists' parts, in the order of their rank.
	Portions []Portion
	// Held is what waits because a rule has marked some plays; Carried what is left for the next month.
	Held, Carried royalty.Micro
	// Decisions are what the rules say of this listener's plays.
	Decisions []Decision
}

// ShareOf is where a listener's money of a month went. ErrUnknown when the month is not reported, or the listener has not
// paid.
func (s *Service) ShareOf(ctx context.Context, month royalty.Month, listener string) (Share, error) {
	stage, _, err := s.stageOf(ctx, month)
	if err != nil {
		return Share{}, err
	}
	out := Share{Month: month, Stage: stage}
	var name string
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var err error
		name, err = s.Pseudonyms.Of(ctx, tx, month, listener)
		return err
	})
	if err != nil {
		return out, err
	}
	paid, err := contract.HasPaid(ctx, s.Book, month, s.config.Node, name)
	if err != nil {
		return out, err
	}
	if !paid {
		return out, fmt.Errorf("%w: nothing was paid for %s", ErrUnknown, month)
	}
	var rows []splitRow
	err = s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ? AND pseudonym = ?", month, stage, name).Order("n").Find(&rows).Error
	if err != nil {
		return out, wrap("read splits", err)
	}
	for _, r := range rows {
		out.Portions = append(out.Portions, Portion{r.Artist, r.Micro})
	}
	if err := s.DB.Read.WithContext(ctx).Where("month = ? AND pseudonym = ?", month, name).Order("artist").Find(&out.Decisions).Error; err != nil {
		return out, wrap("read decisions", err)
	}
	if len(rows) > 0 {
		return out, nil
	}
	for _, d := range out.Decisions {
		if d.State == Held {
			out.Held = royalty.Pool
			return out, nil
		}
	}
	out.Carried = royalty.Pool
	return out, nil
}
