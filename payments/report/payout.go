package report

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// PayoutState is where a line of the list of payouts is.
type PayoutState string

// The states.
const (
	// Ready can be sent.
	Ready PayoutState = "ready"
	// Small is below the minimum and adds up.
	Small PayoutState = "small"
	// Unclaimed has no address: it is owed for as long as the policy says.
	Unclaimed PayoutState = "unclaimed"
	// Blocked is of an artist whose instance is blocked or gone: it is owed all the same.
	Blocked PayoutState = "blocked"
	// Sent was sent, and is on the ledger.
	Sent PayoutState = "sent"
)

// PayoutLine is what this instance owes one artist on a month's final statement, with what was left of earlier ones.
type PayoutLine struct {
	Month royalty.Month `gorm:"primaryKey" json:"month"`
	// Artist is who earned it, Payee where that one has moved to, if at all.
	Artist string        `gorm:"primaryKey" json:"artist"`
	Payee  string        `json:"payee"`
	Micro  royalty.Micro `json:"micro"`
	// Units are the smallest units of Asset that it comes to, Address is where the payee wants them.
	Units   string      `json:"units"`
	Asset   string      `json:"asset"`
	Address string      `json:"address"`
	State   PayoutState `json:"state"`
	// Remark says what is unusual, in words.
	Remark   string     `json:"remark"`
	Provider string     `json:"provider,omitempty"`
	Ref      string     `json:"ref,omitempty"`
	SentAt   *time.Time `json:"sentAt,omitempty"`
}

// TableName is gorm's name for the table.
func (PayoutLine) TableName() string { return "payout_lines" }

// addressRow is a row of payout_addresses.
type addressRow struct {
	Artist         string `gorm:"primaryKey"`
	SeenAt         time.Time
	Asset, Address string
	Raw            []byte
}

func (addressRow) TableName() string { return "payout_addresses" }

// addressBefore is the day of the month until which a new address counts for the same month's payouts.
const addressBefore = 23

// SetAddress keeps where an artist wants to be paid, as the artist has signed it: raw was checked by who calls. Doing it
// again changes nothing.
func (s *Service) SetAddress(ctx context.Context, tx *gorm.DB, artist, asset, address string, raw []byte) error {
	if len(asset) > 200 || address == "" || len(address) > 200 || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%w: address for payouts", ErrUnknown)
	}
	var last addressRow
	err := tx.WithContext(ctx).Where("artist = ?", artist).Order("seen_at DESC").Take(&last).Error
	if err == nil && string(last.Raw) == string(raw) || err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return err
	}
	row := addressRow{artist, s.Now().UTC().Truncate(time.Millisecond), asset, address, raw}
	return wrap("write address", tx.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error)
}

// address is the newest that was seen before the 23rd of the month of paying.
func (s *Service) address(ctx context.Context, payee string, before time.Time) (string, error) {
	var row addressRow
	err := s.DB.Read.WithContext(ctx).Where("artist = ? AND asset = ? AND seen_at < ?", payee, string(s.config.Asset), before).
		Order("seen_at DESC").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	return row.Address, wrap("read address", err)
}

func (s *Service) listed(ctx context.Context, month royalty.Month) (bool, error) {
	var n int64
	err := s.DB.Read.WithContext(ctx).Table("report_feed").Where("name = ?", listName(month)).Count(&n).Error
	return n > 0, wrap("read lists", err)
}

func listName(month royalty.Month) string { return "payouts/" + string(month) }

