-- +goose Up
-- What admins have the Raiden node do with its channels, one at a time. total is what the deposit is to be in the end, so
-- that doing it twice is doing it once. state is waiting, doing, done, refused, unknown or dropped.
CREATE TABLE channel_acts (
    id         TEXT PRIMARY KEY,
    lane       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    partner    TEXT NOT NULL,
    total      TEXT NOT NULL,
    who        TEXT NOT NULL,
    state      TEXT NOT NULL,
    words      TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX channel_acts_one ON channel_acts (lane) WHERE state IN ('waiting', 'doing', 'unknown');
CREATE INDEX channel_acts_created ON channel_acts (created_at);

-- A grant that was made anew for other keys stands until its successor has been taken, so two of one product may stand for
-- a moment; replaced_by is the successor.
ALTER TABLE grants ADD COLUMN replaced_by TEXT NOT NULL DEFAULT '';
DROP INDEX grants_one_stands;
CREATE UNIQUE INDEX grants_one_stands ON grants (buyer, product, version) WHERE revoked_at IS NULL AND replaced_by = '';
CREATE INDEX grants_receipt ON grants (receipt);
CREATE INDEX grants_replaced ON grants (replaced_by);
-- A purchase that asks for an earlier one's grant anew: the receipt that it shows, and the agreement as its buyer signed it.
ALTER TABLE purchases ADD COLUMN regrants TEXT NOT NULL DEFAULT '';
ALTER TABLE purchases ADD COLUMN signed BYTEA;
CREATE INDEX purchases_regrants ON purchases (buyer, regrants);
-- The statements that tie each new pair of a local listener's keys to the one before, as they were signed.
CREATE TABLE key_links (
    actor      TEXT NOT NULL,
    number     BIGINT NOT NULL,
    raw        BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (actor, number)
);
-- Buyers who came back with keys that no earlier key vouches for. state is held or confirmed.
CREATE TABLE key_holds (
    artist         TEXT NOT NULL,
    buyer          TEXT NOT NULL,
    requesting_key TEXT NOT NULL,
    state          TEXT NOT NULL,
    created_at     TIMESTAMP NOT NULL,
    updated_at     TIMESTAMP NOT NULL,
    PRIMARY KEY (artist, buyer, requesting_key)
);
