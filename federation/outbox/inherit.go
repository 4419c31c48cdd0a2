package outbox

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
)

// deliver is how a delivery was kept before there was a table for it: as a job. Those that were waiting when a program of
// that time stopped are moved into the table.
type deliver struct {
	Activity string `json:"activity"`
	Inbox    string `json:"inbox,omitempty"`
	To       string `json:"to,omitempty"`
}

// Kind names the job.
func (deliver) Kind() string { return "deliver" }

func (o *Outbox) inherit(ctx context.Context, d deliver, _ int) error {
	var a sent
	err := o.db.Read.WithContext(ctx).Where("uri = ?", d.Activity).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return jobs.Cancel(fmt.Errorf("activity %s is not there any more", d.Activity))
	}
	if err != nil {
		return fmt.Errorf("read activity %s: %w", d.Activity, err)
	}
	return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if d.Inbox != "" {
			return o.keep(ctx, tx, a, []string{d.Inbox}, false)
		}
		return o.keep(ctx, tx, a, []string{d.To}, true)
	})
}
