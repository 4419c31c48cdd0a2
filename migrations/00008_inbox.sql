-- +goose Up
-- Which dialect of HTTP signatures a host is known to read: '' for not known, 'rfc9421', or 'cavage' once it has refused
-- the other one.
ALTER TABLE hosts ADD COLUMN dialect TEXT NOT NULL DEFAULT '';
-- What was stored and has not been worked, for the sweep after a process that was killed.
CREATE INDEX activities_received ON activities (received_at) WHERE state = 'received';
