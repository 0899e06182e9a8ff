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

-- Entries of parties, as recorded; what becomes of one is another entry, about its
-- leaf. The columns that the indexes are on are NULL for a share: most entries are
-- shares, and cost no place in an index.
CREATE TABLE entry (
	party      INTEGER NOT NULL,
	number     INTEGER NOT NULL, -- the party's entry number
	leaf_index INTEGER NOT NULL, -- of its event: its fact
	record     INTEGER, -- leaf of the header, if leaf_index continues one
	about      INTEGER, -- leaf of the earlier record of the party that it is about, if any
	kind       TEXT, -- what sort of record it is; NULL for a share
	private    TEXT NOT NULL, -- JSON of the party's own slot; empty if it has none
	PRIMARY KEY (party, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_about ON entry (party, about) WHERE about IS NOT NULL;
CREATE INDEX entry_kind ON entry (party, kind, number) WHERE kind IS NOT NULL;

-- What recipients were like, once for each description that events gave of them. A
-- recipient that was only named has a description with no name in it.
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
	described      INTEGER NOT NULL, -- last leaf that gave this description; -1: only repeated or named
	first_ms       INTEGER NOT NULL,
	last_ms        INTEGER NOT NULL,
	shares         INTEGER NOT NULL,
	subjects       INTEGER NOT NULL, -- summed over the shares
	PRIMARY KEY (party, digest)
) STRICT, WITHOUT ROWID;
