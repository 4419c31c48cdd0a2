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
