-- Version 2: which key each run read the bucket with.

-- A fingerprint of the access key's id (16 hex digits of its SHA-256), never the id; none for
-- runs that ask no bucket, and for those before this column was there.
ALTER TABLE run ADD COLUMN key TEXT;

CREATE VIEW keys AS
  -- Every key of every source: its first and its last use, and how many runs used it.
  SELECT s.name AS source, r.key,
    strftime('%Y-%m-%dT%H:%M:%fZ', min(r.started_at) / 1000.0, 'unixepoch') AS first_used_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', max(r.started_at) / 1000.0, 'unixepoch') AS last_used_at,
    count(*) AS runs
  FROM run AS r JOIN source AS s ON s.id = r.source_id
  WHERE r.key IS NOT NULL
  GROUP BY s.id, r.key
  ORDER BY s.name, max(r.started_at) DESC;
