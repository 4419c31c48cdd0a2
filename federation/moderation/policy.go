package moderation

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/internal/jobs"
)

// severBatch is how many actors lose their follows in one transaction.
const severBatch = 200

// sever is the job that ends all follows with a suspended subject: those after the actor After are still to do.
type sever struct {
	Subject string `json:"subject"`
	After   string `json:"after,omitempty"`
	// Since tells suspensions of one subject apart.
	Since int64 `json:"since"`
}

// Kind names the job.
func (sever) Kind() string { return "sever" }

// Options make the job one of its kind, until a day after it has ended.
func (sever) Options() jobs.Options { return jobs.Options{Once: true} }

// SetPolicy writes a policy for an admin. A suspension ends all follows with its subject, by a job, without a word to it:
// nothing is delivered there any more.
func (s *Service) SetPolicy(ctx context.Context, admin string, p discover.Policy, why string) error {
	why, err := reason(why)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.setPolicy(ctx, tx, admin, p, why) })
}

func (s *Service) setPolicy(ctx context.Context, tx *gorm.DB, admin string, p discover.Policy, why string) error {
	subject, err := discover.Subject(p.Subject)
	if err != nil {
		return err
	}
	if s.Actors.Own(subject) || subject == discover.Normalize(s.Actors.Host()) {
		return fmt.Errorf("policy about %s, which is this instance: %w", subject, ErrSelf)
	}
	p.Subject, p.PublicComment, p.PrivateComment = subject, short(p.PublicComment, maxWords), short(p.PrivateComment, maxWords)
	if err := s.Hosts.SetPolicy(ctx, tx, p); err != nil {
		return err
	}
	if p.Severity == discover.Suspend {
		if err := s.Jobs.Insert(ctx, tx, sever{Subject: subject, Since: s.Now().UnixNano()}); err != nil {
			return err
		}
	}
	return Record(ctx, tx, admin, string(p.Severity), subject, why, s.Now())
}

// DropPolicy takes a policy back for an admin. Follows that it ended do not come back by themselves.
func (s *Service) DropPolicy(ctx context.Context, admin, subject, why string) error {
	why, err := reason(why)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.Hosts.DropPolicy(ctx, tx, subject); err != nil {
			return err
		}
		return Record(ctx, tx, admin, "lift", subject, why, s.Now())
	})
}

// sever ends the follows of some actors, and leaves the rest to the next job.
func (s *Service) sever(ctx context.Context, job sever, _ int) error {
	verdict, err := s.Hosts.JudgeActor(ctx, subjectURI(job.Subject))
	if err != nil || !verdict.Blocked {
		return err
	}
	uris := []string{job.Subject}
	if subjectURI(job.Subject) != job.Subject {
		if uris, err = actor.OfHost(ctx, s.DB.Read, job.Subject, job.After, severBatch); err != nil || len(uris) == 0 {
			return err
		}
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := actor.DropFollows(ctx, tx, uris); err != nil {
			return err
		}
		if len(uris) < severBatch {
			return nil
		}
		return s.Jobs.Insert(ctx, tx, sever{Subject: job.Subject, After: uris[len(uris)-1], Since: job.Since})
	})
}

// subjectURI is a URI that policies about a subject apply to.
func subjectURI(subject string) string {
	if (discover.Policy{Subject: subject}).Account() {
		return subject
	}
	return "https://" + subject + "/"
}

// PolicyList is a block list that was uploaded and waits for an admin's yes.
type PolicyList struct {
	ID        string `gorm:"primaryKey"`
	Raw       []byte
	CreatedAt time.Time
}
