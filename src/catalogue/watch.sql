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
  storage_class TEXT
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
