package listen

import (
	"context"
	"hash/fnv"
	"path"
	"slices"
	"strings"
	"time"
)

// play is one play as it is kept in mind.
type play struct {
	listener, artist, track, session string
	// by is the ticket that it was reported with last, which need not be looked at again, and issued when that was signed.
	by                string
	issued            time.Time
	length            int64 // tenths of seconds
	started, reported time.Time
	heard             Ranges
	bytes             int64
	// blocks are hashes of names.
	blocks         []uint32
	network, agent string
	source         Source
	// dirty says that there is something to write, and fresh that the journal does not have it either. Written is when it
	// was written last; stored is what the table had when it was looked at last.
	dirty, fresh bool
	written      time.Time
	stored       counts
}

// counts are what a play has added to its track's day.
type counts struct {
	counted bool
	seconds int64
}

// Source says where a play comes from.
type Source string

// The sources. Only what was played here counts for money.
const (
	// Played was reported while it was heard, or soon after.
	Played Source = "played"
	// Offline was reported an hour or more after it began, without anything to show that it was heard.
	Offline Source = "offline"
	// Own is an artist's own track.
	Own Source = "own"
)

// offlineAge is how long after its beginning a play may be reported for the first time, to be one that counts.
const offlineAge = time.Hour

// account is a listener as kept in mind.
type account struct {
	off bool
	// credit is how much may still be heard, in milliseconds: it grows with the clock, a twentieth faster, and shrinks with
	// what is reported. Settled is until when it has grown.
	credit  int64
	settled time.Time
	seen    time.Time
	open    int
}

const (
	// slack lets clocks and roundings differ, in milliseconds.
	slack = 2000
	// maxOpen is how many plays of one account are kept in mind at a time.
	maxOpen = 64
	// idle is how long a play is kept in mind after its last report, and an account after its last play.
	idle = 15 * time.Minute
	// recent is how many plays are called to mind with an account.
	recent = 8
	// maxBlocks is how many segments of one play are told apart.
	maxBlocks = 1024
)

