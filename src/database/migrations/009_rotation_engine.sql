-- Migration: 009_rotation_engine
-- Description: Add what choosing in memory needs: weights, revisions by which changes are followed, turns and sessions

-- Up
-- Only the old way to choose by SQL needed these.
DROP TRIGGER trg_proxies_position;
DROP INDEX idx_proxies_position;
ALTER TABLE proxies DROP COLUMN position;
DROP INDEX idx_proxies_least_used;
DROP INDEX idx_proxies_fastest;
DROP INDEX idx_proxies_status_id;

-- How often it is chosen, compared with the others.
ALTER TABLE proxies ADD COLUMN weight REAL NOT NULL DEFAULT 1 CHECK (weight > 0);
-- How often it was handed out. NULL: total_requests counts in its place.
ALTER TABLE proxies ADD COLUMN hand_outs INTEGER;
-- The number of its last change: each change has a higher one than all changes before. NULL: not changed since this
-- migration. Statistics are no change. The repositories set it; the triggers do it for plain SQL.
ALTER TABLE proxies ADD COLUMN revision INTEGER CHECK (revision BETWEEN 1 AND 9007199254740991);
CREATE INDEX idx_proxies_revision ON proxies(revision) WHERE revision IS NOT NULL;

-- A proxy that was deleted, with the revision of that. The newest are kept.
CREATE TABLE proxy_tombstones (
  revision INTEGER PRIMARY KEY,
  proxy_id TEXT NOT NULL
);

-- `rules` and `config`: grow with each change of their table. `tombstones`: the highest revision of a tombstone that was
-- removed; who has read no further must read the whole pool again. A name that has no row is at 0.
CREATE TABLE pool_revisions (
  name TEXT PRIMARY KEY CHECK (name IN ('rules', 'config', 'tombstones')),
  revision INTEGER NOT NULL
);

CREATE TRIGGER trg_proxies_inserted AFTER INSERT ON proxies WHEN NEW.revision IS NULL BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id = NEW.id;
END;
CREATE TRIGGER trg_proxies_updated
  AFTER UPDATE OF id, name, host, port, protocol, status, region, geolocation_json, remote_dns, weight ON proxies
  WHEN NEW.revision IS OLD.revision BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id = NEW.id;
