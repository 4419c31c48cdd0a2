-- +goose Up
-- Secrets of this room: artists' seeds, and the instance's sealing keys; sealed with the master key.
CREATE TABLE access_keys (
    owner      TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    number     BIGINT NOT NULL,
    sealed     BYTEA NOT NULL,
    public     TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (owner, purpose, number)
);
CREATE TABLE products (
    id             TEXT PRIMARY KEY,
    uri            TEXT NOT NULL UNIQUE,
    artist         TEXT NOT NULL,
    kind           TEXT NOT NULL,
    name           TEXT NOT NULL,
    track          TEXT NOT NULL DEFAULT '',
    version        BIGINT NOT NULL,
    delegating_key TEXT NOT NULL,
    units          TEXT NOT NULL,
    asset          TEXT NOT NULL,
    decimals       BIGINT NOT NULL,
    open           BOOLEAN NOT NULL,
    created_at     TIMESTAMP NOT NULL,
    updated_at     TIMESTAMP NOT NULL
);
CREATE TABLE capsules (
    track      TEXT NOT NULL,
    product    TEXT NOT NULL,
    version    BIGINT NOT NULL,
    capsule    BYTEA NOT NULL,
    ciphertext BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (track, product, version)
);
CREATE INDEX capsules_product ON capsules (product, version);
-- The seller's side of a grant. raw is the signed object once the outbox has made it.
CREATE TABLE grants (
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
    updated_at     TIMESTAMP NOT NULL,
    created_at     TIMESTAMP NOT NULL,
    UNIQUE (buyer, product, version)
);
-- The seller's record of the key fragments that it made; the sealed bytes go once the proxy has accepted.
CREATE TABLE kfrags_made (
    uri         TEXT PRIMARY KEY,
    grant_uri   TEXT NOT NULL,
    set_number  BIGINT NOT NULL,
    proxy       TEXT NOT NULL,
    object      BYTEA NOT NULL,
    state       TEXT NOT NULL,
    code        TEXT NOT NULL DEFAULT '',
    updated_at  TIMESTAMP NOT NULL,
    UNIQUE (grant_uri, set_number, proxy)
);
-- A proxy's custody: the object as it came, still sealed to the proxy's key.
CREATE TABLE kfrags_held (
    uri            TEXT PRIMARY KEY,
    grant_uri      TEXT NOT NULL,
    set_number     BIGINT NOT NULL,
    artist         TEXT NOT NULL,
    delegating_key TEXT NOT NULL,
    verifying_key  TEXT NOT NULL,
    receiving_key  TEXT NOT NULL,
    requesting_key TEXT NOT NULL,
    capsules       TEXT NOT NULL,
    start_time     TIMESTAMP NOT NULL,
    end_time       TIMESTAMP,
    sealing_key    TEXT NOT NULL,
    enc            BYTEA NOT NULL,
    ciphertext     BYTEA NOT NULL,
    aad            BYTEA NOT NULL,
    updated_at     TIMESTAMP NOT NULL,
    UNIQUE (grant_uri, set_number)
);
-- Kept for ever: what was revoked is not taken up again.
CREATE TABLE tombstones (
    grant_uri  TEXT PRIMARY KEY,
    deleted_at TIMESTAMP NOT NULL
);
CREATE TABLE nonces (
    key_id  TEXT NOT NULL,
    nonce   TEXT NOT NULL,
    seen_at TIMESTAMP NOT NULL,
    PRIMARY KEY (key_id, nonce)
);
-- The buyer's side: the grant as its seller signed it.
CREATE TABLE grants_held (
    uri          TEXT PRIMARY KEY,
    buyer        TEXT NOT NULL,
    artist       TEXT NOT NULL,
    product      TEXT NOT NULL,
    agreement    TEXT NOT NULL,
    receipt      TEXT NOT NULL,
    raw          BYTEA NOT NULL,
    keys         TEXT NOT NULL,
    end_time     TIMESTAMP,
    revoked_at   TIMESTAMP,
    updated_at   TIMESTAMP NOT NULL,
    received_at  TIMESTAMP NOT NULL
);
CREATE INDEX grants_held_buyer ON grants_held (buyer);
CREATE TABLE grant_items (
    grant_uri TEXT NOT NULL,
    track     TEXT NOT NULL,
    manifest  TEXT NOT NULL,
    state     TEXT NOT NULL,
    PRIMARY KEY (grant_uri, track)
);
CREATE INDEX grant_items_track ON grant_items (track);
