-- +goose Up
CREATE TABLE tracks (
    id               TEXT PRIMARY KEY,
    uri              TEXT NOT NULL UNIQUE,
    artist           TEXT NOT NULL,
    slug             TEXT NOT NULL,
    state            TEXT NOT NULL,
    title            TEXT NOT NULL,
    album            TEXT NOT NULL DEFAULT '',
    licence          TEXT NOT NULL DEFAULT '',
    about            TEXT NOT NULL DEFAULT '',
    filename         TEXT NOT NULL,
    upload           TEXT NOT NULL UNIQUE,
    upload_bytes     BIGINT NOT NULL,
    duration_ms      BIGINT NOT NULL DEFAULT 0,
    sample_rate      BIGINT NOT NULL DEFAULT 0,
    channels         BIGINT NOT NULL DEFAULT 0,
    bit_depth        BIGINT NOT NULL DEFAULT 0,
    preview_start_ms BIGINT NOT NULL DEFAULT 0,
    loudness         TEXT NOT NULL DEFAULT '',
    peaks            BYTEA,
    sealed_key       BYTEA,
    content_key_hash BYTEA,
    manifest         TEXT NOT NULL DEFAULT '',
    manifest_bytes   BIGINT NOT NULL DEFAULT 0,
    sealed_bytes     BIGINT NOT NULL DEFAULT 0,
    preview          TEXT NOT NULL DEFAULT '',
    cover            TEXT NOT NULL DEFAULT '',
    cover_small      TEXT NOT NULL DEFAULT '',
    accent           TEXT NOT NULL DEFAULT '',
    failure          TEXT NOT NULL DEFAULT '',
    created_at       TIMESTAMP NOT NULL,
    updated_at       TIMESTAMP NOT NULL,
    published_at     TIMESTAMP,
    UNIQUE (artist, slug)
);
CREATE INDEX tracks_artist ON tracks (artist, state);
CREATE TABLE steps (
    track      TEXT NOT NULL,
    name       TEXT NOT NULL,
    state      TEXT NOT NULL,
    done       BIGINT NOT NULL DEFAULT 0,
    message    TEXT NOT NULL DEFAULT '',
    started_at TIMESTAMP,
    ended_at   TIMESTAMP,
    PRIMARY KEY (track, name)
);
-- Sealed segments in order; the rows of one rendition are written as it is sealed, so that a killed run goes on.
CREATE TABLE segments (
    track     TEXT NOT NULL,
    rendition TEXT NOT NULL,
    number    BIGINT NOT NULL,
    cid       TEXT NOT NULL,
    iv        BYTEA NOT NULL,
    size      BIGINT NOT NULL,
    micros    BIGINT NOT NULL,
    PRIMARY KEY (track, rendition, number)
);
-- Every block that this instance answers for: published here, or reached from a manifest of a user's grant.
CREATE TABLE blocks (
    cid        TEXT NOT NULL,
    owner      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    size       BIGINT NOT NULL,
    origin     TEXT NOT NULL DEFAULT '',
    held       BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (cid, owner)
);
CREATE INDEX blocks_owner ON blocks (owner, held);