END;
-- To whoever follows, a proxy with another id is another proxy.
CREATE TRIGGER trg_proxies_renamed AFTER UPDATE OF id ON proxies WHEN NEW.id <> OLD.id BEGIN
  INSERT INTO proxy_tombstones (revision, proxy_id)
  SELECT 1 + coalesce(max(revision), 0), OLD.id FROM (
    SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
    UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest;
END;
-- The deleted proxy may have had the highest revision.
CREATE TRIGGER trg_proxies_deleted AFTER DELETE ON proxies WHEN OLD.id IS NOT NULL BEGIN
  INSERT INTO proxy_tombstones (revision, proxy_id)
  SELECT 1 + coalesce(max(revision), 0), OLD.id FROM (
    SELECT OLD.revision AS revision
    UNION ALL SELECT max(revision) FROM proxies WHERE revision IS NOT NULL
    UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest;
END;
CREATE TRIGGER trg_proxy_tombstones_inserted AFTER INSERT ON proxy_tombstones BEGIN
  DELETE FROM proxy_tombstones WHERE revision <= NEW.revision - 100000;
END;
CREATE TRIGGER trg_proxy_tombstones_deleted AFTER DELETE ON proxy_tombstones BEGIN
  INSERT INTO pool_revisions (name, revision) VALUES ('tombstones', OLD.revision)
  ON CONFLICT (name) DO UPDATE SET revision = excluded.revision WHERE pool_revisions.revision < excluded.revision;
END;

CREATE TRIGGER trg_proxy_tags_inserted AFTER INSERT ON proxy_tags BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id = NEW.proxy_id;
END;
CREATE TRIGGER trg_proxy_tags_updated AFTER UPDATE OF proxy_id, tag ON proxy_tags BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id IN (OLD.proxy_id, NEW.proxy_id);
END;
CREATE TRIGGER trg_proxy_tags_deleted AFTER DELETE ON proxy_tags BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id = OLD.proxy_id;
END;

CREATE TRIGGER trg_rotation_rules_inserted AFTER INSERT ON rotation_rules BEGIN
  INSERT INTO pool_revisions (name, revision) VALUES ('rules', 1)
  ON CONFLICT (name) DO UPDATE SET revision = pool_revisions.revision + 1;
END;
CREATE TRIGGER trg_rotation_rules_updated AFTER UPDATE ON rotation_rules BEGIN
  INSERT INTO pool_revisions (name, revision) VALUES ('rules', 1)
  ON CONFLICT (name) DO UPDATE SET revision = pool_revisions.revision + 1;
END;
CREATE TRIGGER trg_rotation_rules_deleted AFTER DELETE ON rotation_rules BEGIN
  INSERT INTO pool_revisions (name, revision) VALUES ('rules', 1)
  ON CONFLICT (name) DO UPDATE SET revision = pool_revisions.revision + 1;
END;
CREATE TRIGGER trg_rotation_config_inserted AFTER INSERT ON rotation_config BEGIN
  INSERT INTO pool_revisions (name, revision) VALUES ('config', 1)
  ON CONFLICT (name) DO UPDATE SET revision = pool_revisions.revision + 1;
END;
CREATE TRIGGER trg_rotation_config_updated AFTER UPDATE ON rotation_config BEGIN
  INSERT INTO pool_revisions (name, revision) VALUES ('config', 1)
  ON CONFLICT (name) DO UPDATE SET revision = pool_revisions.revision + 1;
END;
CREATE TRIGGER trg_rotation_config_deleted AFTER DELETE ON rotation_config BEGIN
  INSERT INTO pool_revisions (name, revision) VALUES ('config', 1)
  ON CONFLICT (name) DO UPDATE SET revision = pool_revisions.revision + 1;
END;

-- Where round-robin is, or which proxy an interval keeps, for each filter; '' is no filter. The proxy may be gone.
CREATE TABLE rotation_turns (
  view TEXT PRIMARY KEY,
  proxy_id TEXT NOT NULL,
  since TEXT NOT NULL,
  until TEXT
);

-- The proxy that a session keeps. Domains have theirs in sticky_sessions.
CREATE TABLE session_proxies (
  session TEXT PRIMARY KEY,
  proxy_id TEXT NOT NULL REFERENCES proxies(id) ON DELETE CASCADE,
  created_at TEXT NOT NULL,
  last_used TEXT NOT NULL,
  request_count INTEGER NOT NULL DEFAULT 1,
  ttl_ms INTEGER,
  expires_at TEXT GENERATED ALWAYS AS (
    CASE WHEN ttl_ms IS NOT NULL THEN strftime('%Y-%m-%d %H:%M:%f', last_used, (ttl_ms / 1000.0) || ' seconds') END
  ) VIRTUAL
);
CREATE INDEX idx_session_proxies_proxy ON session_proxies(proxy_id);
CREATE INDEX idx_session_proxies_expiry ON session_proxies(expires_at) WHERE expires_at IS NOT NULL;

-- Down
DROP TABLE session_proxies;
DROP TABLE rotation_turns;
DROP TRIGGER trg_rotation_config_deleted;
DROP TRIGGER trg_rotation_config_updated;
DROP TRIGGER trg_rotation_config_inserted;
DROP TRIGGER trg_rotation_rules_deleted;
DROP TRIGGER trg_rotation_rules_updated;
DROP TRIGGER trg_rotation_rules_inserted;
DROP TRIGGER trg_proxy_tags_deleted;
DROP TRIGGER trg_proxy_tags_updated;
DROP TRIGGER trg_proxy_tags_inserted;
DROP TRIGGER trg_proxies_deleted;
DROP TRIGGER trg_proxies_renamed;
DROP TRIGGER trg_proxies_updated;
DROP TRIGGER trg_proxies_inserted;
DROP TABLE proxy_tombstones;
DROP TABLE pool_revisions;
DROP INDEX idx_proxies_revision;
ALTER TABLE proxies DROP COLUMN revision;
ALTER TABLE proxies DROP COLUMN hand_outs;
ALTER TABLE proxies DROP COLUMN weight;
CREATE INDEX idx_proxies_status_id ON proxies(status, id);
CREATE INDEX idx_proxies_fastest ON proxies(status, (latency IS NULL), latency, id);
CREATE INDEX idx_proxies_least_used ON proxies(status, total_requests, last_used_at, id);
ALTER TABLE proxies ADD COLUMN position INTEGER;
-- The columns after it, in their old order.
ALTER TABLE proxies ADD COLUMN old_remote_dns INTEGER NOT NULL DEFAULT 1 CHECK (old_remote_dns IN (0, 1));
ALTER TABLE proxies ADD COLUMN old_password_fingerprint TEXT;
UPDATE proxies SET old_remote_dns = remote_dns, old_password_fingerprint = password_fingerprint;
DROP INDEX idx_proxies_identity;
ALTER TABLE proxies DROP COLUMN remote_dns;
ALTER TABLE proxies DROP COLUMN password_fingerprint;
ALTER TABLE proxies RENAME COLUMN old_remote_dns TO remote_dns;
ALTER TABLE proxies RENAME COLUMN old_password_fingerprint TO password_fingerprint;
CREATE UNIQUE INDEX idx_proxies_identity ON proxies(host, port, protocol, username_fingerprint, password_fingerprint);
UPDATE proxies SET position = numbered.n
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM proxies) AS numbered
  WHERE numbered.id = proxies.id;
CREATE UNIQUE INDEX idx_proxies_position ON proxies(position);
CREATE TRIGGER trg_proxies_position AFTER INSERT ON proxies WHEN NEW.position IS NULL BEGIN
  UPDATE proxies SET position = (SELECT coalesce(max(position), 0) + 1 FROM proxies) WHERE id = NEW.id;
END;
