-- Version 7: the care for the copy: scrubs, rehearsals of restores, a store that follows another.

-- When the file was last read whole and was what it should be. Only this index has it: after a
-- rebuild every file is one that was never checked.
ALTER TABLE version ADD COLUMN checked_at INTEGER;
-- What was never checked comes first.
CREATE INDEX version_checked ON version (checked_at, id) WHERE path IS NOT NULL;
-- What a mirror asks the first store for again, in every run.
CREATE INDEX version_pending ON version (source_id) WHERE state = 'pending';

CREATE TABLE scrub (
  -- What each scrub found.
  source_id   INTEGER NOT NULL REFERENCES source,
  run         INTEGER NOT NULL,
  files       INTEGER NOT NULL,       -- read
  bytes       INTEGER NOT NULL,       -- of those
  damaged     INTEGER NOT NULL,       -- files that were not what they should be
  healed      INTEGER NOT NULL,       -- of those
  read_errors INTEGER NOT NULL,       -- files that the drive could not read
  at          INTEGER NOT NULL,
  PRIMARY KEY (source_id, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE drill (
  -- The newest rehearsal of each series.
  source_id INTEGER NOT NULL REFERENCES source,
  series    TEXT NOT NULL,
  at        INTEGER NOT NULL,
  files     INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,
  command   INTEGER NOT NULL CHECK (command IN (0, 1)),  -- 1: the owner's command ran
  failed    TEXT,                     -- why it did not succeed
  proven_at INTEGER,                  -- when one succeeded last, the owner's command included
  PRIMARY KEY (source_id, series)
) STRICT, WITHOUT ROWID;

CREATE TABLE followed (
  -- In a mirror: up to where it has what the journal of the other store says.
  source_id INTEGER PRIMARY KEY REFERENCES source,
  store     TEXT NOT NULL,            -- the other store's id
  run       INTEGER NOT NULL,
  "offset"  INTEGER NOT NULL,
  head      BLOB NOT NULL CHECK (length(head) = 32),
  at        INTEGER NOT NULL,
  pulled_at INTEGER                   -- when a pull to the other store ended complete last
) STRICT;
