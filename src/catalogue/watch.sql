-- Version 5: a plan that is cleared unread, and when each series came.

DROP TABLE plan;
CREATE TABLE plan (
  -- What the listing of the run that is going on showed and we do not have. Cleared by every run,
  -- without reading a row: that needs a table that refers to none
  -- (https://sqlite.org/lang_delete.html, 3; delete.c asks for foreign keys too).
  id            INTEGER PRIMARY KEY,
  source_id     INTEGER NOT NULL,
  why           TEXT NOT NULL CHECK (why IN ('new', 'changed', 'retry', 'back')),
  key           TEXT NOT NULL,
  version_id    TEXT NOT NULL DEFAULT 'null',
  etag          TEXT NOT NULL,
  size          INTEGER NOT NULL,
  last_modified INTEGER NOT NULL,
  identity      TEXT NOT NULL AS (    -- as in version
    CASE version_id
      WHEN 'null' THEN 'n ' || size || ' ' || last_modified || ' ' || etag
      ELSE 'v ' || version_id
    END) VIRTUAL,
  storage_class TEXT,
  in_bucket     TEXT NOT NULL DEFAULT 'current'
                CHECK (in_bucket IN ('current', 'noncurrent', 'hidden'))
) STRICT;
CREATE UNIQUE INDEX plan_identity ON plan (source_id, key, identity);

-- JSON: the newest arrivals, oldest first, by the bucket's times. What came before this column was
-- there is not in it.
ALTER TABLE series ADD COLUMN arrivals TEXT NOT NULL DEFAULT '[]';
-- How many arrivals that are, and the days that they went on together: what has little tells
-- nothing and is passed over unread.
ALTER TABLE series ADD COLUMN weight INTEGER NOT NULL DEFAULT 0;
-- How many versions were ever stored.
ALTER TABLE series ADD COLUMN versions INTEGER NOT NULL DEFAULT 0;

CREATE TABLE marker (
  -- The delete markers of a versioned bucket: what hides a key without taking its versions away.
  id         INTEGER PRIMARY KEY,
  source_id  INTEGER NOT NULL REFERENCES source,
  key        TEXT NOT NULL,
  version_id TEXT NOT NULL,           -- the marker's own; one 'null' overwrites the other
  marked_at  INTEGER NOT NULL,        -- when the key was deleted, by the bucket's clock
  hides      INTEGER NOT NULL CHECK (hides IN (0, 1)),  -- 1: a plain GET of the key finds nothing
  first_seen INTEGER NOT NULL,        -- in a listing, by our clock
  missed_at  INTEGER                  -- when it was not listed any more
) STRICT;
CREATE UNIQUE INDEX marker_identity ON marker (source_id, key, version_id, marked_at);

-- Versions that the bucket still holds, and a plain GET does not answer: looked for when a listing
-- does not show them, and when the same bytes come once more.
CREATE INDEX version_older ON version (source_id) WHERE in_bucket IN ('noncurrent', 'hidden');
CREATE INDEX version_bytes ON version (source_id, sha256)
  WHERE in_bucket IN ('noncurrent', 'hidden') AND path IS NOT NULL;
