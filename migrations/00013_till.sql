-- +goose Up
-- The keys that actors elsewhere were seen to sign objects with, at their own servers: what proofs are checked with when
-- a server is gone. A key that was replaced stays, with the time when it was last seen.
CREATE TABLE keys_seen (
    method     TEXT NOT NULL,
    multikey   TEXT NOT NULL,
    actor      TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    first_seen TIMESTAMP NOT NULL,
    last_seen  TIMESTAMP NOT NULL,
    PRIMARY KEY (method, multikey)
);
CREATE INDEX keys_seen_actor ON keys_seen (actor);
-- The key that a receipt was checked with when it came, as a document of its actor; empty for older receipts.
ALTER TABLE purchases ADD COLUMN receipt_keys TEXT NOT NULL DEFAULT '';
-- What is seen of a payment that is not final yet, in words; empty when there is nothing.
ALTER TABLE orders ADD COLUMN seen TEXT NOT NULL DEFAULT '';
-- What was unusual about the payment: overpaid, late, duplicate.
ALTER TABLE orders ADD COLUMN remark TEXT NOT NULL DEFAULT '';
-- Where payments carry no identifier, each order has a target of its own.
CREATE INDEX orders_target ON orders (provider, target);
-- What artists say has been paid to them by means that no machine sees, each order once. n counts from 1.
CREATE TABLE marked_payments (
    n          BIGINT PRIMARY KEY,
    order_uri  TEXT NOT NULL UNIQUE,
    identifier TEXT NOT NULL,
    target     TEXT NOT NULL,
    units      TEXT NOT NULL,
    asset      TEXT NOT NULL,
    marked_by  TEXT NOT NULL,
    marked_at  TIMESTAMP NOT NULL
);
-- How an artist wants to be paid by such means, in plain text.
CREATE TABLE payment_instructions (
    artist     TEXT PRIMARY KEY,
    text       TEXT NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
