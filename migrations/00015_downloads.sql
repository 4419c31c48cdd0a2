-- +goose Up
-- The files that buyers take away, sealed; made says of which tags, so that nothing is made twice.
CREATE TABLE downloads (
    track      TEXT NOT NULL,
    format     TEXT NOT NULL,
    media_type TEXT NOT NULL,
    cid        TEXT NOT NULL,
    size       BIGINT NOT NULL,
    made       TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (track, format)
);
