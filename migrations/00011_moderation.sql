-- +goose Up
-- What an admin decided about a host with all below it, or about one account (its URI).
CREATE TABLE policies (
    subject         TEXT PRIMARY KEY,
    severity        TEXT NOT NULL,
    reject_media    BOOLEAN NOT NULL DEFAULT FALSE,
    reject_reports  BOOLEAN NOT NULL DEFAULT FALSE,
    obfuscate       BOOLEAN NOT NULL DEFAULT FALSE,
    public_comment  TEXT NOT NULL DEFAULT '',
    private_comment TEXT NOT NULL DEFAULT '',
    created_at      TIMESTAMP NOT NULL,
    updated_at      TIMESTAMP NOT NULL
);
INSERT INTO policies (subject, severity, created_at, updated_at)
    SELECT host, 'suspend', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP FROM hosts WHERE state = 'blocked';
UPDATE hosts SET state = 'ok' WHERE state = 'blocked';
