package moderation

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/discover"
)

// The bounds of a block list.
const (
	MaxListBytes = 4 << 20
	maxListLines = 20_000
	// listLife is how long a list waits for an admin's yes.
	listLife = 24 * time.Hour
)

// ErrList is returned for a file that is no block list at all.
var ErrList = errors.New("not a list of domains with their severities")

// columns are those of Mastodon's export, in its order.
var columns = []string{"#domain", "#severity", "#reject_media", "#reject_reports", "#public_comment", "#obfuscate"}

// WriteList writes policies about hosts in the CSV form that Mastodon reads. Accounts, and hosts that are only allowed,
// have no place in it.
func WriteList(w io.Writer, policies []discover.Policy) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return fmt.Errorf("write list: %w", err)
	}
	for _, p := range policies {
		if p.Account() || p.Severity == discover.Allow {
			continue
		}
		row := []string{
			p.Subject, string(p.Severity), strconv.FormatBool(p.RejectMedia), strconv.FormatBool(p.RejectReports),
			p.PublicComment, strconv.FormatBool(p.Obfuscate),
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("write list: %w", err)
		}
	}
	out.Flush()
	return out.Error()
}

// Problem is a line of a list that cannot be used.
type Problem struct {
	Line int
	Text string
	Why  string
}

// ReadList reads a list in Mastodon's CSV form, its columns in any order, or only domains, one on each line. Lines that
// cannot be used are problems; the rest is kept, of several lines about one host the strictest.
func ReadList(raw []byte) ([]discover.Policy, []Problem, error) {
	if len(raw) > MaxListBytes || bytes.IndexByte(raw, 0) >= 0 {
		return nil, nil, ErrList
	}
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	in.FieldsPerRecord, in.LazyQuotes, in.TrimLeadingSpace = -1, true, true
	var place map[string]int
	var problems []Problem
	found := map[string]discover.Policy{}
	for line := 1; ; line++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || line > maxListLines {
			return nil, nil, fmt.Errorf("line %d: %w", line, ErrList)
		}
		if place == nil {
			if place = header(row); place != nil && line == 1 && isHeader(row) {
				continue
			}
		}
		p, why := policyOf(row, place)
		if why != "" {
			problems = append(problems, Problem{line, short(row[0], 100), why})
			continue
		}
		if have, ok := found[p.Subject]; ok {
			p = stricter(have, p)
		}
		found[p.Subject] = p
	}
	if len(found) == 0 {
		return nil, problems, ErrList
	}
	out := make([]discover.Policy, 0, len(found))
	for _, p := range found {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b discover.Policy) int { return strings.Compare(a.Subject, b.Subject) })
	return out, problems, nil
}

func isHeader(row []string) bool {
	return slices.ContainsFunc(row, func(c string) bool { return column(c) == "domain" })
}

func column(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "#"))
}

// header tells which column is where; without a header the order is Mastodon's.
func header(row []string) map[string]int {
	if !isHeader(row) {
		row = columns
	}
	place := map[string]int{}
	for i, c := range row {
		place[column(c)] = i
	}
	return place
}

func policyOf(row []string, place map[string]int) (p discover.Policy, why string) {
	get := func(name string) string {
		if i, ok := place[name]; ok && i < len(row) {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	domain := get("domain")
	if strings.Contains(strings.TrimPrefix(domain, "*."), "*") {
		return p, "obfuscated"
	}
	subject, err := discover.Subject(domain)
	p = discover.Policy{
		Subject: subject, Severity: discover.Severity(strings.ToLower(get("severity"))), RejectMedia: truth(get("reject_media")),
		RejectReports: truth(get("reject_reports")), Obfuscate: truth(get("obfuscate")), PublicComment: short(get("public_comment"), maxWords),
	}
	if err != nil || p.Account() || !strings.Contains(subject, ".") {
		return p, "nodomain"
	}
	switch p.Severity {
	case "":
		p.Severity = discover.Suspend
	case "limit":
		p.Severity = discover.Silence
	case discover.Noop, discover.Silence, discover.Suspend:
	default:
		return p, "severity"
	}
	return p, ""
}

func truth(text string) bool { return strings.EqualFold(text, "true") || text == "1" }

func rank(s discover.Severity) int {
	return slices.Index([]discover.Severity{discover.Allow, discover.Noop, discover.Silence, discover.Suspend}, s)
}

// stricter joins two policies about one host.
func stricter(a, b discover.Policy) discover.Policy {
	if rank(a.Severity) > rank(b.Severity) {
		a, b = b, a
	}
	b.RejectMedia, b.RejectReports = a.RejectMedia || b.RejectMedia, a.RejectReports || b.RejectReports
	return b
}

// Change is what the import of one line would do.
type Change struct {
	Policy discover.Policy
	// Was is the present severity; empty when there is no policy about the host.
	Was discover.Severity
	// Follows is how many follows would end.
	Follows int64
}

// Preview is what the import of a list would do. What is stricter here already stays as it is.
type Preview struct {
	ID       string
	Changes  []Change
	Same     int
	Problems []Problem
}

// Upload keeps a list and returns what its import would change. Nothing is in force yet.
func (s *Service) Upload(ctx context.Context, raw []byte) (Preview, error) {
	if _, _, err := ReadList(raw); err != nil {
		return Preview{}, err
	}
	row := PolicyList{ID: newID(), Raw: raw, CreatedAt: s.utc()}
	err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Where("created_at < ?", s.utc().Add(-listLife)).Delete(&PolicyList{}).Error; err != nil {
			return err
		}
		return tx.Create(&row).Error
	})
	if err != nil {
		return Preview{}, fmt.Errorf("keep list: %w", err)
	}
	return s.Preview(ctx, row.ID)
}

