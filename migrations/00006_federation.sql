-- +goose Up
-- What arrived, as it arrived. The pair is the idempotency key.
CREATE TABLE activities (
    actor       TEXT NOT NULL,
    id          TEXT NOT NULL,
    type        TEXT NOT NULL,
    raw         BYTEA NOT NULL,
    state       TEXT NOT NULL,
    outcome     TEXT NOT NULL DEFAULT '',
    received_at TIMESTAMP NOT NULL,
    PRIMARY KEY (actor, id)
);
-- Documents that are served, or were received, byte for byte. audience is 'public' or a JSON list of actor URIs.
CREATE TABLE objects (
    uri        TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    owner      TEXT NOT NULL,
    local      BOOLEAN NOT NULL,
    audience   TEXT NOT NULL,
    raw        BYTEA NOT NULL,
    deleted_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX objects_owner ON objects (owner, kind, created_at);
CREATE TABLE outbox (
    uri        TEXT PRIMARY KEY,
    actor      TEXT NOT NULL,
    public     BOOLEAN NOT NULL,
    raw        BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX outbox_actor ON outbox (actor, public, created_at);
CREATE TABLE follows (
    follower   TEXT NOT NULL,
    followed   TEXT NOT NULL,
    uri        TEXT NOT NULL,
    state      TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (follower, followed)
);
CREATE INDEX follows_followed ON follows (followed, state);
CREATE TABLE reactions (
    actor      TEXT NOT NULL,
    object     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    uri        TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (actor, object, kind)
);
CREATE INDEX reactions_object ON reactions (object, kind);
-- What a home timeline shows: announcements of local and remote artists.
CREATE TABLE posts (
    uri        TEXT PRIMARY KEY,
    actor      TEXT NOT NULL,
    track      TEXT NOT NULL DEFAULT '',
    content    TEXT NOT NULL,
    url        TEXT NOT NULL,
    audio      TEXT NOT NULL DEFAULT '',
    cover      TEXT NOT NULL DEFAULT '',
    title      TEXT NOT NULL DEFAULT '',
    published_at TIMESTAMP NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX posts_actor ON posts (actor, published_at);
CREATE TABLE hosts (
    host       TEXT PRIMARY KEY,
    music      BOOLEAN NOT NULL DEFAULT FALSE,
    software   TEXT NOT NULL DEFAULT '',
    state      TEXT NOT NULL DEFAULT 'ok',
    failures   BIGINT NOT NULL DEFAULT 0,
    last_error TEXT NOT NULL DEFAULT '',
    checked_at TIMESTAMP
);
