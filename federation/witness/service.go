// Package witness asks other instances to sign for this instance's ledger, each time that it has grown, and looks up the
// keys of the ledgers that this instance signs for.
//
// What a witness has signed stands beside the checkpoints (payments/ledger); who refuses, because it has seen another
// past, is written down and told until it signs again. The package signs nothing itself: payments/ledger/witness does. It
// is not for the federation's actors; ledgers are known by their hosts. Begin with New and Service.Watch; Compare is for
// who checks a ledger against what a witness saw.
package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/witness"
)

// ErrRefused means that a witness has seen another past of the ledger.
var ErrRefused = errors.New("a witness refuses to sign for this ledger")

// Config says who is asked.
type Config struct {
	// Witnesses are addresses of instances, such as https://w.example, or the submission prefix of any other witness
	// (c2sp.org/tlog-witness), a space, and its verifier key.
	Witnesses []string
	// Every is how often the ledger is looked at, and so how often a witness is asked at most; 15 s when 0.
	Every time.Duration
}

// Parts are what the service is joined with.
type Parts struct {
	DB     *db.DB
	Ledger *ledger.Ledger
	HTTP   *httpx.Client
	Log    *slog.Logger
	Now    func() time.Time
}

// Service asks the witnesses. Watch and Ask are not called at the same time.
type Service struct {
	Parts
	every time.Duration
	asked []*asked
	// altered is what was wrong when the ledger was gone through last, and again when that is done the next time.
	altered error
	again   time.Time
	told    bool
}

// asked is one witness.
type asked struct {
	url    string // as configured, without its key
	prefix string // where add-checkpoint is
	key    string // as configured; empty when the witness is asked for it
	// signed is the text of the checkpoint that it signed last, since this program runs: a past that was rewritten has
	// another one of the same size.
	signed string
	// failed counts the failures since it answered last, and next is when it is asked again.
	failed int
	next   time.Time
}

// maxWitnesses is how many are asked: notes with more signatures are read by nobody.
const maxWitnesses = 16

// New makes a service.
func New(c Config, p Parts) (*Service, error) {
	s := &Service{Parts: p, every: c.Every}
	if s.every <= 0 {
		s.every = 15 * time.Second
	}
	if len(c.Witnesses) > maxWitnesses {
		return nil, fmt.Errorf("%d witnesses, and %d at most", len(c.Witnesses), maxWitnesses)
	}
	for _, text := range c.Witnesses {
		address, key, given := strings.Cut(text, " ")
		address = strings.TrimRight(address, "/")
		w := &asked{url: address, prefix: address + "/witness"}
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("witness %q is not an address such as https://w.example", text)
		}
		if given {
			if _, err := fnote.NewVerifierForCosignatureV1(key); err != nil {
				return nil, fmt.Errorf("witness %s: key: %w", address, err)
			}
			w.prefix, w.key = address, key
		}
		s.asked = append(s.asked, w)
	}
	return s, nil
}

// Watch asks the witnesses whenever the ledger has grown, until ctx ends. Who does not answer is asked again after a pause
// that grows to an hour. Once a day it goes through the whole ledger, also when there are no witnesses.
func (s *Service) Watch(ctx context.Context) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		if err := s.whole(ctx); err != nil && ctx.Err() == nil && !s.told {
			s.told = true
			s.Log.Error("the ledger is not what was written into it; nothing of it is shown to witnesses. Run: antiphon ledger verify", "error", err)
		} else if err == nil {
			s.told = false
		}
		for _, w := range s.asked {
			if s.Now().Before(w.next) {
				continue
			}
			if err := s.ask(ctx, w); err != nil && ctx.Err() == nil {
				w.failed++
				w.next = s.Now().Add(min(time.Hour, s.every<<min(w.failed, 16)))
				s.Log.Error("witness does not sign", "witness", w.url, "error", err)
				continue
			}
			w.failed, w.next = 0, time.Time{}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Ask asks every witness that has not signed the newest checkpoint, once. An error wraps ErrRefused when one has seen
// another past.
func (s *Service) Ask(ctx context.Context) error {
	var failed []error
	for _, w := range s.asked {
		if err := s.ask(ctx, w); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", w.url, err))
		}
	}
	return errors.Join(failed...)
}

// How long it is until the whole ledger is gone through again, when it was as it should be and when it was not.
const (
	wholeEvery   = 24 * time.Hour
	alteredEvery = time.Hour
)

// whole goes through the ledger when that was done long ago. What was altered in place is not seen by a witness, which has
// no records: nothing is signed any more for a ledger that is not whole. Its error wraps ledger.ErrTampered.
func (s *Service) whole(ctx context.Context) error {
	now := s.Now()
	if now.Before(s.again) {
		return s.altered
	}
	_, err := s.Ledger.VerifyAll(ctx, s.DB.Read)
	if err != nil && !errors.Is(err, ledger.ErrTampered) {
		return err
	}
	s.altered, s.again = err, now.Add(wholeEvery)
	if err != nil {
		s.again = now.Add(alteredEvery)
	}
	return err
}

// row is a row of witnesses.
type row struct {
	URL     string `gorm:"primaryKey"`
	Key     string
	Size    int64
	AskedAt time.Time
	Refused string
}

func (row) TableName() string { return "witnesses" }

