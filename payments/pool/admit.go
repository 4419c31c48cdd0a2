package pool

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Page is a part of what an instance's ledger says of payments for a month.
type Page struct {
	// Key is the verifier key of the ledger's checkpoints, as signed notes have it.
	Key string `json:"key"`
	// Records are the batches, each proved under a checkpoint, the oldest first.
	Records []ledger.RecordProof `json:"records"`
	// More says that there are later ones.
	More bool `json:"more"`
}

// Records reads what another instance's ledger says of payments for a month, from a record on. federation/trade implements
// it, and answers it.
type Records interface {
	Page(ctx context.Context, host string, month royalty.Month, from int64) (Page, error)
}

// Of how many records a page may consist, and how many pages are read at once.
const (
	MaxRecords = 4
	maxPages   = 100
)

// Claim is a membership of another instance's listener, its signature already checked.
type Claim struct {
	// Host is that of the listener's instance.
	Host, Listener string
	Month          royalty.Month
}

// admission is how many listeners of a host were admitted in a month.
type admission struct {
	Host       string        `gorm:"primaryKey"`
	Month      royalty.Month `gorm:"primaryKey"`
	Paid       int64
	Admitted   int64
	NextRecord int64
}

func (admission) TableName() string { return "pool_hosts" }

type admitted struct {
	Host      string        `gorm:"primaryKey"`
	Month     royalty.Month `gorm:"primaryKey"`
	Listener  string        `gorm:"primaryKey"`
	CreatedAt time.Time
}

func (admitted) TableName() string { return "pool_admitted" }

type entry struct {
	Host      string        `gorm:"primaryKey"`
	Month     royalty.Month `gorm:"primaryKey"`
	Pseudonym string        `gorm:"primaryKey"`
}

func (entry) TableName() string { return "pool_entries" }

type pinned struct {
	Host   string `gorm:"primaryKey"`
	Key    string
	SeenAt time.Time
}

func (pinned) TableName() string { return "pool_ledgers" }

// Shares reports whether an instance is of this pool, by its host.
func (s *Service) Shares(host string) bool {
	return host == s.config.Host || slices.Contains(s.config.Peers, host)
}

// Admit admits a listener of an instance of the pool for the present month: no more of them than payments of that
// instance stand on its ledger. A [*Refusal] says why not; admitted twice is once.
func (s *Service) Admit(ctx context.Context, c Claim) error {
	switch {
	case !s.Shares(c.Host):
		return &Refusal{"not-in-pool", "This instance shares no listening pool with yours."}
	case c.Month != s.Month():
		return &Refusal{"wrong-month", "This membership is of another month."}
	case hostOf(c.Listener) != c.Host:
		return &Refusal{"forbidden", "This listener does not live there."}
	}
	in, err := s.admit(ctx, c)
	if err != nil || in {
		return err
	}
	if err := s.recount(ctx, c.Host, c.Month); err != nil {
		s.Log.Warn("payments of a pool's instance not counted", "host", c.Host, "error", err)
		var refused *Refusal
		if errors.As(err, &refused) {
			return err
		}
		return &Refusal{"not-counted", "The payments of your instance could not be checked just now. Try again in a minute."}
	}
	if in, err = s.admit(ctx, c); err != nil || in {
		return err
	}
	return &Refusal{"too-many-listeners", "As many listeners as your instance has paid for this month are here already."}
}

// admit takes one of the places that are paid and free, unless the listener has one.
func (s *Service) admit(ctx context.Context, c Claim) (bool, error) {
	in := false
	err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var n int64
		if err := tx.Model(&admitted{}).Where("host = ? AND month = ? AND listener = ?", c.Host, c.Month, c.Listener).Count(&n).Error; err != nil {
			return fmt.Errorf("look up admission: %w", err)
		}
		if in = n > 0; in {
			return nil
		}
		taken := tx.Model(&admission{}).Where("host = ? AND month = ? AND admitted < paid", c.Host, c.Month).Update("admitted", gorm.Expr("admitted + 1"))
		if taken.Error != nil || taken.RowsAffected == 0 {
			return taken.Error
		}
		in = true
		return tx.Create(&admitted{Host: c.Host, Month: c.Month, Listener: c.Listener, CreatedAt: s.utc()}).Error
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return true, nil // admitted twice at once: the other one has the place
	}
	return in, err
}