// ListPayouts lists who is to be paid on a month's final statement. It may be called again: what was sent stays, and the
// rest is listed anew.
func (s *Service) ListPayouts(ctx context.Context, month royalty.Month) error {
	if _, err := contract.Finally(ctx, s.Book, month, s.config.Node); err != nil {
		return fmt.Errorf("list payouts of %s: %w", month, err)
	}
	policy, err := contract.PolicyFor(ctx, s.Book, royalty.MonthOf(s.Now()))
	if err != nil {
		return err
	}
	// Whoever has ever been in a final statement of here may be owed something.
	var artists []string
	err = s.DB.Read.WithContext(ctx).Model(&totalRow{}).Where("stage = ? AND month <= ?", Final, month).Distinct("artist").Order("artist").Pluck("artist", &artists).Error
	if err != nil {
		return wrap("read artists", err)
	}
	var lines []PayoutLine
	for _, artist := range artists {
		line, err := s.line(ctx, month, artist, policy)
		if err != nil {
			return fmt.Errorf("payout of %s: %w", artist, err)
		}
		if line.Micro > 0 {
			lines = append(lines, line)
		}
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Where("month = ? AND state <> ?", month, Sent).Delete(&PayoutLine{}).Error; err != nil {
			return wrap("clear list", err)
		}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(lines, pageLines/10).Error; err != nil {
			return wrap("write list", err)
		}
		return tx.Exec("INSERT INTO report_feed (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = excluded.n", listName(month), len(lines)).Error
	})
}

// line is what one artist is owed, and whether it can be sent.
func (s *Service) line(ctx context.Context, month royalty.Month, artist string, policy contract.Policy) (PayoutLine, error) {
	l := PayoutLine{Month: month, Artist: artist, Payee: artist, Asset: string(s.config.Asset)}
	var err error
	if l.Micro, err = s.Owed(ctx, artist); err != nil || l.Micro <= 0 {
		return l, err
	}
	if s.Moved != nil {
		if l.Payee, err = s.Moved(ctx, artist); err != nil {
			return l, err
		}
		if l.Payee != artist {
			l.Remark = "the artist has moved"
		}
	}
	if s.config.Asset != "" {
		units, err := l.Micro.Tokens(s.config.Decimals)
		if err != nil {
			return l, err
		}
		l.Units = units.String()
	}
	if l.Address, err = s.address(ctx, l.Payee, royalty.MonthOf(s.Now()).Day(addressBefore)); err != nil {
		return l, err
	}
	blocked := false
	if s.Blocked != nil {
		if blocked, err = s.Blocked(ctx, l.Payee); err != nil {
			return l, err
		}
	}
	switch {
	case l.Micro < policy.Minimum:
		l.State, l.Remark = Small, fmt.Sprintf("less than %s is not sent; it adds up", policy.Minimum)
	case blocked:
		l.State, l.Remark = Blocked, "the artist's instance is blocked or gone; the money is owed all the same"
	case l.Address == "":
		l.State, l.Remark = Unclaimed, fmt.Sprintf("no address was given before the 23rd; kept for %d months", policy.UnclaimedMonths)
	default:
		l.State = Ready
	}
	return l, nil
}

// Owed is what this instance owes an artist, by URI, on all final statements, less what was sent.
func (s *Service) Owed(ctx context.Context, artist string) (royalty.Micro, error) {
	hash := contract.Digest("payee", artist)
	owed, err := contract.Due(ctx, s.Book, s.config.Node, hash)
	if err != nil {
		return 0, err
	}
	// A statement of many artists has their totals under a root alone; they are proved when they are sent.
	proofs, err := s.proofs(ctx, artist)
	for _, p := range proofs {
		owed += p.Micro
	}
	return owed, err
}

