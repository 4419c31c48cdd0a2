-- +goose Up
-- A buyer may be granted anew what was withdrawn, so what is unique is the grant that stands. The constraint of the
-- first form cannot be altered on SQLite: the table is made anew.
CREATE TABLE grants_standing (
    uri            TEXT PRIMARY KEY,
    artist         TEXT NOT NULL,
    buyer          TEXT NOT NULL,
    product        TEXT NOT NULL,
    version        BIGINT NOT NULL,
    agreement      TEXT NOT NULL,
    receipt        TEXT NOT NULL,
    receiving_key  TEXT NOT NULL,
    requesting_key TEXT NOT NULL,
    set_number     BIGINT NOT NULL,
    threshold      BIGINT NOT NULL,
    proxies        TEXT NOT NULL,
    items          TEXT NOT NULL,
    start_time     TIMESTAMP NOT NULL,
    end_time       TIMESTAMP,
    revoked_at     TIMESTAMP,
    reason         TEXT NOT NULL DEFAULT '',
    updated_at     TIMESTAMP NOT NULL,
    created_at     TIMESTAMP NOT NULL
);
INSERT INTO grants_standing (uri, artist, buyer, product, version, agreement, receipt, receiving_key, requesting_key,
    set_number, threshold, proxies, items, start_time, end_time, revoked_at, updated_at, created_at)
SELECT uri, artist, buyer, product, version, agreement, receipt, receiving_key, requesting_key,
    set_number, threshold, proxies, items, start_time, end_time, revoked_at, updated_at, created_at FROM grants;
DROP TABLE grants;
ALTER TABLE grants_standing RENAME TO grants;
CREATE UNIQUE INDEX grants_one_stands ON grants (buyer, product, version) WHERE revoked_at IS NULL;
CREATE INDEX grants_artist ON grants (artist, created_at);

-- Each run of key fragments of a grant: fragments of two sets do not open together. state is offered (not enough proxies
-- have accepted yet), current, retired (players may still fall back on it) or dropped.
CREATE TABLE grant_sets (
    grant_uri  TEXT NOT NULL,
    number     BIGINT NOT NULL,
    threshold  BIGINT NOT NULL,
    proxies    TEXT NOT NULL,
    state      TEXT NOT NULL,
    made_at    TIMESTAMP NOT NULL,
    look_at    TIMESTAMP NOT NULL,
    retired_at TIMESTAMP,
    PRIMARY KEY (grant_uri, number)
);
CREATE INDEX grant_sets_state ON grant_sets (state, look_at);
INSERT INTO grant_sets (grant_uri, number, threshold, proxies, state, made_at, look_at)
SELECT uri, set_number, threshold, proxies, 'current', created_at, created_at FROM grants WHERE revoked_at IS NULL;
CREATE INDEX kfrags_made_state ON kfrags_made (state, updated_at);

-- The seller's list of revocations, numbered for each proxy; acknowledged_at is when the proxy said that it has erased.
CREATE TABLE revocations (
    proxy           TEXT NOT NULL,
    number          BIGINT NOT NULL,
    grant_uri       TEXT NOT NULL,
    deleted_at      TIMESTAMP NOT NULL,
    acknowledged_at TIMESTAMP,
    PRIMARY KEY (proxy, number),
    UNIQUE (proxy, grant_uri)
);
CREATE INDEX revocations_grant ON revocations (grant_uri);
-- How far this instance, as a proxy, has read the list of each seller.
CREATE TABLE revocation_reads (
    seller  TEXT PRIMARY KEY,
    cursor  TEXT NOT NULL,
    read_at TIMESTAMP NOT NULL
);
-- Sets that were erased here while their grant goes on with another one.
CREATE TABLE kfrags_dropped (
    grant_uri  TEXT NOT NULL,
    set_number BIGINT NOT NULL,
    deleted_at TIMESTAMP NOT NULL,
    PRIMARY KEY (grant_uri, set_number)
);
ALTER TABLE kfrags_held ADD COLUMN host TEXT NOT NULL DEFAULT '';
CREATE INDEX kfrags_held_artist ON kfrags_held (artist);
CREATE INDEX kfrags_held_host ON kfrags_held (host);
CREATE INDEX kfrags_held_end ON kfrags_held (end_time);
CREATE INDEX nonces_seen ON nonces (seen_at);
ALTER TABLE grants_held ADD COLUMN reason TEXT NOT NULL DEFAULT '';

-- The proxies that an artist trusts beside the instance's.
CREATE TABLE artist_proxies (
    artist   TEXT NOT NULL,
    actor    TEXT NOT NULL,
    added_at TIMESTAMP NOT NULL,
    PRIMARY KEY (artist, actor)
);
-- How proxies of this instance's artists do. failures counts those in a row.
CREATE TABLE proxy_health (
    actor     TEXT PRIMARY KEY,
    failures  BIGINT NOT NULL,
    words     TEXT NOT NULL DEFAULT '',
    ok_at     TIMESTAMP,
    failed_at TIMESTAMP,
    look_at   TIMESTAMP NOT NULL
);
-- What this instance re-encrypted as a proxy, by day and artist: whom it helped is not its business.
CREATE TABLE reencryptions (
    day      TEXT NOT NULL,
    artist   TEXT NOT NULL,
    capsules BIGINT NOT NULL,
    PRIMARY KEY (day, artist)
);
