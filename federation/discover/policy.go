package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/idna"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Severity is how far an admin keeps a host or an account away. The words are those of Mastodon's lists, and Allow.
type Severity string

// Noop changes nothing by itself but carries the other refusals of a Policy; Silence shows somebody only to their
// followers; Suspend cuts all ties; Allow admits a host where only listed ones are admitted.
const (
	Noop    Severity = "noop"
	Silence Severity = "silence"
	Suspend Severity = "suspend"
	Allow   Severity = "allow"
)

var (
	// ErrSubject is returned for a policy about what is neither a host nor an account.
	ErrSubject = errors.New("neither a host nor the URI of an account")
	// ErrSeverity is returned for a policy of a severity that there is not.
	ErrSeverity = errors.New("no such severity")
)

// Policy is what an admin decided about a host with all below it, or about one account.
type Policy struct {
	// Subject is a host in the form of Normalize, or an actor's URI.
	Subject  string `gorm:"primaryKey"`
	Severity Severity
	// RejectMedia shows and passes on no file of the subject's; RejectReports takes no report from it.
	RejectMedia, RejectReports bool
	// Obfuscate hides part of the name where the list is published.
	Obfuscate bool
	// PublicComment may be read by everyone, PrivateComment by admins.
	PublicComment, PrivateComment string
	CreatedAt, UpdatedAt          time.Time
}

// Account reports whether the policy is about one account and not about a host.
func (p Policy) Account() bool { return strings.Contains(p.Subject, "://") }

// Verdict is what all policies about somebody come to.
type Verdict struct {
	// Blocked: nothing is taken from there, nothing sent, nothing fetched.
	Blocked bool
	// Silenced: shown to those who follow, and to nobody else.
	Silenced                   bool
	RejectMedia, RejectReports bool
}

// And is the stricter of both in everything.
func (v Verdict) And(o Verdict) Verdict {
	return Verdict{v.Blocked || o.Blocked, v.Silenced || o.Silenced, v.RejectMedia || o.RejectMedia, v.RejectReports || o.RejectReports}
}

// fresh is how long a process believes what it knows of policies that another process may have changed.
const fresh = 5 * time.Second

// policies are all policies, in memory: every received activity asks for them.
type policies struct {
	mu        sync.Mutex
	bySubject map[string]Policy
	readAt    time.Time
	// unsettled is until when a change made here may not be committed yet; till then nothing is kept in memory.
	unsettled time.Time
}

// Subject brings what an admin typed to the form in which a policy is kept: a host, a URL of a host, or an actor's URI.
func Subject(text string) (string, error) {
	text = strings.TrimSpace(text)
	if u, err := url.Parse(text); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			u.Fragment, u.RawFragment, u.Host, u.User = "", "", Normalize(u.Host), nil
			return u.String(), nil
		}
		text = u.Host
	}
	host := Normalize(strings.TrimPrefix(text, "*."))
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
		return ip.String(), nil
	}
	if len(host) > 255 || strings.ContainsAny(host, "/?#@ ") || !validHost(host) {
		return "", fmt.Errorf("%.100q: %w", text, ErrSubject)
	}
	return host, nil
}

func validHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if net.ParseIP(name) != nil {
		return true
	}
	ascii, err := idna.Lookup.ToASCII(name)
	return err == nil && ascii == name && !strings.HasPrefix(name, ".") && strings.Trim(name, ".") != ""
}

// Judge tells what the policies say about a host: those about itself, with or without its port, and about every domain
// above it. A blocked host is blocked in whatever way it is written.
func (h *Hosts) Judge(ctx context.Context, host string) (Verdict, error) {
	return h.judge(ctx, hostNames(host))
}

// JudgeActor tells what the policies say about an account: those about its host, and about itself.
func (h *Hosts) JudgeActor(ctx context.Context, uri string) (Verdict, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return Verdict{Blocked: true}, nil
	}
	subject, err := Subject(uri)
	if err != nil {
		return Verdict{Blocked: true}, nil
	}
	return h.judge(ctx, append(hostNames(u.Host), subject))
}

// IsBlocked reports whether nothing is exchanged with the host.
func (h *Hosts) IsBlocked(ctx context.Context, host string) (bool, error) {
	v, err := h.Judge(ctx, host)
	return v.Blocked, err
}