// proofs are those of an artist's totals in final statements that have only a root, and were not sent on yet.
func (s *Service) proofs(ctx context.Context, artist string) ([]contract.TotalProof, error) {
	var months []royalty.Month
	err := s.DB.Read.WithContext(ctx).Model(&totalRow{}).Where("stage = ? AND artist = ?", Final, artist).Order("month").Pluck("month", &months).Error
	if err != nil {
		return nil, wrap("read months", err)
	}
	var out []contract.TotalProof
	hash := contract.Digest("payee", artist)
	for _, month := range months {
		final, err := contract.Finally(ctx, s.Book, month, s.config.Node)
		if errors.Is(err, contract.ErrUnknown) || err == nil && int64(len(final.Artists)) == final.ArtistCount {
			continue
		}
		if err != nil {
			return nil, err
		}
		credited, err := contract.Credited(ctx, s.Book, month, s.config.Node, hash)
		if err != nil || credited {
			return out, err
		}
		p, err := s.ProveTotal(ctx, month, Final, artist)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// ProveTotal proves an artist's total under the ArtistsRoot of a month's statement.
func (s *Service) ProveTotal(ctx context.Context, month royalty.Month, stage Stage, artist string) (contract.TotalProof, error) {
	var rows []totalRow
	if err := s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ?", month, stage).Find(&rows).Error; err != nil {
		return contract.TotalProof{}, wrap("read totals", err)
	}
	totals := make([]contract.ArtistTotal, len(rows))
	for i, r := range rows {
		totals[i] = contract.ArtistTotal{Artist: contract.Digest("payee", r.Artist), Micro: r.Micro}
	}
	slices.SortFunc(totals, func(a, b contract.ArtistTotal) int { return strings.Compare(a.Artist, b.Artist) })
	hash := contract.Digest("payee", artist)
	lines, n := make([]string, len(totals)), -1
	for i, t := range totals {
		lines[i] = contract.ArtistLine(t)
		if t.Artist == hash {
			n = i
		}
	}
	if n < 0 {
		return contract.TotalProof{}, fmt.Errorf("%w: %s has no part in %s", ErrUnknown, artist, month)
	}
	hashes, err := royalty.Prove(lines, int64(n))
	return contract.TotalProof{Month: month, N: int64(n), Micro: totals[n].Micro, Hashes: hashes}, err
}

// Payouts is the list of a month, in the order of the artists.
func (s *Service) Payouts(ctx context.Context, month royalty.Month) ([]PayoutLine, error) {
	var out []PayoutLine
	err := s.DB.Read.WithContext(ctx).Where("month = ?", month).Order("artist").Find(&out).Error
	return out, wrap("read list", err)
}

// Transfer says that an artist was sent what the list has.
type Transfer struct{ Artist, Provider, Ref string }

// Sent records transfers on the ledger, which refuses to count one twice. Nothing here sends money.
func (s *Service) Sent(ctx context.Context, month royalty.Month, transfers []Transfer) error {
	for chunk := range slices.Chunk(transfers, contract.MaxLines) {
		batch := contract.Payouts{Node: s.config.Node, Month: month}
		for _, t := range chunk {
			var l PayoutLine
			err := s.DB.Read.WithContext(ctx).Where("month = ? AND artist = ?", month, t.Artist).Take(&l).Error
			if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && l.State != Ready {
				return fmt.Errorf("%w: %s is not ready to be paid for %s", ErrUnknown, t.Artist, month)
			}
			if err != nil {
				return wrap("read list", err)
			}
			sent, err := amount.Parse(l.Units, l.Asset)
			if err != nil {
				return err
			}
			proofs, err := s.proofs(ctx, t.Artist)
			if err != nil {
				return err
			}
			batch.Lines = append(batch.Lines, contract.Payout{
				Artist: contract.Digest("payee", t.Artist), Micro: l.Micro, Sent: sent, Provider: t.Provider, Ref: t.Ref, Totals: proofs,
			})
		}
		if err := s.Book.Submit(ctx, batch); err != nil {
			return err
		}
		now := s.Now().UTC()
		err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			for _, t := range chunk {
				err := tx.Model(&PayoutLine{}).Where("month = ? AND artist = ?", month, t.Artist).
					Updates(map[string]any{"state": Sent, "provider": t.Provider, "ref": t.Ref, "sent_at": now}).Error
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return wrap("write transfers", err)
		}
	}
	return nil
}

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

// AddressOf is what artists are paid in here, and where an artist wants it, as last said; both may be empty.
func (s *Service) AddressOf(ctx context.Context, artist string) (asset, address string, err error) {
	address, err = s.address(ctx, artist, s.Now().Add(time.Second))
	return string(s.config.Asset), address, err
}