// account returns what is kept of a listener; the first time it looks into the database.
func (s *Service) account(ctx context.Context, listener string, now time.Time) (*account, error) {
	s.mu.Lock()
	a := s.accounts[listener]
	if a != nil {
		a.seen = now
	}
	s.mu.Unlock()
	if a != nil {
		return a, nil
	}
	settings, err := SettingsOf(ctx, s.db.Read, listener)
	if err != nil {
		return nil, err
	}
	var last []row
	if err := s.db.Read.WithContext(ctx).Where("listener = ?", listener).Order("started_at DESC").Limit(recent).Find(&last).Error; err != nil {
		return nil, wrap("read last plays", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a = s.accounts[listener]; a != nil {
		return a, nil
	}
	a = &account{off: !settings.Recording, seen: now, credit: slack}
	s.accounts[listener] = a
	a.open, a.settled = s.orphans[listener].open, s.orphans[listener].settled
	delete(s.orphans, listener)
	for _, r := range last {
		if r.ReportedAt.After(a.settled) {
			a.settled = r.ReportedAt.UTC()
		}
		// A player goes on after this process was started again; what it had told before is not told again.
		if p, err := r.recalled(); err == nil && s.plays[r.Session] == nil && now.Sub(p.reported) <= idle {
			s.plays[r.Session] = &p
			a.open++
		}
	}
	return a, nil
}

// Take records what a player reports from an address with a program. The text is bounded by [MaxReports]; the errors to
// branch on are [ErrReport], [ErrTicket] and [ErrBusy]. A report that was taken before changes nothing. An account has
// not heard more than the clock has shown, whatever it reports: what is more is cut off.
func (s *Service) Take(ctx context.Context, text, address, agent string) error {
	reports, err := parseReports(text)
	if err != nil {
		return err
	}
	now := s.now()
	for _, r := range reports {
		if r.ticket == "" {
			continue
		}
		t, err := s.ticketOf(r, now)
		if err != nil {
			return err
		}
		key, err := s.networkKey(ctx, now)
		if err != nil {
			return err
		}
		a, err := s.account(ctx, t.listener, now)
		if err != nil {
			return err
		}
		if err := s.record(t, r, a, now, func() (string, string) { return networkOf(key, address), agentOf(agent) }); err != nil {
			return err
		}
	}
	return nil
}

// ticketOf is the ticket that a report was made with. One play has many reports, and most of them have the same ticket.
func (s *Service) ticketOf(r report, now time.Time) (ticket, error) {
	s.mu.Lock()
	if p := s.plays[r.session]; p != nil && p.by == r.ticket && now.Sub(p.issued) <= ticketLife {
		defer s.mu.Unlock()
		return ticket{issued: p.issued, listener: p.listener, artist: p.artist, track: p.track, length: p.length / 10}, nil
	}
	s.mu.Unlock()
	return s.verify(r.ticket, now)
}

// record puts one report on the play that it is of.
func (s *Service) record(t ticket, r report, a *account, now time.Time, from func() (network, agent string)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.off {
		return nil
	}
	p := s.plays[r.session]
	if p == nil {
		if a.open >= maxOpen || len(s.plays) >= s.config.MaxPlays {
			return ErrBusy
		}
		p = open(t, r, now)
		p.network, p.agent = from()
		s.plays[r.session] = p
		a.open++
	}
	if p.listener != t.listener || p.track != t.track {
		return ErrTicket
	}
	if p.by != r.ticket {
		p.by, p.issued = strings.Clone(r.ticket), t.issued
	}
	a.earn(t.issued, now)
	ran := now.Sub(p.started).Milliseconds()*105/100 + slack - p.heard.Tenths()*100
	before := p.heard.Tenths()
	p.heard = p.heard.add(r.heard, p.length, min(a.credit, ran)/100)
	if added := p.heard.Tenths() - before; added > 0 {
		a.credit -= added * 100
		p.dirty, p.fresh = true, true
	}
	p.reported = now
	return nil
}

// open begins a play. It began at most as long ago as its ticket is old, by the clock of this instance: the player's own
// may be wrong.
func open(t ticket, r report, now time.Time) *play {
	started := now.Add(-r.age)
	if started.Before(t.issued) {
		started = t.issued
	}
	p := &play{
		listener: t.listener, artist: t.artist, track: t.track, session: r.session, length: 10 * t.length,
		started: started.UTC().Truncate(time.Millisecond), reported: now, source: Played,
	}
	switch {
	case p.listener == p.artist:
		p.source = Own
	case r.age >= offlineAge:
		p.source = Offline
	}
	return p
}

// earn lets the credit grow to now; of an account that was not seen before, from the ticket on.
func (a *account) earn(issued, now time.Time) {
	if a.settled.Before(issued) {
		a.settled = issued
	}
	if passed := now.Sub(a.settled); passed > 0 {
		a.credit = min(a.credit+passed.Milliseconds()*105/100, maxAge.Milliseconds())
		a.settled = now
	}
}

// fetched notes that a session has got a block.
func (s *Service) fetched(text, address string, size int64) {
	session := text
	if end := strings.IndexAny(text, " ;"); end >= 0 {
		session = text[:end]
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(path.Base(address)))
	block := h.Sum32()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plays[session]
	if p == nil {
		return
	}
	p.bytes += size
	if len(p.blocks) < maxBlocks && !slices.Contains(p.blocks, block) {
		p.blocks = append(p.blocks, block)
	}
}

// lose drops one play from mind; the caller holds mu.
func (s *Service) lose(session string, p *play) {
	delete(s.plays, session)
	if a := s.accounts[p.listener]; a != nil {
		a.open--
	} else if o, ok := s.orphans[p.listener]; ok {
		if o.open--; o.open > 0 {
			s.orphans[p.listener] = o
		} else {
			delete(s.orphans, p.listener)
		}
	}
}

// forget drops from mind what is written and has not moved for a while.
func (s *Service) forget(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session, p := range s.plays {
		if !p.dirty && now.Sub(p.reported) > idle {
			s.lose(session, p)
		}
	}
	for listener, a := range s.accounts {
		if a.open <= 0 && now.Sub(a.seen) > idle {
			delete(s.accounts, listener)
		}
	}
}
