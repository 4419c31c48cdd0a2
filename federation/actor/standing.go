package actor

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// The states of a local actor besides the usual one, which is empty. Unlisted has signed up and was not let in yet;
// Gone was deleted, and its name is never used again.
const (
	Unlisted = "pending"
	Gone     = "gone"
)

// standing is the error for an actor that is not to be met, or nil.
func (r row) standing() error {
	switch {
	case r.Local && r.State == Gone:
		return fmt.Errorf("%s: %w", r.URI, ErrGone)
	case r.Local && r.State == Unlisted:
		return fmt.Errorf("%w: %s waits for approval", ErrNotFound, r.URI)
	}
	return nil
}

// SetUnlisted keeps a new local actor from everybody, or with unlisted false lets it be met.
func (r *Registry) SetUnlisted(ctx context.Context, tx *gorm.DB, uri string, unlisted bool) error {
	state := ""
	if unlisted {
		state = Unlisted
	}
	return r.set(ctx, tx.Where("state <> ?", Gone), uri, map[string]any{"state": state})
}

// Delete makes a local actor one that was: its profile is emptied, its listener's keys are withdrawn, and its document
// is answered with ErrGone. Its signing keys stay, so that the news can be signed; its follows are for the caller to
// end once it is told.
func (r *Registry) Delete(ctx context.Context, tx *gorm.DB, uri string) error {
	if err := tx.WithContext(ctx).Where("actor = ?", uri).Delete(&linkRow{}).Error; err != nil {
		return fmt.Errorf("drop key links of %s: %w", uri, err)
	}
	return r.set(ctx, tx, uri, map[string]any{
		"state": Gone, "display": "", "summary": "", "icon": "", "receiving_key": "", "requesting_key": "", "key_number": 0, "raw": nil,
		"moved_to": "", "also_known_as": "",
	})
}

// DropUnlisted removes a local actor that was never let in, with its keys, so that its name is free again.
func (r *Registry) DropUnlisted(ctx context.Context, tx *gorm.DB, uri string) error {
	tx = tx.WithContext(ctx)
	result := tx.Where("uri = ? AND local AND state = ?", uri, Unlisted).Delete(&row{})
	if result.Error != nil {
		return fmt.Errorf("drop actor %s: %w", uri, result.Error)
	}
	if result.RowsAffected == 0 {
		return fmt.Errorf("%w: %s was let in", ErrNotFound, uri)
	}
	if err := tx.Where("actor = ?", uri).Delete(&keyRow{}).Error; err != nil {
		return fmt.Errorf("drop keys of %s: %w", uri, err)
	}
	return nil
}

// SetMoved says where a local actor has moved; an empty target takes that back.
func (r *Registry) SetMoved(ctx context.Context, tx *gorm.DB, uri, target string) error {
	return r.set(ctx, tx, uri, map[string]any{"moved_to": target})
}

// SetAliases sets the other accounts of whom a local actor is, which lets these move here.
func (r *Registry) SetAliases(ctx context.Context, tx *gorm.DB, uri string, aliases []string) error {
	return r.set(ctx, tx, uri, map[string]any{"also_known_as": strings.Join(aliases, "\n")})
}

func (r *Registry) set(ctx context.Context, tx *gorm.DB, uri string, change map[string]any) error {
	if err := tx.WithContext(ctx).Model(&row{}).Where("uri = ? AND local", uri).Updates(change).Error; err != nil {
		return fmt.Errorf("write actor %s: %w", uri, err)
	}
	return nil
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// OfHost returns the actors known of a host and of all below it, at most limit after the URI after.
func OfHost(ctx context.Context, tx *gorm.DB, host, after string, limit int) ([]string, error) {
	var out []string
	err := ofHost(tx.WithContext(ctx).Model(&row{}), host).Where("uri > ?", after).Order("uri").Limit(limit).Pluck("uri", &out).Error
	if err != nil {
		return nil, fmt.Errorf("read actors of %s: %w", host, err)
	}
	return out, nil
}

// ofHost narrows a query of actors to the remote ones of a host and of all below it, with or without a port.
func ofHost(q *gorm.DB, host string) *gorm.DB {
	name := like(host)
	return q.Where(`NOT local AND (host = ? OR host LIKE ? ESCAPE '\' OR host LIKE ? ESCAPE '\' OR host LIKE ? ESCAPE '\')`,
		host, "%."+name, name+":%", "%."+name+":%")
}

func like(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// Inboxes returns remote actors, one for each inbox that one message to everyone goes to, at most limit after the inbox
// after; next is the last of these inboxes.
func Inboxes(ctx context.Context, tx *gorm.DB, after string, limit int) (uris []string, next string, err error) {
	var rows []struct{ URI, Box string }
	const box = "CASE WHEN shared_inbox <> '' THEN shared_inbox ELSE inbox END"
	err = tx.WithContext(ctx).Model(&row{}).Select("MIN(uri) AS uri, "+box+" AS box").Where("NOT local AND "+box+" > ?", after).
		Group(box).Order("box").Limit(limit).Scan(&rows).Error
	if err != nil {
		return nil, "", fmt.Errorf("read inboxes: %w", err)
	}
	for _, r := range rows {
		uris, next = append(uris, r.URI), r.Box
	}
	return uris, next, nil
}
