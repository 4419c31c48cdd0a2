-- +goose Up
-- What members heard, one row a play. heard are the distinct ranges in tenths of a second; blocks the FNV-1a hashes of the
-- names of the segments that the session fetched, four bytes each.
CREATE TABLE plays (
    listener    TEXT NOT NULL,
    session     TEXT NOT NULL,
    artist      TEXT NOT NULL,
    track       TEXT NOT NULL,
    day         TEXT NOT NULL,
    started_at  TIMESTAMP NOT NULL,
    reported_at TIMESTAMP NOT NULL,
    seconds     BIGINT NOT NULL,
    length      BIGINT NOT NULL,
    heard       TEXT NOT NULL,
    bytes       BIGINT NOT NULL,
    blocks      BYTEA NOT NULL,
    network     TEXT NOT NULL,
    agent       TEXT NOT NULL,
    source      TEXT NOT NULL,
    counted     BOOLEAN NOT NULL,
    PRIMARY KEY (listener, session)
);
CREATE INDEX plays_history ON plays (listener, started_at);
CREATE INDEX plays_day ON plays (day, listener);
CREATE INDEX plays_artist ON plays (artist, day);

-- What was reported of plays that go on, so that a process that is killed loses none of it: many plays in one row, which is
-- of no use any more when they are written.
CREATE TABLE play_journal (
    id         TEXT PRIMARY KEY,
    written_at TIMESTAMP NOT NULL,
    data       BYTEA NOT NULL
);
CREATE INDEX play_journal_written ON play_journal (written_at);

-- What the rules say of plays, with the hash of what they looked at.
CREATE TABLE play_marks (
    listener   TEXT NOT NULL,
    session    TEXT NOT NULL,
    day        TEXT NOT NULL,
    state      TEXT NOT NULL,
    rule       TEXT NOT NULL,
    policy     BIGINT NOT NULL,
    evidence   BYTEA NOT NULL,
    appeal     TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (listener, session)
);

-- Plays of a track by day, of members here; nobody can be told from them, so they stay when somebody's history goes.
CREATE TABLE track_days (
    track   TEXT NOT NULL,
    artist  TEXT NOT NULL,
    day     TEXT NOT NULL,
    plays   BIGINT NOT NULL,
    seconds BIGINT NOT NULL,
    PRIMARY KEY (track, day)
);
CREATE INDEX track_days_day ON track_days (day, plays);

-- What members have chosen; who has no row has chosen nothing.
CREATE TABLE listen_settings (
    actor     TEXT PRIMARY KEY,
    recording BOOLEAN NOT NULL,
    audience  TEXT NOT NULL
);

-- The keys that networks are hashed with, one a month, sealed; gone after 13 months.
CREATE TABLE listen_keys (
    month  TEXT PRIMARY KEY,
    sealed BYTEA NOT NULL
);

-- What other servers say was heard or seen of tracks of here, one row for an actor, a track and a day.
CREATE TABLE heard_elsewhere (
    track      TEXT NOT NULL,
    day        TEXT NOT NULL,
    actor      TEXT NOT NULL,
    verb       TEXT NOT NULL,
    host       TEXT NOT NULL,
    plays      BIGINT NOT NULL,
    seconds    BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (track, day, actor, verb)
);
CREATE INDEX heard_elsewhere_host ON heard_elsewhere (host, day);

-- Whether members of the listening pool may hear a track, and its artist is paid for that.
ALTER TABLE tracks ADD COLUMN pooled BOOLEAN NOT NULL DEFAULT FALSE;
