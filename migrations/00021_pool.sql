-- +goose Up
-- The key of a month that listeners' pseudonyms are made with, sealed. It is deleted 13 months after its month.
CREATE TABLE pseudonym_keys (
    month      TEXT PRIMARY KEY,
    sealed     BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL
);
-- What an order is for: '' a sale, 'dues' a month of the pool.
ALTER TABLE orders ADD COLUMN purpose TEXT NOT NULL DEFAULT '';
-- The listeners of this instance who are or were members of its pool. month is the last one that was paid, order_uri the
-- demand that waits for its payment, warned the last reminder, as days before the end of the month.
CREATE TABLE pool_members (
    listener   TEXT PRIMARY KEY,
    state      TEXT NOT NULL,
    month      TEXT NOT NULL DEFAULT '',
    order_uri  TEXT NOT NULL DEFAULT '',
    words      TEXT NOT NULL DEFAULT '',
    warned     BIGINT NOT NULL DEFAULT 0,
    joined_at  TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX pool_members_state ON pool_members (state, month);
-- Their payments, each once. One buys a month, waits as credit for a later one (month is empty then), is to be given back
-- or was, or was reversed. batch is the one that it is posted to the ledger with.
CREATE TABLE pool_payments (
    hash      TEXT PRIMARY KEY,
    listener  TEXT NOT NULL,
    order_uri TEXT NOT NULL,
    state     TEXT NOT NULL,
    month     TEXT NOT NULL DEFAULT '',
    units     TEXT NOT NULL,
    asset     TEXT NOT NULL,
    decimals  BIGINT NOT NULL,
    provider  TEXT NOT NULL,
    batch     TEXT NOT NULL DEFAULT '',
    final_at  TIMESTAMP NOT NULL,
    posted_at TIMESTAMP
);
CREATE UNIQUE INDEX pool_payments_month ON pool_payments (month, listener) WHERE month <> '';
CREATE INDEX pool_payments_listener ON pool_payments (listener, final_at);
CREATE INDEX pool_payments_batch ON pool_payments (batch);
-- The batches in which payments are posted to the ledger: state is open, closed or posted.
CREATE TABLE pool_batches (
    id         TEXT PRIMARY KEY,
    state      TEXT NOT NULL,
    lines      BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX pool_batches_state ON pool_batches (state, lines);
-- What members have asked of the instances of artists: a grant of an artist's tracks for a month. offer is the URI of the
-- activity of the last try.
CREATE TABLE pool_asks (
    listener       TEXT NOT NULL,
    artist         TEXT NOT NULL,
    month          TEXT NOT NULL,
    offer          TEXT NOT NULL UNIQUE,
    receiving_key  TEXT NOT NULL,
    requesting_key TEXT NOT NULL,
    state          TEXT NOT NULL,
    code           TEXT NOT NULL DEFAULT '',
    words          TEXT NOT NULL DEFAULT '',
    receipt        TEXT NOT NULL DEFAULT '',
    grant_uri      TEXT NOT NULL DEFAULT '',
    asked_at       TIMESTAMP NOT NULL,
    updated_at     TIMESTAMP NOT NULL,
    PRIMARY KEY (listener, artist, month)
);
CREATE INDEX pool_asks_grant ON pool_asks (grant_uri);
-- As the instance of artists: how many listeners of a host were admitted in a month, and how many it has paid for, as its
-- ledger says up to the record before next_record.
CREATE TABLE pool_hosts (
    host        TEXT NOT NULL,
    month       TEXT NOT NULL,
    paid        BIGINT NOT NULL,
    admitted    BIGINT NOT NULL,
    next_record BIGINT NOT NULL,
    PRIMARY KEY (host, month)
);
CREATE TABLE pool_admitted (
    host       TEXT NOT NULL,
    month      TEXT NOT NULL,
    listener   TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (host, month, listener)
);
CREATE TABLE pool_entries (
    host      TEXT NOT NULL,
    month     TEXT NOT NULL,
    pseudonym TEXT NOT NULL,
    PRIMARY KEY (host, month, pseudonym)
);
-- The key that a host's ledger was first seen with.
CREATE TABLE pool_ledgers (
    host    TEXT PRIMARY KEY,
    key     TEXT NOT NULL,
    seen_at TIMESTAMP NOT NULL
);
-- Grants of the pool are kept apart from what a listener owns: they pass with their month.
ALTER TABLE grants_held ADD COLUMN pool BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX grants_held_pool ON grants_held (pool, end_time);
-- An artist has one product of the pool; its version is the month, as yyyymm.
CREATE UNIQUE INDEX products_pool ON products (artist) WHERE kind = 'pool';
