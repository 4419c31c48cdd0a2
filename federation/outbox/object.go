package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/db"
)

var (
	// ErrNotFound is returned for a document that is not here, or not for whoever asks.
	ErrNotFound = errors.New("no such object")
	// ErrOwner is returned when a document that is here belongs to somebody else, or is of another kind.
	ErrOwner = errors.New("object belongs to someone else")
	// ErrOlder is returned when a document is here in a later form, or was deleted later.
	ErrOlder = errors.New("object is here in a later form")
)

// Everyone is the audience of a public document.
const Everyone = "public"

// Object is a document as it is served, or was received.
type Object struct {
	URI string
	// Kind is its type, the first one of several: Note, AudioTrack, AccessGrant.
	Kind string
	// Owner is the actor that it is attributed to.
	Owner string
	// Audience are the actors that may read it; nil for everyone. The owner always may.
	Audience []string
	// Local says that it was made here; that stays so when it is received back.
	Local bool
	Raw   []byte
	// Deleted is when it was deleted; zero if it was not.
	Deleted time.Time
	Created time.Time
	Updated time.Time
}

// Readable reports whether an actor may read the object; the empty reader is anybody.
func (o Object) Readable(reader string) bool {
	return o.Audience == nil || reader != "" && (reader == o.Owner || slices.Contains(o.Audience, reader))
}

type objectRow struct {
	URI       string `gorm:"primaryKey"`
	Kind      string
	Owner     string
	Local     bool
	Audience  string
	Raw       []byte
	DeletedAt *time.Time
	CreatedAt time.Time
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
}

// TableName is gorm's name for the table.
func (objectRow) TableName() string { return "objects" }

// Store writes a document of a local actor, to be served to its audience, or replaces an earlier form of it.
func (o *Outbox) Store(ctx context.Context, tx *gorm.DB, x Object) error {
	x.Local = true
	now := o.utc()
	if x.Created.IsZero() {
		x.Created = now
	}
	if x.Updated.IsZero() {
		x.Updated = now
	}
	return PutObject(ctx, tx, x)
}

// PutObject writes a document, local or received. A form of the same time or later replaces an earlier one of the same
// owner and kind, and brings it back if it was deleted before that time. The errors to branch on are ErrOwner and
// ErrOlder.
func PutObject(ctx context.Context, tx *gorm.DB, x Object) error {
	db.Touch(tx.Statement.Context, x.URI, x.Owner)
	row, err := rowOf(x)
	if err != nil {
		return err
	}
	result := tx.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "uri"}},
		Where: clause.Where{Exprs: []clause.Expression{
			gorm.Expr("objects.owner = excluded.owner AND objects.kind = excluded.kind AND objects.updated_at <= excluded.updated_at" +
				" AND (objects.deleted_at IS NULL OR objects.deleted_at < excluded.updated_at)"),
		}},
		DoUpdates: clause.AssignmentColumns([]string{"audience", "raw", "deleted_at", "updated_at"}),
	}).Create(&row)
	if result.Error != nil {
		return fmt.Errorf("store %s: %w", x.URI, result.Error)
	}
	if result.RowsAffected > 0 {
		return nil
	}
	have, err := ObjectByURI(ctx, tx, x.URI)
	if err != nil {
		return err
	}
	if have.Owner != x.Owner || have.Kind != x.Kind {
		return fmt.Errorf("store %s: %w", x.URI, ErrOwner)
	}
	return fmt.Errorf("store %s: %w", x.URI, ErrOlder)
}

// AddObject writes a document that is not here in any form, and reports whether it was so. It is PutObject in one
// statement for what is new, as most is that arrives.
func AddObject(ctx context.Context, tx *gorm.DB, x Object) (added bool, err error) {
	row, err := rowOf(x)
	if err != nil {
		return false, err
	}
	db.Touch(ctx, x.URI, x.Owner)
	result := tx.WithContext(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "uri"}}, DoNothing: true}).Create(&row)
	if result.Error != nil {
		return false, fmt.Errorf("store %s: %w", x.URI, result.Error)
	}
	return result.RowsAffected > 0, nil
}

