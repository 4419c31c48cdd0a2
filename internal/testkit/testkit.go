// Package testkit is what tests of every room need and what has no word of the domain in it: a private PostgreSQL
// server, a clock that is moved by hand, the rows of docs/bad-inputs.md, and the test of the import rules.
//
// It is for tests only; no program imports it. Call Postgres for a database, NewClock for a clock, BadInput for a row.
package testkit
