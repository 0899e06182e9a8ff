-- +goose Up
-- Which read models there are, and which version of each is in use.
CREATE TABLE ledger (
	one    smallint PRIMARY KEY CHECK (one = 1),
	origin text NOT NULL -- whose rows these are
);

CREATE TABLE projection_version (
	name       text NOT NULL,
	version    bigint NOT NULL CHECK (version > 0),
	structure  bigint NOT NULL, -- of its tables: the set of migrations that made them
	created_ms bigint NOT NULL,
	PRIMARY KEY (name, version)
);

CREATE TABLE projection_active (
	name     text PRIMARY KEY,
	version  bigint NOT NULL,
	since_ms bigint NOT NULL
);
