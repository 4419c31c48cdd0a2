-- +goose Up
-- What one inbox is to get, once: id is a digest of activity and inbox. While inbox still holds the URI of an actor whose
-- inbox is not known, unresolved says so. A row that has ended is kept for a while, so that nothing is sent twice and an
-- admin can see what was given up. seq is the order in which the activities were sent, in nanoseconds; due_at is in
-- milliseconds, and for a claimed row the time at which its claim ends.
CREATE TABLE deliveries (
    id         TEXT PRIMARY KEY,
    seq        BIGINT NOT NULL,
    activity   TEXT NOT NULL,
    inbox      TEXT NOT NULL,
    unresolved BOOLEAN NOT NULL,
    host       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    state      TEXT NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    due_at     BIGINT NOT NULL,
    error      TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL,
    ended_at   TIMESTAMP
);
CREATE INDEX deliveries_due ON deliveries (due_at, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_host ON deliveries (host, seq) WHERE ended_at IS NULL;
CREATE INDEX deliveries_order ON deliveries (inbox, subject, seq) WHERE ended_at IS NULL;
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
-- Activities about one subject reach an inbox in the order of seq. While the deliveries to followers are still being
-- made, spreading keeps later ones waiting.
ALTER TABLE outbox ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN spreading BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX outbox_spreading ON outbox (subject, seq) WHERE spreading;
CREATE INDEX follows_page ON follows (followed, follower);
-- How long a host has failed: on how many days, the last of them, and since when it counts as down. A host that is down
-- is tried again at probe_at. Deliveries to a paused host are kept until an admin resumes it.
ALTER TABLE hosts ADD COLUMN failed_days BIGINT NOT NULL DEFAULT 0;
ALTER TABLE hosts ADD COLUMN failed_on TEXT NOT NULL DEFAULT '';
ALTER TABLE hosts ADD COLUMN down_since TIMESTAMP;
ALTER TABLE hosts ADD COLUMN probe_at TIMESTAMP;
ALTER TABLE hosts ADD COLUMN paused BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX hosts_down ON hosts (probe_at) WHERE state = 'down';
-- Kinds of activities that a host's software has answered with a failure of its own, twice.
CREATE TABLE unread_kinds (
    host     TEXT NOT NULL,
    software TEXT NOT NULL,
    kind     TEXT NOT NULL,
    until    TIMESTAMP NOT NULL,
    PRIMARY KEY (host, software, kind)
);
