-- +goose Up
-- The seller's side of a purchase. uri is the agreement's.
CREATE TABLE orders (
    uri            TEXT PRIMARY KEY,
    offer          TEXT NOT NULL UNIQUE,
    product        TEXT NOT NULL,
    version        BIGINT NOT NULL,
    artist         TEXT NOT NULL,
    buyer          TEXT NOT NULL,
    receiving_key  TEXT NOT NULL,
    requesting_key TEXT NOT NULL,
    units          TEXT NOT NULL,
    asset          TEXT NOT NULL,
    decimals       BIGINT NOT NULL,
    ground         TEXT NOT NULL,
    provider       TEXT NOT NULL,
    target         TEXT NOT NULL,
    identifier     TEXT NOT NULL UNIQUE,
    state          TEXT NOT NULL,
    words          TEXT NOT NULL DEFAULT '',
    receipt        TEXT NOT NULL DEFAULT '',
    grant_uri      TEXT NOT NULL DEFAULT '',
    payment_hash   TEXT NOT NULL DEFAULT '',
    expires_at     TIMESTAMP NOT NULL,
    paid_at        TIMESTAMP,
    created_at     TIMESTAMP NOT NULL,
    updated_at     TIMESTAMP NOT NULL
);
CREATE INDEX orders_state ON orders (state, provider);
CREATE INDEX orders_buyer ON orders (buyer, product);
-- Every payment that a provider has shown us, credited or not, once.
CREATE TABLE payments (
    hash       TEXT PRIMARY KEY,
    provider   TEXT NOT NULL,
    initiator  TEXT NOT NULL,
    target     TEXT NOT NULL,
    identifier TEXT NOT NULL,
    units      TEXT NOT NULL,
    asset      TEXT NOT NULL,
    order_uri  TEXT NOT NULL DEFAULT '',
    outcome    TEXT NOT NULL,
    seen_at    TIMESTAMP NOT NULL
);
CREATE TABLE cursors (
    name     TEXT PRIMARY KEY,
    position TEXT NOT NULL
);
-- The buyer's side of an order.
CREATE TABLE purchases (
    id         TEXT PRIMARY KEY,
    offer      TEXT NOT NULL UNIQUE,
    buyer      TEXT NOT NULL,
    artist     TEXT NOT NULL,
    product    TEXT NOT NULL,
    track      TEXT NOT NULL,
    title      TEXT NOT NULL,
    units      TEXT NOT NULL,
    asset      TEXT NOT NULL,
    decimals   BIGINT NOT NULL,
    receiving_key  TEXT NOT NULL,
    requesting_key TEXT NOT NULL,
    nonce      TEXT NOT NULL,
    state      TEXT NOT NULL,
    words      TEXT NOT NULL DEFAULT '',
    agreement  TEXT NOT NULL DEFAULT '',
    invoice    TEXT NOT NULL DEFAULT '',
    receipt    TEXT NOT NULL DEFAULT '',
    receipt_raw BYTEA,
    grant_uri  TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX purchases_buyer ON purchases (buyer, product);