// recount learns how many payments of a host for a month stand on a ledger. The own one may have them: as the own host's, as
// those of a ledger that is shared, or as copies of what the other has told. Copies come late, so when no place is free by
// them, the host's own ledger is read.
func (s *Service) recount(ctx context.Context, host string, month royalty.Month) error {
	var here int64
	_, err := contract.NodeAt(ctx, s.Ledger, host)
	if err != nil && !errors.Is(err, contract.ErrUnknown) {
		return err
	}
	if err == nil || host == s.config.Host {
		if here, err = contract.Payments(ctx, s.Ledger, month, host); err != nil {
			return err
		}
	}
	var a admission
	err = s.DB.Read.WithContext(ctx).Where("host = ? AND month = ?", host, month).Take(&a).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("look up host: %w", err)
	}
	a.Host, a.Month = host, month
	if here > a.Paid || a.NextRecord == 0 && here != a.Paid {
		a.Paid = here
		if err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return counted(tx, a) }); err != nil {
			return err
		}
	}
	if host == s.config.Host || s.Records == nil || a.Admitted < a.Paid {
		return nil
	}
	for range maxPages {
		page, err := s.Records.Page(ctx, host, month, a.NextRecord)
		if err != nil {
			return fmt.Errorf("read ledger of %s: %w", host, err)
		}
		if err := s.read(ctx, &a, page); err != nil {
			return err
		}
		if !page.More || len(page.Records) == 0 {
			return nil
		}
	}
	return nil
}

// counted keeps what is known of a host's payments.
func counted(tx *gorm.DB, a admission) error {
	return tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "host"}, {Name: "month"}}, DoUpdates: clause.AssignmentColumns([]string{"paid", "next_record"}),
	}).Create(&a).Error
}

// read checks a page and counts what it proves: each pseudonym once, of records that stand in the ledger of that host,
// under a checkpoint by the key that it was first seen with.
func (s *Service) read(ctx context.Context, a *admission, page Page) error {
	if len(page.Records) > MaxRecords {
		return fmt.Errorf("%d records on a page", len(page.Records))
	}
	verifier, err := note.NewVerifier(page.Key)
	if err != nil {
		return fmt.Errorf("key of the ledger of %s: %w", a.Host, err)
	}
	origin := verifier.Name()
	if host, _, _ := strings.Cut(origin, "/"); host != a.Host {
		return fmt.Errorf("the ledger of %s is called %.100q", a.Host, origin)
	}
	var entries []entry
	for _, proof := range page.Records {
		if proof.N < a.NextRecord {
			return fmt.Errorf("record %d of %s after %d", proof.N, a.Host, a.NextRecord)
		}
		if _, err := proof.Witnessed(a.Host, verifier); err != nil {
			return err
		}
		batch, err := ledger.ReadSubscriptions(proof.Record)
		if err != nil {
			return fmt.Errorf("record %d of %s: %w", proof.N, a.Host, err)
		}
		if batch.Node != a.Host {
			return fmt.Errorf("record %d of %s is of %.100q", proof.N, a.Host, batch.Node)
		}
		for _, line := range batch.Lines {
			if line.Month == a.Month {
				entries = append(entries, entry{a.Host, a.Month, line.Pseudonym})
			}
		}
		a.NextRecord = proof.N + 1
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := s.pin(tx, a.Host, page.Key); err != nil {
			return err
		}
		if len(entries) > 0 {
			if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(entries, 200).Error; err != nil {
				return fmt.Errorf("keep payments of %s: %w", a.Host, err)
			}
		}
		if err := tx.Model(&entry{}).Where("host = ? AND month = ?", a.Host, a.Month).Count(&a.Paid).Error; err != nil {
			return fmt.Errorf("count payments of %s: %w", a.Host, err)
		}
		return counted(tx, *a)
	})
}

// pin holds a host to the key that its ledger was first seen with.
func (s *Service) pin(tx *gorm.DB, host, key string) error {
	err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&pinned{Host: host, Key: key, SeenAt: s.utc()}).Error
	if err != nil {
		return fmt.Errorf("keep key of %s: %w", host, err)
	}
	var known pinned
	if err := tx.Where("host = ?", host).Take(&known).Error; err != nil {
		return fmt.Errorf("read key of %s: %w", host, err)
	}
	if known.Key != key {
		return &Refusal{"ledger-key", "The ledger of your instance is signed with another key than before. Its operator has to settle that with the operator here."}
	}
	return nil
}

func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
