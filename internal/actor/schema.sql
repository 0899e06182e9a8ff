-- Who may speak to the ledger over the network. Days are in UTC, as 2026-11-22.
CREATE TABLE actors (
    name    TEXT PRIMARY KEY NOT NULL,
    role    TEXT NOT NULL,
    token   BLOB NOT NULL UNIQUE CHECK (length(token) = 32), -- SHA-256
    created TEXT NOT NULL,
    revoked TEXT,
    used    TEXT
) STRICT, WITHOUT ROWID;
