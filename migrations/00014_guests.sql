-- +goose Up
-- People with an account on another server who bought here. What they own is kept under their actor's URI; account is the
-- local actor that they became, or empty.
CREATE TABLE guests (
    actor          TEXT PRIMARY KEY,
    handle         TEXT NOT NULL,
    receiving_key  TEXT NOT NULL DEFAULT '',
    requesting_key TEXT NOT NULL DEFAULT '',
    recovery       BYTEA,
    account        TEXT NOT NULL DEFAULT '',
    created_at     TIMESTAMP NOT NULL
);
-- The links that were sent to them; only the hash is kept. The rows also count how many were sent to whom.
CREATE TABLE guest_links (
    hash       TEXT PRIMARY KEY,
    actor      TEXT NOT NULL,
    host       TEXT NOT NULL,
    handle     TEXT NOT NULL,
    track      TEXT NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    used_at    TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX guest_links_actor ON guest_links (actor, created_at);
CREATE INDEX guest_links_host ON guest_links (host, created_at);
-- Who does not want such messages, for good.
CREATE TABLE guest_refusals (
    actor      TEXT PRIMARY KEY,
    created_at TIMESTAMP NOT NULL
);
