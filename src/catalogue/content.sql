-- Version 4: what the bytes of a version are, and counters by that and by evidence.

-- What the bytes are, as far as they tell: 'encrypted age', 'plaintext zip', 'metadata restic' (of a
-- repository that holds nothing of what was backed up), 'unknown'. None where that was not judged: of
-- versions stored before this column was there, and of small ones that claim nothing.
ALTER TABLE version ADD COLUMN content TEXT;

DROP TRIGGER version_inserted;
DROP TRIGGER version_deleted;
DROP TRIGGER version_updated;
DROP TABLE counter;

CREATE TABLE counter (
  -- How many versions are in which state, how they are proven, and what they are; kept by the
  -- triggers below, so that nobody counts rows.
  source_id INTEGER NOT NULL REFERENCES source,
  state     TEXT NOT NULL,
  in_bucket TEXT NOT NULL,
  evidence  TEXT NOT NULL,            -- empty where there is none
  content   TEXT NOT NULL,            -- empty where there is none
  versions  INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,         -- on the drive
  PRIMARY KEY (source_id, state, in_bucket, evidence, content)
) STRICT, WITHOUT ROWID;
INSERT INTO counter
  SELECT source_id, state, in_bucket, coalesce(evidence, ''), coalesce(content, ''), count(*),
    sum(bytes)
  FROM version GROUP BY source_id, state, in_bucket, coalesce(evidence, ''), coalesce(content, '');

CREATE TRIGGER version_inserted AFTER INSERT ON version BEGIN
  INSERT INTO counter VALUES (new.source_id, new.state, new.in_bucket, coalesce(new.evidence, ''),
      coalesce(new.content, ''), 1, new.bytes)
    ON CONFLICT (source_id, state, in_bucket, evidence, content)
    DO UPDATE SET versions = versions + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER version_deleted AFTER DELETE ON version BEGIN
  UPDATE counter SET versions = versions - 1, bytes = bytes - old.bytes
    WHERE source_id = old.source_id AND state = old.state AND in_bucket = old.in_bucket
      AND evidence = coalesce(old.evidence, '') AND content = coalesce(old.content, '');
END;
CREATE TRIGGER version_updated
AFTER UPDATE OF source_id, state, in_bucket, evidence, content, bytes ON version
WHEN (old.source_id, old.state, old.in_bucket, coalesce(old.evidence, ''),
      coalesce(old.content, ''), old.bytes)
  <> (new.source_id, new.state, new.in_bucket, coalesce(new.evidence, ''),
      coalesce(new.content, ''), new.bytes) BEGIN
  UPDATE counter SET versions = versions - 1, bytes = bytes - old.bytes
    WHERE source_id = old.source_id AND state = old.state AND in_bucket = old.in_bucket
      AND evidence = coalesce(old.evidence, '') AND content = coalesce(old.content, '');
  INSERT INTO counter VALUES (new.source_id, new.state, new.in_bucket, coalesce(new.evidence, ''),
      coalesce(new.content, ''), 1, new.bytes)
    ON CONFLICT (source_id, state, in_bucket, evidence, content)
    DO UPDATE SET versions = versions + 1, bytes = bytes + excluded.bytes;
END;

DROP VIEW history;
CREATE VIEW history AS
  -- Every version of every key that was ever seen. `path` is relative to the store.
  SELECT v.key, v.version_id, v.size, nullif(lower(hex(v.sha256)), '') AS sha256, v.etag,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.last_modified / 1000.0, 'unixepoch') AS last_modified,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.stored_at / 1000.0, 'unixepoch') AS stored_at,
    v.state, v.in_bucket, v.evidence, s.name || '/' || v.path AS path, s.name AS source,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.first_seen / 1000.0, 'unixepoch') AS first_seen,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.missed_at / 1000.0, 'unixepoch') AS missed_at,
    v.content_type, v.encryption, v.proofs, v.content
  FROM source AS s CROSS JOIN version AS v ON v.source_id = s.id  -- CROSS: in this order, no sort
  ORDER BY s.name, v.key, v.first_seen, v.id;

DROP VIEW latest;
CREATE VIEW latest AS
  -- The newest good version of every key: what stands in latest/. `path` is relative to the store.
  SELECT v.key, v.version_id, v.size, lower(hex(v.sha256)) AS sha256, v.etag,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.last_modified / 1000.0, 'unixepoch') AS last_modified,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.stored_at / 1000.0, 'unixepoch') AS stored_at,
    v.state, v.in_bucket, v.evidence, s.name || '/' || v.path AS path, s.name AS source, v.content
  FROM source AS s CROSS JOIN version AS v ON v.source_id = s.id
  -- The + and CROSS keep it to the index of the keys, in their order, without a sort.
  WHERE +v.path >= 'latest/' AND +v.path < 'latest0'
    -- Versions with the same bytes share a file: the one that the bucket shows, else the newest.
    AND v.id = (SELECT w.id FROM version AS w
      WHERE w.source_id = v.source_id AND w.key = v.key
        AND +w.path >= 'latest/' AND +w.path < 'latest0'
      ORDER BY w.in_bucket = 'current' DESC, w.first_seen DESC, w.id DESC LIMIT 1)
  ORDER BY s.name, v.key;

CREATE TABLE series (
  -- What the stored versions of each series were like. A series is a pattern of keys that differ only
  -- in dates, counters and random tokens.
  source_id     INTEGER NOT NULL REFERENCES source,
  name          TEXT NOT NULL CHECK (octet_length(name) <= 255),
  stored_at     INTEGER NOT NULL,     -- when the first was stored
  contents      TEXT NOT NULL,        -- JSON: every kind of content that they had, as version.content
  judged_at     INTEGER,              -- when the first that was judged was stored
  claims_held   TEXT NOT NULL,        -- JSON: names of the uploader's claims that ever held
  claims_silent TEXT NOT NULL,        -- JSON: and of those that were ever about other bytes
  held_at       INTEGER,              -- when one was last added to claims_held
  PRIMARY KEY (source_id, name)
) STRICT, WITHOUT ROWID;
