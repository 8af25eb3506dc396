CREATE TABLE source (
  -- A bucket (or a part of one) that is pulled into the folder <store>/<name>.
  -- Everywhere in this file: times are milliseconds since 1970, UTC; a source_id is source.id;
  -- `run` is the number of the run in the source's journal. The views show times as text.
  id     INTEGER PRIMARY KEY,
  name   TEXT NOT NULL UNIQUE,
  bucket TEXT NOT NULL,               -- empty where only the journal is known
  prefix TEXT NOT NULL
) STRICT;

CREATE TABLE position (
  -- Up to where each source's journal is in this index. The journal is the truth.
  source_id INTEGER PRIMARY KEY REFERENCES source,
  run       INTEGER NOT NULL,
  "offset"  INTEGER NOT NULL,         -- bytes of that run's file, up to the end of a group
  head      BLOB NOT NULL CHECK (length(head) = 32)  -- of the hash chain there
) STRICT;

CREATE TABLE version (
  -- One version of an object: what the bucket listed, what we hold of it, what the bucket shows.
  id            INTEGER PRIMARY KEY,
  source_id     INTEGER NOT NULL REFERENCES source,
  key           TEXT NOT NULL,        -- as the bucket has it, byte for byte
  -- What tells it from every other version of the key, from the listing alone:
  version_id    TEXT NOT NULL DEFAULT 'null',
  etag          TEXT NOT NULL,        -- without its quotes; opaque
  size          INTEGER NOT NULL,
  last_modified INTEGER NOT NULL,
  identity      TEXT NOT NULL AS (    -- a real version id decides alone, else the other three
    CASE version_id
      WHEN 'null' THEN 'n ' || size || ' ' || last_modified || ' ' || etag
      ELSE 'v ' || version_id
    END) VIRTUAL,
  -- What the GET answered:
  answered_version_id TEXT,
  content_type  TEXT,
  encryption    TEXT,                 -- on the server: AES256, aws:kms, sse-c
  -- What we hold, and what the bucket shows. Never one word for both.
  state         TEXT NOT NULL CHECK (state IN ('pending', 'stored', 'held', 'archived',
                  'unreadable', 'quarantined', 'expired', 'skipped')),
  in_bucket     TEXT NOT NULL CHECK (in_bucket IN ('current', 'noncurrent', 'hidden', 'gone')),
  sha256        BLOB CHECK (length(sha256) = 32),
  evidence      TEXT CHECK (evidence IN ('signed', 'content-name', 'uploader-claim', 'provider',
                  'length')),
  proofs        TEXT NOT NULL DEFAULT '[]',  -- JSON: every piece of evidence with its verdict
  path          TEXT,                 -- of the file, relative to the source's folder
  bytes         INTEGER NOT NULL DEFAULT 0,  -- on the drive; of rows that share a file, one has them
  sums_at       INTEGER,              -- where its line begins in SHA256SUMS, in bytes
  first_seen    INTEGER NOT NULL,     -- in a listing, by our clock
  stored_at     INTEGER,              -- when the bytes were placed
  missed_at     INTEGER,              -- when it was first missed: replaced or gone
  run           INTEGER NOT NULL,     -- that wrote this row last
  CHECK ((path IS NOT NULL) = (state IN ('stored', 'held', 'quarantined'))),
  CHECK (path IS NULL OR sha256 IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX version_identity ON version (source_id, key, identity);
CREATE INDEX version_path ON version (source_id, path) WHERE path IS NOT NULL;
CREATE INDEX version_current ON version (source_id) WHERE in_bucket = 'current';

CREATE TABLE counter (
  -- How many versions are in which state; kept by the triggers below, so that nobody counts rows.
  source_id INTEGER NOT NULL REFERENCES source,
  state     TEXT NOT NULL,
  in_bucket TEXT NOT NULL,
  versions  INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,         -- on the drive
  PRIMARY KEY (source_id, state, in_bucket)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER version_inserted AFTER INSERT ON version BEGIN
  INSERT INTO counter VALUES (new.source_id, new.state, new.in_bucket, 1, new.bytes)
    ON CONFLICT (source_id, state, in_bucket)
    DO UPDATE SET versions = versions + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER version_deleted AFTER DELETE ON version BEGIN
  UPDATE counter SET versions = versions - 1, bytes = bytes - old.bytes
    WHERE source_id = old.source_id AND state = old.state AND in_bucket = old.in_bucket;
END;
CREATE TRIGGER version_updated AFTER UPDATE OF source_id, state, in_bucket, bytes ON version
WHEN (old.source_id, old.state, old.in_bucket, old.bytes)
  <> (new.source_id, new.state, new.in_bucket, new.bytes) BEGIN
  UPDATE counter SET versions = versions - 1, bytes = bytes - old.bytes
    WHERE source_id = old.source_id AND state = old.state AND in_bucket = old.in_bucket;
  INSERT INTO counter VALUES (new.source_id, new.state, new.in_bucket, 1, new.bytes)
    ON CONFLICT (source_id, state, in_bucket)
    DO UPDATE SET versions = versions + 1, bytes = bytes + excluded.bytes;
END;

CREATE TABLE plan (
  -- What the listing of the run that is going on showed and we do not have. Cleared by every run.
  id            INTEGER PRIMARY KEY,
  source_id     INTEGER NOT NULL REFERENCES source,
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

CREATE TABLE name (
  -- On a drive that folds case or normalises Unicode: how the names in a folder are spelt.
  source_id INTEGER NOT NULL REFERENCES source,
  folder    TEXT NOT NULL,            -- relative to the source's folder
  folded    TEXT NOT NULL,
  name      TEXT NOT NULL,            -- as it is spelt on the drive
  PRIMARY KEY (source_id, folder, folded)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  -- One run of the program over one source.
  source_id   INTEGER NOT NULL REFERENCES source,
  run         INTEGER NOT NULL,
  command     TEXT NOT NULL,
  program     TEXT NOT NULL,          -- its version
  started_at  INTEGER NOT NULL,
  ended_at    INTEGER,                -- none: it goes on, or was cut off
  ended       TEXT,                   -- complete, partial, interrupted, failed
  error       TEXT,
  listed      INTEGER NOT NULL DEFAULT 0,
  stored      INTEGER NOT NULL DEFAULT 0,
  bytes       INTEGER NOT NULL DEFAULT 0,
  touched     INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  held        INTEGER NOT NULL DEFAULT 0,
  gone        INTEGER NOT NULL DEFAULT 0,
  failed      INTEGER NOT NULL DEFAULT 0,
  requests    INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (source_id, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  -- Something that happened.
  id        INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES source,
  run       INTEGER NOT NULL,
  kind      TEXT NOT NULL,            -- a short, stable name
  key       TEXT,
  text      TEXT NOT NULL,
  at        INTEGER NOT NULL
) STRICT;
CREATE INDEX event_at ON event (at);
CREATE INDEX event_key ON event (key, at) WHERE key IS NOT NULL;

CREATE TABLE finding (
  -- Something that is wrong until the owner acknowledges it (a row in ack).
  id        TEXT PRIMARY KEY,         -- www-12
  source_id INTEGER NOT NULL REFERENCES source,
  number    INTEGER NOT NULL,         -- the 12 of www-12
  run       INTEGER NOT NULL,
  kind      TEXT NOT NULL,            -- a short, stable name
  severity  TEXT NOT NULL CHECK (severity IN ('warning', 'alarm')),
  key       TEXT,
  identity  TEXT,                     -- JSON: the version it is about
  what      TEXT NOT NULL,
  evidence  TEXT NOT NULL,
  next      TEXT NOT NULL,            -- what the owner can do
  at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_number ON finding (source_id, number);
CREATE INDEX finding_about ON finding (source_id, kind, key);

CREATE TABLE ack (
  -- The owner's acknowledgement of a finding.
  id        INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES source,
  run       INTEGER NOT NULL,
  finding   TEXT NOT NULL,            -- finding.id
  note      TEXT,
  accepted  INTEGER NOT NULL CHECK (accepted IN (0, 1)),  -- 1: the held version was let in
  at        INTEGER NOT NULL
) STRICT;
CREATE INDEX ack_finding ON ack (finding);

-- Views for people. Their columns are stable: scripts may rest on them.

CREATE VIEW history AS
  -- Every version of every key that was ever seen. `path` is relative to the store.
  SELECT v.key, v.version_id, v.size, nullif(lower(hex(v.sha256)), '') AS sha256, v.etag,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.last_modified / 1000.0, 'unixepoch') AS last_modified,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.stored_at / 1000.0, 'unixepoch') AS stored_at,
    v.state, v.in_bucket, v.evidence, s.name || '/' || v.path AS path, s.name AS source,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.first_seen / 1000.0, 'unixepoch') AS first_seen,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.missed_at / 1000.0, 'unixepoch') AS missed_at,
    v.content_type, v.encryption, v.proofs
  FROM source AS s CROSS JOIN version AS v ON v.source_id = s.id  -- CROSS: in this order, no sort
  ORDER BY s.name, v.key, v.first_seen, v.id;

CREATE VIEW latest AS
  -- The newest good version of every key: what stands in latest/. `path` is relative to the store.
  SELECT v.key, v.version_id, v.size, lower(hex(v.sha256)) AS sha256, v.etag,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.last_modified / 1000.0, 'unixepoch') AS last_modified,
    strftime('%Y-%m-%dT%H:%M:%fZ', v.stored_at / 1000.0, 'unixepoch') AS stored_at,
    v.state, v.in_bucket, v.evidence, s.name || '/' || v.path AS path, s.name AS source
  FROM source AS s CROSS JOIN version AS v ON v.source_id = s.id
  -- The + and CROSS keep it to the index of the keys, in their order, without a sort.
  WHERE +v.path >= 'latest/' AND +v.path < 'latest0'
    -- Versions with the same bytes share a file: the one that the bucket shows, else the newest.
    AND v.id = (SELECT w.id FROM version AS w
      WHERE w.source_id = v.source_id AND w.key = v.key
        AND +w.path >= 'latest/' AND +w.path < 'latest0'
      ORDER BY w.in_bucket = 'current' DESC, w.first_seen DESC, w.id DESC LIMIT 1)
  ORDER BY s.name, v.key;

CREATE VIEW problems AS
  -- What is wrong and not acknowledged, newest first: `offsite ack <finding>` ends it.
  SELECT f.id AS finding, s.name AS source, f.severity, f.kind, f.key, f.what, f.evidence, f.next,
    strftime('%Y-%m-%dT%H:%M:%fZ', f.at / 1000.0, 'unixepoch') AS at
  FROM finding AS f JOIN source AS s ON s.id = f.source_id
  WHERE NOT EXISTS (SELECT 1 FROM ack AS a WHERE a.finding = f.id)
  ORDER BY f.at DESC, f.number DESC;

CREATE VIEW runs AS
  -- Every run, newest first.
  SELECT s.name AS source, r.run, r.command,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.started_at / 1000.0, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.ended_at / 1000.0, 'unixepoch') AS ended_at,
    r.ended, r.error, r.listed, r.stored, r.bytes, r.touched, r.quarantined, r.held, r.gone,
    r.failed, r.requests, r.program
  FROM run AS r JOIN source AS s ON s.id = r.source_id
  ORDER BY r.started_at DESC, r.run DESC;

