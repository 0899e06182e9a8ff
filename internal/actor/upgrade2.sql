-- Who was there before has the role still, and a token that somebody else has seen.
ALTER TABLE actors ADD COLUMN added_by TEXT;
ALTER TABLE actors ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE actors ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE actors ADD COLUMN confirmed_by TEXT;
