package db

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Locked has the rows that are read next by tx, an open transaction, stay as they are until it ends: nobody else changes
// what was looked at before it is written. SQLite has one writer at a time anyway.
func Locked(tx *gorm.DB) *gorm.DB {
	return tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
}
