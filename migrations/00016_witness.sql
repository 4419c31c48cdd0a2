-- +goose Up
-- What witnesses have signed of this ledger: of each witness the last cosignature of a day, as a line of a signed note. The
-- text that it signs follows from the ledger and the size.
CREATE TABLE ledger_cosignatures (
    name TEXT   NOT NULL,
    day  TEXT   NOT NULL,
    size BIGINT NOT NULL,
    key  TEXT   NOT NULL,
    line TEXT   NOT NULL,
    PRIMARY KEY (name, day)
);
-- The witnesses that this instance asks, by their address: the key that was seen first, how far they have signed, and
-- why one refuses, with what it has seen instead.
CREATE TABLE witnesses (
    url      TEXT PRIMARY KEY,
    key      TEXT      NOT NULL,
    size     BIGINT    NOT NULL,
    asked_at TIMESTAMP NOT NULL,
    refused  TEXT      NOT NULL
);
-- The ledgers of others that this instance has signed for: the key that was seen first, and the last checkpoint.
CREATE TABLE witnessed_logs (
    origin  TEXT PRIMARY KEY,
    key     TEXT      NOT NULL,
    size    BIGINT    NOT NULL,
    root    BYTEA     NOT NULL,
    note    TEXT      NOT NULL,
    seen_at TIMESTAMP NOT NULL
);
-- Two checkpoints of one ledger, both with its signature: of one size and with two roots, which is proof, or of which
-- nobody has shown that one goes on from the other; of those the newest is kept.
CREATE TABLE witnessed_forks (
    id       TEXT PRIMARY KEY,
    origin   TEXT      NOT NULL,
    proved   BOOLEAN   NOT NULL,
    seen     TEXT      NOT NULL,
    refused  TEXT      NOT NULL,
    found_at TIMESTAMP NOT NULL
);
CREATE INDEX witnessed_forks_origin ON witnessed_forks (origin);
