-- +goose Up
-- Of which months of which instances the statements for artists of here were fetched. A fetch that has failed for good is
-- tried again under the next number.
CREATE TABLE statements_asked (
    node  TEXT NOT NULL,
    month TEXT NOT NULL,
    stage TEXT NOT NULL,
    tries BIGINT NOT NULL,
    done  BOOLEAN NOT NULL,
    PRIMARY KEY (node, month, stage)
);
