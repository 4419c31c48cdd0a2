-- +goose Up
-- Which dialect of HTTP signatures a host is known to read: '' for not known, 'rfc9421', or 'cavage' once it has refused
-- the other one.
ALTER TABLE hosts ADD COLUMN dialect TEXT NOT NULL DEFAULT '';
