-- +goose Up
-- One version of one read model. Another structure of its tables is another
-- version with migrations of its own: rows are built again, never converted.
CREATE TABLE progress (
	one  smallint PRIMARY KEY CHECK (one = 1),
	next bigint NOT NULL, -- the next revision wanted; the rows contain all below
	turn bigint NOT NULL  -- grows with every commit: fences two runners
);
INSERT INTO progress (one, next, turn) VALUES (1, 0, 0);

-- Whose entries are followed, and the label of the next one of each.
CREATE TABLE sequence (
	party bigint PRIMARY KEY, -- the keystore's number for it
	label bytea NOT NULL UNIQUE,
	next  bigint NOT NULL
);

-- Parties whose events wait, from leaf_index on, until somebody has helped.
CREATE TABLE parked (
	party      bigint PRIMARY KEY,
	leaf_index bigint NOT NULL,
	class      text NOT NULL,
	since_ms   bigint NOT NULL
);

-- What events say to each of their parties, once for each event.
CREATE TABLE fact (
	leaf_index   bigint PRIMARY KEY,
	event_id     bytea NOT NULL,
	event_type   text NOT NULL,
	recorded_ms  bigint NOT NULL, -- the leaf's time
	occurred_at  text NOT NULL,
	recipient_id text NOT NULL,
	recipient    text NOT NULL,
	country      text COLLATE "C" NOT NULL,
	category     text COLLATE "C" NOT NULL,
	facts        text NOT NULL -- JSON of the event
);

-- Entries of parties, as recorded; what becomes of one is another entry, about its
-- leaf. The columns that the indexes are on are NULL for a share: most entries are
-- shares, and cost no place in an index.
CREATE TABLE entry (
	party      bigint NOT NULL,
	number     bigint NOT NULL, -- the party's entry number
	leaf_index bigint NOT NULL, -- of its event: its fact
	record     bigint, -- leaf of the header, if leaf_index continues one
	about      bigint, -- leaf of the earlier record of the party that it is about, if any
	kind       text, -- what sort of record it is; NULL for a share
	private    text NOT NULL, -- JSON of the party's own slot; empty if it has none
	PRIMARY KEY (party, number)
);
CREATE INDEX entry_about ON entry (party, about) WHERE about IS NOT NULL;
CREATE INDEX entry_kind ON entry (party, kind, number) WHERE kind IS NOT NULL;

-- What recipients were like, once for each description that events gave of them. A
-- recipient that was only named has a description with no name in it.
CREATE TABLE recipient (
	party          bigint NOT NULL,
	digest         bytea NOT NULL, -- of the description
	id             text COLLATE "C" NOT NULL,
	legal_name     text NOT NULL,
	address        text NOT NULL,
	contact        text NOT NULL,
	representative text NOT NULL,
	country        text COLLATE "C" NOT NULL,
	category       text COLLATE "C" NOT NULL,
	role           text NOT NULL,
	first_index    bigint NOT NULL,
	last_index     bigint NOT NULL,
	described      bigint NOT NULL, -- last leaf that gave this description; -1: only repeated or named
	first_ms       bigint NOT NULL,
	last_ms        bigint NOT NULL,
	shares         bigint NOT NULL,
	subjects       bigint NOT NULL, -- summed over the shares
	PRIMARY KEY (party, digest)
);
