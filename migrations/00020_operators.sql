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
