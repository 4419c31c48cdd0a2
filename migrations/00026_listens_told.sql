-- +goose Up
-- The days of listening that others were told of, so that one is told of when this instance was away for longer.
CREATE TABLE listen_days (
    day TEXT PRIMARY KEY
);