CREATE VIEW timeline AS
  -- What happened, oldest first: versions seen, stored and missed, events, findings, acks.
  SELECT strftime('%Y-%m-%dT%H:%M:%fZ', t.at / 1000.0, 'unixepoch') AS at, s.name AS source,
    t.what, t.key, t.text
  FROM (
    SELECT stored_at AS at, source_id, state AS what, key, path AS text
      FROM version WHERE stored_at IS NOT NULL
    UNION ALL
    SELECT missed_at, source_id, 'missed', key, path FROM version WHERE missed_at IS NOT NULL
    UNION ALL
    SELECT at, source_id, kind, key, text FROM event
    UNION ALL
    SELECT at, source_id, severity, key, id || ': ' || what FROM finding
    UNION ALL
    SELECT at, source_id, 'ack', NULL, finding || coalesce(': ' || note, '') FROM ack
  ) AS t JOIN source AS s ON s.id = t.source_id
  ORDER BY t.at;

CREATE VIEW series_health AS
  -- For each top folder of each source: how much is stored, and when something was stored last.
  SELECT s.name AS source, substr(v.key, 1, instr(v.key, '/')) AS folder, count(*) AS versions,
    strftime('%Y-%m-%dT%H:%M:%fZ', max(v.stored_at) / 1000.0, 'unixepoch') AS newest_stored_at,
    sum(v.bytes) AS bytes
  FROM version AS v JOIN source AS s ON s.id = v.source_id
  WHERE v.path IS NOT NULL
  GROUP BY s.name, folder
  ORDER BY s.name, folder;