// AddObjects is AddObject for many by one statement; it tells by URI which were not here. Of two with one URI the first is
// written.
func AddObjects(ctx context.Context, tx *gorm.DB, objects []Object) (added map[string]bool, err error) {
	if len(objects) == 0 {
		return nil, nil
	}
	values := make([]any, 0, 9*len(objects))
	for _, x := range objects {
		row, err := rowOf(x)
		if err != nil {
			return nil, err
		}
		db.Touch(ctx, x.URI, x.Owner)
		values = append(values, row.URI, row.Kind, row.Owner, row.Local, row.Audience, row.Raw, row.DeletedAt, row.CreatedAt, row.UpdatedAt)
	}
	var uris []string
	err = tx.WithContext(ctx).Raw("INSERT INTO objects (uri, kind, owner, local, audience, raw, deleted_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"+
		strings.Repeat(", (?, ?, ?, ?, ?, ?, ?, ?, ?)", len(objects)-1)+" ON CONFLICT (uri) DO NOTHING RETURNING uri", values...).Scan(&uris).Error
	if err != nil {
		return nil, fmt.Errorf("store %d documents: %w", len(objects), err)
	}
	added = make(map[string]bool, len(uris))
	for _, uri := range uris {
		added[uri] = true
	}
	return added, nil
}

func rowOf(x Object) (objectRow, error) {
	audience := Everyone
	if x.Audience != nil {
		list, err := json.Marshal(x.Audience)
		if err != nil {
			return objectRow{}, fmt.Errorf("store %s: %w", x.URI, err)
		}
		audience = string(list)
	}
	row := objectRow{
		URI: x.URI, Kind: x.Kind, Owner: x.Owner, Local: x.Local, Audience: audience, Raw: x.Raw,
		CreatedAt: x.Created.UTC(), UpdatedAt: x.Updated.UTC(),
	}
	if !x.Deleted.IsZero() {
		at := x.Deleted.UTC()
		row.DeletedAt = &at
	}
	return row, nil
}

// LockObject is ObjectByURI, and keeps others from changing the document until the transaction ends.
func LockObject(ctx context.Context, tx *gorm.DB, uri string) (Object, error) {
	return ObjectByURI(ctx, db.Locked(tx), uri)
}

// ObjectByURI returns a document that is here, deleted or not, whoever may read it, or ErrNotFound.
func ObjectByURI(ctx context.Context, tx *gorm.DB, uri string) (Object, error) {
	var row objectRow
	err := tx.WithContext(ctx).Where("uri = ?", uri).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Object{}, fmt.Errorf("%w: %s", ErrNotFound, uri)
	}
	if err != nil {
		return Object{}, fmt.Errorf("read object %s: %w", uri, err)
	}
	x := Object{
		URI: row.URI, Kind: row.Kind, Owner: row.Owner, Local: row.Local, Raw: row.Raw, Created: row.CreatedAt, Updated: row.UpdatedAt,
	}
	if row.DeletedAt != nil {
		x.Deleted = *row.DeletedAt
	}
	if row.Audience != Everyone {
		if err := json.Unmarshal([]byte(row.Audience), &x.Audience); err != nil {
			return Object{}, fmt.Errorf("audience of %s: %w", uri, err)
		}
	}
	return x, nil
}

// DeleteObject marks a document as deleted, so that it is answered with 410 and no late Create brings it back. One that
// was never here is remembered, too, for its owner.
func DeleteObject(ctx context.Context, tx *gorm.DB, owner, uri string, local bool, now time.Time) error {
	db.Touch(tx.Statement.Context, uri, owner)
	now = now.UTC().Truncate(time.Second)
	row := objectRow{
		URI: uri, Kind: "Tombstone", Owner: owner, Local: local, Audience: Everyone, Raw: []byte("{}"),
		DeletedAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	err := tx.WithContext(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "uri"}},
		Where:     clause.Where{Exprs: []clause.Expression{gorm.Expr("objects.owner = excluded.owner AND objects.deleted_at IS NULL")}},
		DoUpdates: clause.AssignmentColumns([]string{"deleted_at"}),
	}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("delete %s: %w", uri, err)
	}
	return nil
}

// DeleteObjectsOf marks everything that a remote actor made as deleted.
func DeleteObjectsOf(ctx context.Context, tx *gorm.DB, owner string, now time.Time) error {
	err := tx.WithContext(ctx).Model(&objectRow{}).Where("owner = ? AND NOT local AND deleted_at IS NULL", owner).
		Update("deleted_at", now.UTC()).Error
	if err != nil {
		return fmt.Errorf("delete objects of %s: %w", owner, err)
	}
	return nil
}
