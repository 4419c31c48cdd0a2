-- +goose Up
-- The key of a month that listeners' pseudonyms are made with, sealed. It is deleted 13 months after its month.
CREATE TABLE pseudonym_keys (
    month      TEXT PRIMARY KEY,
    sealed     BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL
);
