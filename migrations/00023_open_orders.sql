-- +goose Up
-- Which orders have expired, and whether any waits: asked at every look at a payment node.
CREATE INDEX orders_waiting ON orders (provider, state, expires_at);
