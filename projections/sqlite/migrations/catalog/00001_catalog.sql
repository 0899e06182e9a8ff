-- +goose Up
-- Which read models there are, and which version of each is in use.
CREATE TABLE ledger (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	origin TEXT NOT NULL -- whose rows these are
) STRICT;

CREATE TABLE projection_version (
	name       TEXT NOT NULL,
	version    INTEGER NOT NULL CHECK (version > 0),
	structure  INTEGER NOT NULL, -- of its tables: the set of migrations that made them
	created_ms INTEGER NOT NULL,
	PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE projection_active (
	name     TEXT PRIMARY KEY,
	version  INTEGER NOT NULL,
	since_ms INTEGER NOT NULL
) STRICT;
