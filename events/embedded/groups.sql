-- Format 1 of events-groups.db: persistent subscriptions. Nothing in it is
-- part of the log.

CREATE TABLE groups (
  source   TEXT    NOT NULL, -- the stream, or $all
  name     TEXT    NOT NULL,
  settings BLOB    NOT NULL, -- JSON
  done     INTEGER NOT NULL, -- everything up to this revision (or place in $all) is handled
  saved    INTEGER NOT NULL, -- 1 when done is a checkpoint, 0 when it is where the group begins
  PRIMARY KEY (source, name)
) STRICT, WITHOUT ROWID;
