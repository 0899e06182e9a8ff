-- Who may speak to the ledger over the network. Days are in UTC, as 2026-11-22.
CREATE TABLE actors (
    name         TEXT PRIMARY KEY NOT NULL,
    role         TEXT NOT NULL,
    token        BLOB NOT NULL UNIQUE CHECK (length(token) = 32), -- SHA-256
    created      TEXT NOT NULL,
    revoked      TEXT,
    used         TEXT,
    added_by     TEXT,                       -- NULL: added before this was kept
    claimed      INTEGER NOT NULL DEFAULT 0, -- 1: the token is not the one that was shown to who added them
    waits        INTEGER NOT NULL DEFAULT 0, -- 1: until somebody confirms them
    confirmed_by TEXT
) STRICT, WITHOUT ROWID;
