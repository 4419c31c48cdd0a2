-- +goose Up
-- What a version of a product holds, in order. Who was granted a version is meant to have all of it.
CREATE TABLE product_items (
    product  TEXT NOT NULL,
    version  BIGINT NOT NULL,
    track    TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (product, version, track)
);
CREATE INDEX product_items_track ON product_items (track);
INSERT INTO product_items (product, version, track, position) SELECT uri, version, track, 1 FROM products WHERE track <> '';
-- Of a flexible product the buyer names the price: units is the least then, and suggested what the page begins with.
ALTER TABLE products ADD COLUMN flexible BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE products ADD COLUMN suggested TEXT NOT NULL DEFAULT '';

-- Albums, EPs and singles, as their artists make them. cover and accent are as those of tracks.
CREATE TABLE releases (
    id           TEXT PRIMARY KEY,
    uri          TEXT NOT NULL UNIQUE,
    artist       TEXT NOT NULL,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL,
    title        TEXT NOT NULL,
    about        TEXT NOT NULL DEFAULT '',
    released_on  TEXT NOT NULL DEFAULT '',
    cover        TEXT NOT NULL DEFAULT '',
    cover_small  TEXT NOT NULL DEFAULT '',
    accent       TEXT NOT NULL DEFAULT '',
    published_at TIMESTAMP,
    created_at   TIMESTAMP NOT NULL,
    updated_at   TIMESTAMP NOT NULL
);
CREATE INDEX releases_artist ON releases (artist, state);
CREATE TABLE release_tracks (
    release  TEXT NOT NULL,
    track    TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (release, track)
);
CREATE INDEX release_tracks_track ON release_tracks (track);

-- Who is owed what a product is paid, in ten-thousandths that add up to the whole; without rows, the artist alone.
CREATE TABLE product_splits (
    product      TEXT NOT NULL,
    payee        TEXT NOT NULL,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL DEFAULT '',
    basis_points BIGINT NOT NULL,
    position     BIGINT NOT NULL,
    PRIMARY KEY (product, payee)
);
-- The parts as they were when the order was placed, as JSON; empty when all of it is the artist's.
ALTER TABLE orders ADD COLUMN splits TEXT NOT NULL DEFAULT '';
-- The hash of the code that was redeemed, or of the one that a gift pays for.
ALTER TABLE orders ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN gift BOOLEAN NOT NULL DEFAULT FALSE;

-- Codes that open a product without a payment. Only their hashes are kept; each is used once.
CREATE TABLE code_batches (
    id         TEXT PRIMARY KEY,
    artist     TEXT NOT NULL,
    product    TEXT NOT NULL,
    ground     TEXT NOT NULL,
    label      TEXT NOT NULL DEFAULT '',
    codes      BIGINT NOT NULL,
    expires_at TIMESTAMP,
    revoked_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX code_batches_artist ON code_batches (artist, created_at);
CREATE TABLE codes (
    hash       TEXT PRIMARY KEY,
    batch      TEXT NOT NULL,
    order_uri  TEXT NOT NULL DEFAULT '',
    used_at    TIMESTAMP,
    revoked_at TIMESTAMP
);
CREATE INDEX codes_batch ON codes (batch);

-- What the buyer's side says in its Offer: the code that is redeemed, until it is answered; or that this is a gift.
ALTER TABLE purchases ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE purchases ADD COLUMN gift BOOLEAN NOT NULL DEFAULT FALSE;