// hostNames are the subjects that a policy about a host may have, the host itself first.
func hostNames(host string) []string {
	host = Normalize(host)
	names := []string{host}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if ip := net.ParseIP(strings.Trim(name, "[]")); ip != nil {
		return append(names, ip.String())
	}
	for name != "" {
		names = append(names, name)
		_, name, _ = strings.Cut(name, ".")
	}
	return names
}

func (h *Hosts) judge(ctx context.Context, subjects []string) (Verdict, error) {
	found, err := h.policiesAbout(ctx, subjects)
	if err != nil {
		return Verdict{}, fmt.Errorf("read policies about %s: %w", subjects[0], err)
	}
	out, allowed := Verdict{}, subjects[0] == h.own
	for _, p := range found {
		allowed = allowed || p.Severity == Allow
		out = out.And(Verdict{p.Severity == Suspend, p.Severity == Silence, p.RejectMedia, p.RejectReports})
	}
	out.Blocked = out.Blocked || h.allowList && !allowed && subjects[0] != ""
	return out, nil
}

func (h *Hosts) policiesAbout(ctx context.Context, subjects []string) ([]Policy, error) {
	p := &h.policies
	p.mu.Lock()
	defer p.mu.Unlock()
	now := h.now()
	if now.Before(p.unsettled) {
		var rows []Policy
		err := h.db.Read.WithContext(ctx).Where("subject IN ?", subjects).Find(&rows).Error
		return rows, err
	}
	if p.bySubject == nil || now.Sub(p.readAt) >= fresh || now.Before(p.readAt) {
		var rows []Policy
		if err := h.db.Read.WithContext(ctx).Find(&rows).Error; err != nil {
			return nil, err
		}
		p.bySubject, p.readAt = make(map[string]Policy, len(rows)), now
		for _, row := range rows {
			p.bySubject[row.Subject] = row
		}
	}
	var out []Policy
	for _, s := range subjects {
		if row, ok := p.bySubject[s]; ok {
			out = append(out, row)
		}
	}
	return out, nil
}

// changed has this process read every policy from the database until the change, whose transaction may still be open,
// is surely committed.
func (h *Hosts) changed() {
	h.policies.mu.Lock()
	defer h.policies.mu.Unlock()
	h.policies.bySubject, h.policies.unsettled = nil, h.now().Add(10*time.Second)
}

// Block suspends a host and all below it, or with blocked false lifts that.
func (h *Hosts) Block(ctx context.Context, tx *gorm.DB, host string, blocked bool) error {
	if !blocked {
		return h.DropPolicy(ctx, tx, host)
	}
	return h.SetPolicy(ctx, tx, Policy{Subject: host, Severity: Suspend})
}

// SetPolicy writes a policy, in place of an earlier one about the same subject. It holds in this process as soon as tx
// is committed, and in others within seconds.
func (h *Hosts) SetPolicy(ctx context.Context, tx *gorm.DB, p Policy) error {
	subject, err := Subject(p.Subject)
	if err != nil {
		return err
	}
	if !slices.Contains([]Severity{Noop, Silence, Suspend, Allow}, p.Severity) {
		return fmt.Errorf("policy about %s: %w: %.20q", subject, ErrSeverity, p.Severity)
	}
	p.Subject, p.UpdatedAt = subject, h.now().UTC().Truncate(time.Second)
	p.CreatedAt = p.UpdatedAt
	h.changed()
	err = tx.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "subject"}},
		DoUpdates: clause.AssignmentColumns([]string{
			"severity", "reject_media", "reject_reports", "obfuscate", "public_comment", "private_comment", "updated_at"}),
	}).Create(&p).Error
	if err != nil {
		return fmt.Errorf("write policy about %s: %w", subject, err)
	}
	return nil
}

// DropPolicy removes the policy about a subject; one that is not there is no error.
func (h *Hosts) DropPolicy(ctx context.Context, tx *gorm.DB, subject string) error {
	subject, err := Subject(subject)
	if err != nil {
		return err
	}
	h.changed()
	if err := tx.WithContext(ctx).Where("subject = ?", subject).Delete(&Policy{}).Error; err != nil {
		return fmt.Errorf("remove policy about %s: %w", subject, err)
	}
	return nil
}

// Policies returns policies by their subjects, hosts and accounts.
func (h *Hosts) Policies(ctx context.Context, offset, limit int) ([]Policy, error) {
	var rows []Policy
	if err := h.db.Read.WithContext(ctx).Order("subject").Offset(offset).Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	return rows, nil
}
