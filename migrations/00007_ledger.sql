-- +goose Up
-- The leaves of the Merkle log, in order from 0; record is canonical JSON. Nothing here is ever changed or removed.
CREATE TABLE ledger_entries (
    n      BIGINT PRIMARY KEY,
    record TEXT NOT NULL
);
-- The log's stored hashes, by their index in golang.org/x/mod/sumdb/tlog.
CREATE TABLE ledger_nodes (
    idx  BIGINT PRIMARY KEY,
    hash BYTEA NOT NULL
);
-- Signed notes: the newest, and the last one of each day.
CREATE TABLE ledger_checkpoints (
    size BIGINT PRIMARY KEY,
    day  TEXT NOT NULL UNIQUE,
    note TEXT NOT NULL
);
-- What the records add up to: balances, and which payments were recorded.
CREATE TABLE ledger_state (
    k TEXT PRIMARY KEY,
    v TEXT NOT NULL
);
