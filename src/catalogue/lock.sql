-- Version 6: object lock; older versions by their bytes and key.

-- As a GET or a HEAD told it last. All empty: not locked, or nobody told us.
ALTER TABLE version ADD COLUMN lock_mode TEXT CHECK (lock_mode IN ('governance', 'compliance'));
-- By the bucket's clock. A legal hold alone has no end: the year 9999.
ALTER TABLE version ADD COLUMN lock_until INTEGER;
ALTER TABLE version ADD COLUMN lock_hold INTEGER NOT NULL DEFAULT 0 CHECK (lock_hold IN (0, 1));
-- What may still be locked, in the order in which the locks end.
CREATE INDEX version_locked ON version (source_id, lock_until)
  WHERE lock_until IS NOT NULL AND in_bucket <> 'gone';

CREATE TABLE bucket_lock (
  -- What the bucket's settings said of locks when that was last something else than before.
  source_id INTEGER PRIMARY KEY REFERENCES source,
  enabled   INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  mode      TEXT CHECK (mode IN ('governance', 'compliance')),  -- of the default retention,
  days      INTEGER,                  -- and for how many days; neither where there is none
  at        INTEGER NOT NULL,         -- since when, by our clock
  CHECK ((mode IS NULL) = (days IS NULL))
) STRICT;

CREATE TABLE lock_turn (
  -- Where the nightly look at some of the locks goes on. No journal has it: any place will do.
  source_id INTEGER PRIMARY KEY REFERENCES source,
  series    TEXT NOT NULL,            -- the last series whose newest version was looked at
  until     INTEGER NOT NULL,         -- the last lock that was looked at, by its end
  version   INTEGER NOT NULL          -- and, of those with the same end, by its row
) STRICT;

-- Thousands of keys may have older versions of the same bytes.
DROP INDEX version_bytes;
CREATE INDEX version_bytes ON version (source_id, sha256, key)
  WHERE in_bucket IN ('noncurrent', 'hidden') AND path IS NOT NULL;
