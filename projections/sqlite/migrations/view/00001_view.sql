-- +goose Up
-- One version of one read model. Another structure of its tables is another
-- version with migrations of its own: rows are built again, never converted.
CREATE TABLE progress (
	one  INTEGER PRIMARY KEY CHECK (one = 1),
	next INTEGER NOT NULL, -- the next revision wanted; the rows contain all below
	turn INTEGER NOT NULL  -- grows with every commit: fences two runners
) STRICT;
INSERT INTO progress (one, next, turn) VALUES (1, 0, 0);

-- Whose entries are followed, and the label of the next one of each.
CREATE TABLE sequence (
	party INTEGER PRIMARY KEY, -- the keystore's number for it
	label BLOB NOT NULL UNIQUE,
	next  INTEGER NOT NULL
) STRICT;

-- Parties whose events wait, from leaf_index on, until somebody has helped.
CREATE TABLE parked (
	party      INTEGER PRIMARY KEY,
	leaf_index INTEGER NOT NULL,
	class      TEXT NOT NULL,
	since_ms   INTEGER NOT NULL
) STRICT;

-- What events say to each of their parties, once for each event.
CREATE TABLE fact (
	leaf_index   INTEGER PRIMARY KEY,
	event_id     BLOB NOT NULL,
	event_type   TEXT NOT NULL,
	recorded_ms  INTEGER NOT NULL, -- the leaf's time
	occurred_at  TEXT NOT NULL,
	recipient_id TEXT NOT NULL,
	recipient    TEXT NOT NULL,
	country      TEXT NOT NULL,
	category     TEXT NOT NULL,
	facts        TEXT NOT NULL -- JSON of the event
) STRICT;

-- Entries of parties. Version 0 is as recorded and stays; what changes an entry
-- adds a version under the leaf of the event that changed it.
CREATE TABLE entry (
	party      INTEGER NOT NULL,
	number     INTEGER NOT NULL, -- the party's entry number
	version    INTEGER NOT NULL,
	leaf_index INTEGER NOT NULL, -- of the event that made this version: its fact
	about      INTEGER, -- leaf of the earlier record of the party that it is about, if any
	kind       TEXT, -- what sort of record it is; NULL, and so in no index, for a share
	private    TEXT NOT NULL, -- JSON of the party's own slot; empty if it has none
	PRIMARY KEY (party, number, version)
) STRICT, WITHOUT ROWID;

-- What recipients were like, once for each description that shares gave of them.
CREATE TABLE recipient (
	party          INTEGER NOT NULL,
	digest         BLOB NOT NULL, -- of the description
	id             TEXT NOT NULL,
	legal_name     TEXT NOT NULL,
	address        TEXT NOT NULL,
	contact        TEXT NOT NULL,
	representative TEXT NOT NULL,
	country        TEXT NOT NULL,
	category       TEXT NOT NULL,
	role           TEXT NOT NULL,
	first_index    INTEGER NOT NULL,
	last_index     INTEGER NOT NULL,
	first_ms       INTEGER NOT NULL,
	last_ms        INTEGER NOT NULL,
	shares         INTEGER NOT NULL,
	subjects       INTEGER NOT NULL, -- summed over the shares
	PRIMARY KEY (party, digest)
) STRICT, WITHOUT ROWID;
