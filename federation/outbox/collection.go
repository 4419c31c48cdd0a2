package outbox

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/vocab"
)

// list is where the entries of a collection come from.
type list struct {
	count func(ctx context.Context, tx *gorm.DB, owner string) (int64, error)
	items func(ctx context.Context, tx *gorm.DB, owner string, offset, limit int) ([]vocab.Ref, error)
}

// lists are an actor's collections, by the last part of their URIs.
var lists = map[string]list{
	"outbox":    {countSent, sentItems},
	"followers": {actor.CountFollowers, uris(actor.Followers)},
	"following": {actor.CountFollowing, uris(actor.Following)},
	"tracks":    {countTracks, uris(trackURIs)},
}

func uris(list func(ctx context.Context, tx *gorm.DB, owner string, offset, limit int) ([]string, error)) func(context.Context, *gorm.DB, string, int, int) ([]vocab.Ref, error) {
	return func(ctx context.Context, tx *gorm.DB, owner string, offset, limit int) ([]vocab.Ref, error) {
		found, err := list(ctx, tx, owner, offset, limit)
		if err != nil {
			return nil, err
		}
		out := make([]vocab.Ref, len(found))
		for i, uri := range found {
			out[i] = vocab.Ref{ID: uri}
		}
		return out, nil
	}
}

func countSent(ctx context.Context, tx *gorm.DB, owner string) (int64, error) {
	var n int64
	if err := tx.WithContext(ctx).Model(&sent{}).Where("actor = ? AND public", owner).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count activities of %s: %w", owner, err)
	}
	return n, nil
}

func sentItems(ctx context.Context, tx *gorm.DB, owner string, offset, limit int) ([]vocab.Ref, error) {
	var rows []sent
	err := tx.WithContext(ctx).Where("actor = ? AND public", owner).Order("created_at DESC, uri").Offset(offset).Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read activities of %s: %w", owner, err)
	}
	out := make([]vocab.Ref, len(rows))
	for i, row := range rows {
		out[i] = vocab.Ref{ID: row.URI, Raw: row.Raw}
	}
	return out, nil
}

func countTracks(ctx context.Context, tx *gorm.DB, owner string) (int64, error) {
	var n int64
	err := tx.WithContext(ctx).Model(&objectRow{}).Where("owner = ? AND kind = ? AND deleted_at IS NULL", owner, kindTrack).Count(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count tracks of %s: %w", owner, err)
	}
	return n, nil
}

func trackURIs(ctx context.Context, tx *gorm.DB, owner string, offset, limit int) ([]string, error) {
	var out []string
	err := tx.WithContext(ctx).Model(&objectRow{}).Where("owner = ? AND kind = ? AND deleted_at IS NULL", owner, kindTrack).
		Order("created_at DESC, uri").Offset(offset).Limit(limit).Pluck("uri", &out).Error
	if err != nil {
		return nil, fmt.Errorf("read tracks of %s: %w", owner, err)
	}
	return out, nil
}
