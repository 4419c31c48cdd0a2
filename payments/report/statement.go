package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

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
	all, err := s.StatementsFor(ctx, month, []string{artist})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%w: %s has no part in %s", ErrUnknown, artist, month)
	}
	if err != nil {
		return ArtistStatement{}, err
	}
	return all[0], nil
}

// StatementsFor is what each of some artists is told of a month, in the order that they are given in: those who have no part
// in it are left out. The lines of the month are gone through once for all of them.
func (s *Service) StatementsFor(ctx context.Context, month royalty.Month, artists []string) ([]ArtistStatement, error) {
	stage, st, err := s.stageOf(ctx, month)
	if err != nil {
		return nil, err
	}
	told, err := s.tell(ctx, month, stage, st, artists)
	if err != nil {
		return nil, err
	}
	if stage == Final {
		// What a dispute withholds is in the report alone.
		var rest []string
		for _, artist := range artists {
			if told[artist] == nil {
				rest = append(rest, artist)
			}
		}
		if st, _, err = contract.Reported(ctx, s.Book, month, s.config.Node); err != nil {
			return nil, err
		}
		more, err := s.tell(ctx, month, Reported, st, rest)
		if err != nil {
			return nil, err
		}
		maps.Copy(told, more)
	}
	out := make([]ArtistStatement, 0, len(told))
	for _, artist := range artists {
		if t := told[artist]; t != nil {
			out = append(out, t.ArtistStatement)
		}
	}
	return out, nil
}

// telling is a statement that is being made.
type telling struct {
	ArtistStatement
	listeners map[string]bool
	// splits and days are how many lines of each kind it has.
	splits, days int
}

// tell makes the statements of those artists who have a part in one stage of a month.
func (s *Service) tell(ctx context.Context, month royalty.Month, stage Stage, st contract.Statement, artists []string) (map[string]*telling, error) {
	told := map[string]*telling{}
	if len(artists) == 0 {
		return told, nil
	}
	totals, err := s.proveTotals(ctx, month, stage, artists)
	if err != nil || len(totals) == 0 {
		return told, err
	}
	var record *ledger.RecordProof
	if s.Prove != nil {
		if record, err = s.Prove(ctx, month, stage == Final); err != nil {
			return nil, err
		}
	}
	for artist, total := range totals {
		told[artist] = &telling{listeners: map[string]bool{}, ArtistStatement: ArtistStatement{
			Node: s.config.Node, Month: month, Stage: stage, Artist: artist, ArtistsRoot: st.ArtistsRoot, SplitsRoot: st.SplitsRoot, Micro: total.Micro,
			Total: Proof{
				Line: contract.ArtistLine(contract.ArtistTotal{Artist: contract.Digest("payee", artist), Micro: total.Micro}),
				N:    total.N, Size: st.ArtistCount, Hashes: total.Hashes,
			},
			Splits: []Proof{}, Days: []DayProofs{}, AllDays: []DayRoot{}, Record: record,
		}}
	}
	var own []splitRow
	err = s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ? AND artist IN ?", month, stage, slices.Collect(maps.Keys(told))).Find(&own).Error
	if err != nil {
		return nil, wrap("read splits", err)
	}
	for _, r := range own {
		told[r.Artist].Listeners++
		told[r.Artist].listeners[r.Pseudonym] = true
	}
	if err := s.tellDays(ctx, month, told); err != nil {
		return nil, err
	}
	return told, s.tellSplits(ctx, month, stage, told)
}

// tellSplits proves the artists' split lines, of those who have enough listeners.
func (s *Service) tellSplits(ctx context.Context, month royalty.Month, stage Stage, told map[string]*telling) error {
	shown := func(t *telling) bool { return t != nil && t.Listeners >= Few }
	if !slices.ContainsFunc(slices.Collect(maps.Values(told)), shown) {
		return nil
	}
	var p prover
	var of []*telling
	err := s.splits(ctx, month, stage, func(r splitRow) error {
		t := told[r.Artist]
		wanted := shown(t) && t.splits < shownLines
		if wanted {
			t.splits++
			of = append(of, t)
		} else if shown(t) {
			t.More = true
		}
		return p.add(royalty.SplitLine{Pseudonym: r.Pseudonym, Artist: r.Artist, Micro: r.Micro}.String(), wanted)
	})
	if err != nil {
		return err
	}
	proofs, err := p.proofs()
	for i, one := range proofs {
		of[i].Splits = append(of[i].Splits, one)
	}
	return err
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

// tellDays sums what the artists' paid listeners heard, and proves the lines of those who have enough listeners.
func (s *Service) tellDays(ctx context.Context, month royalty.Month, told map[string]*telling) error {
	days, err := Days(ctx, s.Book, month, s.config.Node)
	if err != nil {
		return err
	}
	artists := slices.Collect(maps.Keys(told))
	for _, d := range days {
		for _, t := range told {
			t.AllDays = append(t.AllDays, DayRoot{d.Day, d.Root})
		}
		var n int64
		err := s.DB.Read.WithContext(ctx).Model(&row{}).Where("day = ? AND artist IN ? AND held = ?", d.Day, artists, false).Count(&n).Error
		if err != nil {
			return wrap("count lines", err)
		}
		if n == 0 {
			continue
		}
		if err := s.tellDay(ctx, d, told); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) tellDay(ctx context.Context, d contract.Day, told map[string]*telling) error {
	var p prover
	var of []*telling
	for line, err := range s.lines(ctx, d.Day, false) {
		if err != nil {
			return err
		}
		t := told[line.Artist]
		wanted := t != nil && t.listeners[line.Pseudonym]
		if wanted {
			t.Units, t.Seconds = t.Units+line.Units, t.Seconds+line.Seconds
			wanted = t.Listeners >= Few
		}
		if wanted && t.days == shownLines {
			t.More, wanted = true, false
		}
		if wanted {
			t.days++
			of = append(of, t)
		}
		if err := p.add(line.String(), wanted); err != nil {
			return err
		}
	}
	proofs, err := p.proofs()
	for i, one := range proofs {
		t := of[i]
		if n := len(t.Days); n == 0 || t.Days[n-1].Day != d.Day {
			t.Days = append(t.Days, DayProofs{Day: d.Day, Root: d.Root})
		}
		last := &t.Days[len(t.Days)-1]
		last.Lines = append(last.Lines, one)
	}
	return err
}

// ArtistsAt are the artists of a host who have a part in a month, in the order of the database, after one of them and at most
// limit: those whose statements their own instance may ask for.
func (s *Service) ArtistsAt(ctx context.Context, month royalty.Month, host, after string, limit int) ([]string, error) {
	var artists []string
	like := func(scheme string) string { return scheme + "://" + host + "/%" }
	err := s.DB.Read.WithContext(ctx).Model(&totalRow{}).Where("month = ? AND (artist LIKE ? OR artist LIKE ?) AND artist > ?", month, like("https"), like("http"), after).
		Distinct("artist").Order("artist").Limit(limit).Pluck("artist", &artists).Error
	return artists, wrap("read artists", err)
}
