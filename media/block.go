package media

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/media/ipfs"
)

// Kind is what a block holds.
type Kind string

// The kinds of blocks. Preview and Cover are public files; a segment, or an init section, leads to nothing else.
const (
	KindManifest Kind = "manifest"
	KindPlaylist Kind = "playlist"
	KindSegment  Kind = "segment"
	KindPreview  Kind = "preview"
	KindCover    Kind = "cover"
	// KindFile is a node of a download's tree, and leads to the blocks below it.
	KindFile Kind = "file"
)

// Block is one block that this instance answers for, because it published it or because a user's grant leads to it.
type Block struct {
	CID string `gorm:"column:cid;primaryKey"`
	// Owner is the URI of the track or the grant that it belongs to.
	Owner string `gorm:"primaryKey"`
	Kind  Kind
	Size  int64
	// Origin is the base URL of the instance that has it; empty for what is made here.
	Origin string
	// Held says that the block is in the store.
	Held      bool
	CreatedAt time.Time
}

// Register makes the instance answer for blocks; what is registered already stays as it is.
func Register(tx *gorm.DB, blocks ...Block) error {
	if len(blocks) == 0 {
		return nil
	}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(blocks, 200).Error; err != nil {
		return fmt.Errorf("register blocks: %w", err)
	}
	return nil
}

// SetHeld marks a block as being in the store, for all of its owners.
func SetHeld(tx *gorm.DB, cid string, size int64) error {
	return tx.Model(&Block{}).Where("cid = ?", cid).Updates(map[string]any{"held": true, "size": size}).Error
}

// BlockByCID returns a registered block that was not denied, one that is held first, or [ipfs.ErrNotFound].
func BlockByCID(ctx context.Context, tx *gorm.DB, cid string) (Block, error) {
	var rows []Block
	denied := tx.Model(&deniedBlock{}).Select("cid")
	if err := tx.WithContext(ctx).Where("cid = ? AND cid NOT IN (?)", cid, denied).Order("held DESC, origin DESC").Limit(1).Find(&rows).Error; err != nil {
		return Block{}, fmt.Errorf("look up block: %w", err)
	}
	if len(rows) == 0 {
		return Block{}, fmt.Errorf("%w: %s", ipfs.ErrNotFound, cid)
	}
	return rows[0], nil
}
