-- +goose Up
-- Tracks that an artist shows first.
CREATE TABLE pins (
    actor      TEXT NOT NULL,
    track      TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (actor, track)
);
-- Answers to the announcement of a track, and answers to these. The document itself lies in objects.
CREATE TABLE comments (
    uri         TEXT PRIMARY KEY,
    actor       TEXT NOT NULL,
    in_reply_to TEXT NOT NULL,
    track       TEXT NOT NULL,
    depth       BIGINT NOT NULL,
    content     TEXT NOT NULL,
    url         TEXT NOT NULL,
    deleted     BOOLEAN NOT NULL DEFAULT FALSE,
    created_at  TIMESTAMP NOT NULL
);
CREATE INDEX comments_track ON comments (track, created_at, uri);
CREATE INDEX comments_parent ON comments (in_reply_to, created_at, uri);
CREATE INDEX comments_actor ON comments (actor);
-- What somebody here is told: who answered, mentioned, liked or boosted.
CREATE TABLE notices (
    owner      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    actor      TEXT NOT NULL,
    object     TEXT NOT NULL,
    about      TEXT NOT NULL DEFAULT '',
    seen       BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (owner, kind, actor, object)
);
CREATE INDEX notices_owner ON notices (owner, created_at, object);
-- When this instance was last alive, by what it does; one row.
CREATE TABLE lifesigns (
    name     TEXT PRIMARY KEY,
    alive_at TIMESTAMP NOT NULL
);
-- When the outbox of a remote actor was read last.
CREATE TABLE catchups (
    actor   TEXT PRIMARY KEY,
    read_at TIMESTAMP NOT NULL
);
-- How many public activities an actor has sent: counting a million rows for each page would be slow.
CREATE TABLE tallies (
    actor TEXT PRIMARY KEY,
    sent  BIGINT NOT NULL
);
INSERT INTO tallies (actor, sent) SELECT actor, COUNT(*) FROM outbox WHERE public GROUP BY actor;
-- Pages go on from where the last one ended, so each list has an index in its order.
DROP INDEX outbox_actor;
CREATE INDEX outbox_page ON outbox (actor, created_at, uri) WHERE public;
DROP INDEX posts_actor;
CREATE INDEX posts_page ON posts (actor, published_at, uri);
CREATE INDEX posts_track ON posts (track, actor) WHERE track <> '';
DROP INDEX follows_followed;
CREATE INDEX follows_followed ON follows (followed, state, created_at, follower);
CREATE INDEX follows_follower ON follows (follower, state, created_at, followed);
DROP INDEX reactions_object;
CREATE INDEX reactions_object ON reactions (object, kind, created_at, uri);
CREATE INDEX reactions_actor ON reactions (actor, kind, created_at, object);
DROP INDEX objects_owner;
CREATE INDEX objects_page ON objects (owner, kind, created_at, uri) WHERE deleted_at IS NULL;
CREATE INDEX objects_owner ON objects (owner);
CREATE INDEX objects_local ON objects (kind) WHERE local AND deleted_at IS NULL;