// Preview returns what the import of an uploaded list would change now, or ErrNotFound.
func (s *Service) Preview(ctx context.Context, id string) (Preview, error) {
	var row PolicyList
	err := s.DB.Read.WithContext(ctx).Where("id = ?", id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Preview{}, fmt.Errorf("%w: list %.40s", ErrNotFound, id)
	}
	if err != nil {
		return Preview{}, fmt.Errorf("read list: %w", err)
	}
	list, problems, err := ReadList(row.Raw)
	if err != nil {
		return Preview{}, err
	}
	present, err := s.Hosts.Policies(ctx, 0, 1_000_000)
	if err != nil {
		return Preview{}, err
	}
	have := make(map[string]discover.Policy, len(present))
	for _, p := range present {
		have[p.Subject] = p
	}
	out := Preview{ID: id, Problems: problems}
	follows, err := s.followsByHost(ctx)
	if err != nil {
		return out, err
	}
	for _, p := range list {
		was, ok := have[p.Subject]
		if p.Subject == discover.Normalize(s.Actors.Host()) {
			out.Problems = append(out.Problems, Problem{Text: p.Subject, Why: "self"})
			continue
		}
		if ok {
			if was.Severity != discover.Allow {
				joined := stricter(was, p)
				if p.PublicComment == "" {
					p.PublicComment = was.PublicComment
				}
				p.Severity, p.RejectMedia, p.RejectReports = joined.Severity, joined.RejectMedia, joined.RejectReports
				p.PrivateComment = was.PrivateComment
			}
			if was.Severity == p.Severity && was.RejectMedia == p.RejectMedia && was.RejectReports == p.RejectReports {
				out.Same++
				continue
			}
		}
		c := Change{Policy: p, Was: was.Severity}
		if p.Severity == discover.Suspend && was.Severity != discover.Suspend {
			for host, n := range follows {
				if host == p.Subject || strings.HasSuffix(host, "."+p.Subject) {
					c.Follows += n
				}
			}
		}
		out.Changes = append(out.Changes, c)
	}
	return out, nil
}

// followsByHost counts the follows between here and each host, without ports.
func (s *Service) followsByHost(ctx context.Context) (map[string]int64, error) {
	var rows []struct {
		Host string
		N    int64
	}
	err := s.DB.Read.WithContext(ctx).Table("follows").
		Joins("JOIN actors ON actors.uri IN (follows.follower, follows.followed) AND NOT actors.local").
		Select("actors.host AS host, COUNT(*) AS n").Group("actors.host").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("count follows by host: %w", err)
	}
	out := map[string]int64{}
	for _, r := range rows {
		host, _, _ := strings.Cut(discover.Normalize(r.Host), ":")
		out[host] += r.N
	}
	return out, nil
}

// importBatch is how many policies are written in one transaction.
const importBatch = 100

// Import puts an uploaded list in force, as its preview says at this moment, and returns how many policies changed.
func (s *Service) Import(ctx context.Context, admin, id, why string) (int, error) {
	why, err := reason(why)
	if err != nil {
		return 0, err
	}
	preview, err := s.Preview(ctx, id)
	if err != nil {
		return 0, err
	}
	for some := range slices.Chunk(preview.Changes, importBatch) {
		err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			for _, c := range some {
				if err := s.setPolicy(ctx, tx, admin, c.Policy, why); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Where("id = ?", id).Delete(&PolicyList{}).Error
	})
	if err != nil {
		return 0, fmt.Errorf("remove list: %w", err)
	}
	return len(preview.Changes), nil
}
