-- Format 1 of events.db. The file itself keeps the promise of the log: no row
-- is changed, none is removed, and only the next one may be added.

CREATE TABLE streams (
  id   INTEGER PRIMARY KEY,
  name TEXT    NOT NULL UNIQUE
) STRICT;

-- position is the place in $all, revision the place in the stream. Both only
-- grow, so every insert lands at the right edge of its B-tree.
CREATE TABLE events (
  position     INTEGER PRIMARY KEY,
  stream       INTEGER NOT NULL REFERENCES streams (id),
  revision     INTEGER NOT NULL,
  id           BLOB    NOT NULL CHECK (length(id) = 16),
  type         TEXT    NOT NULL,
  content_type TEXT    NOT NULL, -- '' for application/octet-stream
  created      INTEGER NOT NULL, -- ticks of 100 ns since 1970-01-01
  data         BLOB    NOT NULL,
  metadata     BLOB    NOT NULL,
  UNIQUE (stream, revision)
) STRICT;

-- INSERT OR REPLACE removes rows without firing a delete trigger, so the order
-- is checked on the way in. It is also the fence against a second process.
CREATE TRIGGER events_only_next BEFORE INSERT ON events
WHEN NEW.position <> (SELECT coalesce(max(position), 0) + 1 FROM events)
  OR NEW.revision <> (SELECT coalesce(max(revision), -1) + 1 FROM events WHERE stream = NEW.stream)
BEGIN SELECT RAISE(ABORT, 'events: only the next event may be written'); END;

CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events: a recorded event never changes'); END;

CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events: a recorded event is never removed'); END;

CREATE TRIGGER streams_no_update BEFORE UPDATE ON streams
BEGIN SELECT RAISE(ABORT, 'streams: a stream is never renamed'); END;

CREATE TRIGGER streams_no_delete BEFORE DELETE ON streams
BEGIN SELECT RAISE(ABORT, 'streams: a stream is never removed'); END;

CREATE TRIGGER streams_no_replace BEFORE INSERT ON streams
WHEN EXISTS (SELECT 1 FROM streams WHERE id = NEW.id OR name = NEW.name)
BEGIN SELECT RAISE(ABORT, 'streams: a stream is never replaced'); END;
