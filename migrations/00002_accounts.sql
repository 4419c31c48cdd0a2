-- +goose Up
-- Who is known here. Remote actors carry the raw document; local ones are rebuilt from these columns and their keys.
CREATE TABLE actors (
    uri            TEXT PRIMARY KEY,
    local          BOOLEAN NOT NULL,
    name           TEXT NOT NULL,
    host           TEXT NOT NULL,
    kind           TEXT NOT NULL,
    display        TEXT NOT NULL,
    summary        TEXT NOT NULL DEFAULT '',
    url            TEXT NOT NULL DEFAULT '',
    icon           TEXT NOT NULL DEFAULT '',
    inbox          TEXT NOT NULL DEFAULT '',
    shared_inbox   TEXT NOT NULL DEFAULT '',
    music          BOOLEAN NOT NULL DEFAULT FALSE,
    receiving_key  TEXT NOT NULL DEFAULT '',
    requesting_key TEXT NOT NULL DEFAULT '',
    key_number     BIGINT NOT NULL DEFAULT 0,
    raw            BYTEA,
    fetched_at     TIMESTAMP,
    created_at     TIMESTAMP NOT NULL,
    UNIQUE (host, name)
);
-- Secrets of local actors, each sealed with the master key; AAD is table, id, version.
CREATE TABLE actor_keys (
    id         TEXT PRIMARY KEY,
    actor      TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    number     BIGINT NOT NULL,
    sealed     BYTEA NOT NULL,
    public     TEXT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMP NOT NULL,
    UNIQUE (actor, purpose, number)
);
CREATE TABLE accounts (
    actor        TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    role         TEXT NOT NULL,
    custody      TEXT NOT NULL,
    auth_hash    TEXT NOT NULL,
    wrapped_seed BYTEA NOT NULL,
    recovery     BYTEA NOT NULL,
    sealed_seed  BYTEA,
    version      BIGINT NOT NULL,
    quota_bytes  BIGINT NOT NULL,
    created_at   TIMESTAMP NOT NULL
);
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    actor      TEXT NOT NULL,
    agent      TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    seen_at    TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX sessions_actor ON sessions (actor);
-- One-time links: invitations and an admin's way back in for a forgotten passphrase. Only the hash is kept.
CREATE TABLE links (
    hash       TEXT PRIMARY KEY,
    purpose    TEXT NOT NULL,
    actor      TEXT NOT NULL DEFAULT '',
    role       TEXT NOT NULL DEFAULT '',
    expires_at TIMESTAMP NOT NULL,
    used_at    TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);
