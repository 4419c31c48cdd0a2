-- +goose Up
-- What was heard on a day, as the lines of its report: pseudonym|artist|track|units|seconds. Their bytes give their order
-- in the tree. Held lines are not in the tree; they wait for a decision.
CREATE TABLE report_lines (
    day       TEXT NOT NULL,
    held      BOOLEAN NOT NULL,
    line      BYTEA NOT NULL,
    artist    TEXT NOT NULL,
    PRIMARY KEY (day, held, line)
);
CREATE INDEX report_lines_artist ON report_lines (artist, day);

-- Days whose lines are complete.
CREATE TABLE report_days (
    day     TEXT PRIMARY KEY,
    root    TEXT NOT NULL,
    lines   BIGINT NOT NULL,
    plays   BIGINT NOT NULL,
    seconds BIGINT NOT NULL,
    dropped BIGINT NOT NULL,
    held    BIGINT NOT NULL
);

-- What the rules of suspicion say of one listener's plays of one artist in a month, and what people decided.
CREATE TABLE report_decisions (
    month      TEXT NOT NULL,
    pseudonym  TEXT NOT NULL,
    artist     TEXT NOT NULL,
    rule       TEXT NOT NULL,
    policy     BIGINT NOT NULL,
    evidence   TEXT NOT NULL,
    state      TEXT NOT NULL,
    appeal     TEXT NOT NULL DEFAULT '',
    decided_by TEXT NOT NULL DEFAULT '',
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (month, pseudonym, artist)
);

-- A month's statement, as it was reported ("report") and as it is paid ("final"), with its split lines and its totals.
CREATE TABLE report_months (
    month      TEXT NOT NULL,
    stage      TEXT NOT NULL,
    statement  TEXT NOT NULL,
    chosen     TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (month, stage)
);
CREATE TABLE report_splits (
    month     TEXT NOT NULL,
    stage     TEXT NOT NULL,
    n         BIGINT NOT NULL,
    pseudonym TEXT NOT NULL,
    artist    TEXT NOT NULL,
    micro     BIGINT NOT NULL,
    PRIMARY KEY (month, stage, n)
);
CREATE INDEX report_splits_artist ON report_splits (month, stage, artist);
CREATE INDEX report_splits_pseudonym ON report_splits (month, stage, pseudonym);
CREATE TABLE report_totals (
    month  TEXT NOT NULL,
    stage  TEXT NOT NULL,
    artist TEXT NOT NULL,
    micro  BIGINT NOT NULL,
    PRIMARY KEY (month, stage, artist)
);

-- What is left of listeners who heard nothing, by the month that it is carried into.
CREATE TABLE report_carries (
    month    TEXT NOT NULL,
    listener TEXT NOT NULL,
    micro    BIGINT NOT NULL,
    months   BIGINT NOT NULL,
    PRIMARY KEY (month, listener)
);

-- Where artists want to be paid, as they signed it; the newest that was seen before the 23rd counts.
CREATE TABLE payout_addresses (
    artist  TEXT NOT NULL,
    seen_at TIMESTAMP NOT NULL,
    asset   TEXT NOT NULL,
    address TEXT NOT NULL,
    raw     BYTEA NOT NULL,
    PRIMARY KEY (artist, seen_at)
);

-- Who is to be paid on a month's final statement. state is ready, small (adds up), unclaimed (no address) or sent.
CREATE TABLE payout_lines (
    month    TEXT NOT NULL,
    artist   TEXT NOT NULL,
    payee    TEXT NOT NULL,
    micro    BIGINT NOT NULL,
    units    TEXT NOT NULL,
    asset    TEXT NOT NULL,
    address  TEXT NOT NULL,
    state    TEXT NOT NULL,
    remark   TEXT NOT NULL DEFAULT '',
    provider TEXT NOT NULL DEFAULT '',
    ref      TEXT NOT NULL DEFAULT '',
    sent_at  TIMESTAMP,
    PRIMARY KEY (month, artist)
);

-- How much of the own ledger was sent to the other instances.
CREATE TABLE report_feed (
    name TEXT PRIMARY KEY,
    n    BIGINT NOT NULL
);

-- What other instances have written into their ledgers, as they say it. state is waiting, applied or refused.
CREATE TABLE records_heard (
    node     TEXT NOT NULL,
    n        BIGINT NOT NULL,
    previous BIGINT NOT NULL,
    function TEXT NOT NULL,
    args     TEXT NOT NULL,
    state    TEXT NOT NULL,
    words    TEXT NOT NULL DEFAULT '',
    heard_at TIMESTAMP NOT NULL,
    PRIMARY KEY (node, n)
);
CREATE INDEX records_heard_state ON records_heard (state, node, n);

-- What does not come out in the reports of an instance.
CREATE TABLE report_findings (
    node     TEXT NOT NULL,
    month    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    words    TEXT NOT NULL,
    found_at TIMESTAMP NOT NULL,
    PRIMARY KEY (node, month, kind, subject)
);

-- Statements that other instances have sent for artists of here, as bundles.
CREATE TABLE statements_heard (
    node     TEXT NOT NULL,
    month    TEXT NOT NULL,
    artist   TEXT NOT NULL,
    micro    BIGINT NOT NULL,
    raw      BYTEA NOT NULL,
    words    TEXT NOT NULL,
    heard_at TIMESTAMP NOT NULL,
    PRIMARY KEY (node, month, artist)
);
