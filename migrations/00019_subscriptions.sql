-- +goose Up
-- What a tier is beside its product: the artist's words, and whether all tracks belong to it or those that were chosen.
CREATE TABLE tiers (
    product    TEXT PRIMARY KEY,
    artist     TEXT NOT NULL,
    words      TEXT NOT NULL DEFAULT '',
    whole      BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX tiers_artist ON tiers (artist, created_at);
CREATE TABLE tier_tracks (
    product  TEXT NOT NULL,
    track    TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (product, track)
);
-- The seller's side: who subscribes to what. period is the last month that was paid, as yyyymm, 0 for none yet.
CREATE TABLE subscriptions (
    uri        TEXT PRIMARY KEY,
    tier       TEXT NOT NULL,
    artist     TEXT NOT NULL,
    listener   TEXT NOT NULL,
    offer      TEXT NOT NULL DEFAULT '',
    state      TEXT NOT NULL,
    shown      BOOLEAN NOT NULL,
    period     BIGINT NOT NULL,
    agreement  TEXT NOT NULL DEFAULT '',
    start_time TIMESTAMP,
    end_time   TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    UNIQUE (tier, listener)
);
CREATE INDEX subscriptions_artist ON subscriptions (artist, created_at);
CREATE INDEX subscriptions_end ON subscriptions (state, end_time);
CREATE INDEX subscriptions_offer ON subscriptions (offer);
-- The listener's side. uri is the seller's name of it; units is the monthly price that the
-- listener has seen, and warned the last reminder, as days before the end.
CREATE TABLE subscriptions_held (
    id         TEXT PRIMARY KEY,
    listener   TEXT NOT NULL,
    artist     TEXT NOT NULL,
    tier       TEXT NOT NULL,
    name       TEXT NOT NULL,
    offer      TEXT NOT NULL UNIQUE,
    uri        TEXT NOT NULL DEFAULT '',
    state      TEXT NOT NULL,
    shown      BOOLEAN NOT NULL,
    period     BIGINT NOT NULL,
    end_time   TIMESTAMP,
    units      TEXT NOT NULL,
    asset      TEXT NOT NULL,
    decimals   BIGINT NOT NULL,
    words      TEXT NOT NULL DEFAULT '',
    warned     BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    UNIQUE (listener, tier)
);
CREATE INDEX subscriptions_held_end ON subscriptions_held (state, end_time);
-- What the own payment node may pay by itself.
CREATE TABLE standing_orders (
    listener   TEXT NOT NULL,
    product    TEXT NOT NULL,
    maximum    TEXT NOT NULL,
    asset      TEXT NOT NULL,
    decimals   BIGINT NOT NULL,
    until      TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (listener, product)
);
-- Each month of a subscription is bought by one purchase; words say why it was not renewed, try_at when to look again.
CREATE TABLE renewals (
    listener   TEXT NOT NULL,
    product    TEXT NOT NULL,
    period     BIGINT NOT NULL,
    purchase   TEXT NOT NULL,
    words      TEXT NOT NULL DEFAULT '',
    try_at     TIMESTAMP NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (listener, product, period)
);
-- When a grant begins, if that was still to come when it was kept.
ALTER TABLE grants_held ADD COLUMN start_time TIMESTAMP;
-- The month that a purchase is for; 0 for what is bought for good.
ALTER TABLE purchases ADD COLUMN period BIGINT NOT NULL DEFAULT 0;
-- Set while the own node was told to pay and has not said what came of it.
ALTER TABLE purchases ADD COLUMN doubt BOOLEAN NOT NULL DEFAULT FALSE;
-- A month is offered for once at a time, however many want it at once.
CREATE UNIQUE INDEX purchases_one_offer ON purchases (buyer, product, period) WHERE period > 0 AND state = 'offered';