func (s *Service) ask(ctx context.Context, w *asked) error {
	if err := s.whole(ctx); err != nil {
		return err
	}
	head, err := s.Ledger.Checkpoint(ctx, s.DB.Read)
	empty := errors.Is(err, ledger.ErrNotFound)
	if err != nil && !empty {
		return err
	}
	if text, _, _ := strings.Cut(string(head), "\n\n"); text == w.signed && !empty {
		return nil
	}
	var r row
	err = s.DB.Read.WithContext(ctx).Where("url = ?", w.url).Take(&r).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("read witness: %w", err)
	}
	if empty && r.Size == 0 {
		return nil
	}
	r.URL = w.url
	if w.key != "" {
		r.Key = w.key
	}
	if r.Key == "" {
		if r.Key, err = s.keyOf(ctx, w); err != nil {
			return err
		}
	}
	signed, lines, err := s.submit(ctx, w, r.Size)
	r.AskedAt = s.Now().UTC()
	if err != nil && !errors.Is(err, ErrRefused) {
		return err
	}
	refused := err
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if r.Refused = ""; refused != nil {
			r.Refused = refused.Error()
		} else {
			if r.Size, err = ledger.SizeOf(signed); err != nil {
				return err
			}
			if err := s.Ledger.AddCosignature(ctx, tx, r.Size, r.Key, lines); err != nil {
				return err
			}
		}
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&r).Error; err != nil {
			return fmt.Errorf("write witness: %w", err)
		}
		return nil
	})
	if err == nil && refused == nil {
		w.signed, _, _ = strings.Cut(string(signed), "\n\n")
	}
	return errors.Join(refused, err)
}

// keyOf asks an instance for its key as a witness; from then on it counts.
func (s *Service) keyOf(ctx context.Context, w *asked) (string, error) {
	status, body, err := get(ctx, s.HTTP, w.prefix+"/key")
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("%s/key: status %d", w.prefix, status)
	}
	key := strings.TrimSpace(string(body))
	verifier, err := fnote.NewVerifierForCosignatureV1(key)
	if err != nil {
		return "", fmt.Errorf("%s/key: %w", w.prefix, err)
	}
	u, err := url.Parse(w.url)
	if err != nil {
		return "", err
	}
	if host, _, _ := strings.Cut(verifier.Name(), "/"); host != u.Host {
		return "", fmt.Errorf("%s/key: the key is named %.100q", w.prefix, verifier.Name())
	}
	return key, nil
}

// submit has the newest checkpoint signed, from the size on that the witness has signed before: old, or what it says. It
// returns the checkpoint and the cosignature.
func (s *Service) submit(ctx context.Context, w *asked, old int64) (signed, lines []byte, err error) {
	for range 3 {
		sub, err := s.submission(ctx, old)
		if errors.Is(err, ledger.ErrNotFound) {
			return nil, nil, fmt.Errorf("%w: it has signed for %d records, and here there are fewer", ErrRefused, old)
		}
		if err != nil {
			return nil, nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.prefix+"/add-checkpoint", bytes.NewReader(sub.Marshal()))
		if err != nil {
			return nil, nil, err
		}
		resp, err := s.HTTP.Do(ctx, req, witness.MaxBody)
		if err != nil {
			return nil, nil, err
		}
		switch resp.Status {
		case http.StatusOK:
			return sub.Note, resp.Body, nil
		case http.StatusUnprocessableEntity:
			return nil, nil, fmt.Errorf("%w: what it has signed for, %d records, is not how the ledger of today begins", ErrRefused, old)
		case http.StatusConflict:
			has, err := strconv.ParseInt(strings.TrimSpace(string(resp.Body)), 10, 64)
			if err != nil || has < 0 {
				return nil, nil, fmt.Errorf("%s: a conflict without a size", w.prefix)
			}
			if has == old {
				return nil, nil, fmt.Errorf("%w: it has signed for %d other records", ErrRefused, has)
			}
			old = has
		default:
			return nil, nil, fmt.Errorf("%s/add-checkpoint: status %d: %.200q", w.prefix, resp.Status, resp.Body)
		}
	}
	return nil, nil, fmt.Errorf("%s: others ask for the same ledger", w.prefix)
}

// submission is the newest checkpoint with the proof that it goes on from old; ErrNotFound when old is more than there is.
func (s *Service) submission(ctx context.Context, old int64) (witness.Submission, error) {
	if old == 0 {
		signed, err := s.Ledger.Checkpoint(ctx, s.DB.Read)
		return witness.Submission{Note: signed}, err
	}
	p, err := s.Ledger.ProveTree(ctx, s.DB.Read, old)
	return witness.Submission{Old: old, Proof: p.Hashes, Note: p.Checkpoint}, err
}

// get reads a short answer.
func get(ctx context.Context, client *httpx.Client, address string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(ctx, req, witness.MaxBody)
	if err != nil {
		return 0, nil, err
	}
	return resp.Status, resp.Body, nil
}

// Refusals are the witnesses that have seen another past, each with what it said, in the order of their addresses.
func Refusals(ctx context.Context, tx *gorm.DB) ([]string, error) {
	var rows []row
	if err := tx.WithContext(ctx).Where("refused <> ''").Order("url").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read witnesses: %w", err)
	}
	var out []string
	for _, r := range rows {
		out = append(out, fmt.Sprintf("%s, on %s: %s", r.URL, r.AskedAt.UTC().Format(time.DateTime), r.Refused))
	}
	return out, nil
}
