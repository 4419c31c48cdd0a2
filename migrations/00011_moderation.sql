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
-- What was reported, from here or by another server. uri is the Flag's; a second one with that id is the same.
CREATE TABLE reports (
    id         TEXT PRIMARY KEY,
    uri        TEXT NOT NULL UNIQUE,
    reporter   TEXT NOT NULL,
    local      BOOLEAN NOT NULL,
    target     TEXT NOT NULL,
    objects    TEXT NOT NULL,
    words      TEXT NOT NULL,
    state      TEXT NOT NULL,
    outcome    TEXT NOT NULL DEFAULT '',
    forwarded  BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX reports_state ON reports (state, created_at);
CREATE TABLE report_notes (
    id         TEXT PRIMARY KEY,
    report     TEXT NOT NULL,
    author     TEXT NOT NULL,
    words      TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX report_notes_report ON report_notes (report, created_at);
-- Every act of an admin. Rows are only ever added.
CREATE TABLE audit (
    id         TEXT PRIMARY KEY,
    who        TEXT NOT NULL,
    act        TEXT NOT NULL,
    subject    TEXT NOT NULL,
    why        TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX audit_created ON audit (created_at);
-- Block lists that were uploaded and wait for an admin's yes.
CREATE TABLE policy_lists (
    id         TEXT PRIMARY KEY,
    raw        BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL
);
-- Whom a member does not want to meet: an actor's URI, or a host.
CREATE TABLE aversions (
    owner      TEXT NOT NULL,
    subject    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    uri        TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (owner, subject)
);
CREATE INDEX aversions_subject ON aversions (subject);
-- What a member is told by the house: kind and what it is about. The words stand with the pages.
CREATE TABLE tidings (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    about      TEXT NOT NULL,
    words      TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL,
    seen_at    TIMESTAMP
);
CREATE INDEX tidings_owner ON tidings (owner, created_at);
CREATE TABLE takedowns (
    track      TEXT PRIMARY KEY,
    artist     TEXT NOT NULL,
    reason     TEXT NOT NULL,
    denied     BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL
);
-- Blocks that are not kept, fetched or served any more.
CREATE TABLE denied_blocks (
    cid        TEXT PRIMARY KEY,
    track      TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
-- Moves of accounts, from here or received: one at a time for each, with a pause between them.
CREATE TABLE moves (
    source   TEXT PRIMARY KEY,
    target   TEXT NOT NULL,
    site     TEXT NOT NULL,
    moved_at TIMESTAMP NOT NULL
);
CREATE INDEX moves_target ON moves (target, moved_at);
CREATE INDEX moves_site ON moves (site, moved_at);
-- A member's data to take along, and lists brought from elsewhere.
CREATE TABLE archives (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    state      TEXT NOT NULL,
    done       BIGINT NOT NULL DEFAULT 0,
    total      BIGINT NOT NULL DEFAULT 0,
    size       BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX archives_owner ON archives (owner, created_at);
CREATE TABLE imports (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    total      BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX imports_owner ON imports (owner, created_at);
CREATE TABLE import_lines (
    import  TEXT NOT NULL,
    n       BIGINT NOT NULL,
    address TEXT NOT NULL,
    state   TEXT NOT NULL,
    words   TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (import, n)
);
-- state is empty, or pending (signed up, not yet let in) or gone (deleted, answered with 410).
ALTER TABLE actors ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE actors ADD COLUMN moved_to TEXT NOT NULL DEFAULT '';
ALTER TABLE actors ADD COLUMN also_known_as TEXT NOT NULL DEFAULT '';
-- state is active, pending or suspended; reason is why somebody wants to join, or why the account is suspended.
ALTER TABLE accounts ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE accounts ADD COLUMN reason TEXT NOT NULL DEFAULT '';
