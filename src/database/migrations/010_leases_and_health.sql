-- Migration: 010_leases_and_health
-- Description: Add what a pool remembers of the health of its proxies: gateways, cooldowns and leases

-- Up
-- One host with many exits: a failure puts a session out, and not the proxy.
ALTER TABLE proxies ADD COLUMN gateway INTEGER NOT NULL DEFAULT 0 CHECK (gateway IN (0, 1));

DROP TRIGGER trg_proxies_updated;
CREATE TRIGGER trg_proxies_updated
  AFTER UPDATE OF id, name, host, port, protocol, status, region, geolocation_json, remote_dns, weight, gateway ON proxies
  WHEN NEW.revision IS OLD.revision BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id = NEW.id;
END;

-- Until when, and why, a proxy is out. The scope is '' for all of its traffic, or "domain NAME" or "session NAME".
-- `until` NULL: until a person or a new login ends it. `times`: how many times in a row it went out.
CREATE TABLE proxy_cooldowns (
  proxy_id TEXT NOT NULL REFERENCES proxies(id) ON DELETE CASCADE,
  scope TEXT NOT NULL DEFAULT '',
  source TEXT NOT NULL CHECK (source IN ('engine', 'person')),
  kind TEXT NOT NULL,
  times INTEGER NOT NULL DEFAULT 1,
  since TEXT NOT NULL,
  until TEXT,
  detail TEXT,
  PRIMARY KEY (proxy_id, scope, source)
);
CREATE INDEX idx_proxy_cooldowns_until ON proxy_cooldowns(until) WHERE until IS NOT NULL;

-- A cooldown is a change of its proxy, so that all who follow the pool hear of it.
CREATE TRIGGER trg_proxy_cooldowns_inserted AFTER INSERT ON proxy_cooldowns BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id = NEW.proxy_id;
END;
CREATE TRIGGER trg_proxy_cooldowns_updated AFTER UPDATE ON proxy_cooldowns BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id IN (OLD.proxy_id, NEW.proxy_id);
END;
CREATE TRIGGER trg_proxy_cooldowns_deleted AFTER DELETE ON proxy_cooldowns BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id = OLD.proxy_id;
END;

-- A rejected login puts a proxy out until there is another one, which may show in its status. A rotation of keys sets no `created_at`.
CREATE TRIGGER trg_encrypted_credentials_inserted AFTER INSERT ON encrypted_credentials BEGIN
  UPDATE proxies SET status = 'active' WHERE id = NEW.proxy_id AND status = 'failed' AND EXISTS (
    SELECT 1 FROM proxy_cooldowns WHERE proxy_id = NEW.proxy_id AND scope = '' AND source = 'engine' AND kind = 'auth');
  DELETE FROM proxy_cooldowns WHERE proxy_id = NEW.proxy_id AND source = 'engine' AND kind = 'auth';
END;
CREATE TRIGGER trg_encrypted_credentials_replaced AFTER UPDATE OF created_at ON encrypted_credentials BEGIN
  UPDATE proxies SET status = 'active' WHERE id = NEW.proxy_id AND status = 'failed' AND EXISTS (
    SELECT 1 FROM proxy_cooldowns WHERE proxy_id = NEW.proxy_id AND scope = '' AND source = 'engine' AND kind = 'auth');
  DELETE FROM proxy_cooldowns WHERE proxy_id = NEW.proxy_id AND source = 'engine' AND kind = 'auth';
END;
CREATE TRIGGER trg_encrypted_credentials_deleted AFTER DELETE ON encrypted_credentials BEGIN
  UPDATE proxies SET status = 'active' WHERE id = OLD.proxy_id AND status = 'failed' AND EXISTS (
    SELECT 1 FROM proxy_cooldowns WHERE proxy_id = OLD.proxy_id AND scope = '' AND source = 'engine' AND kind = 'auth');
  DELETE FROM proxy_cooldowns WHERE proxy_id = OLD.proxy_id AND source = 'engine' AND kind = 'auth';
END;

-- Whoever makes a failed proxy active again says that it works.
CREATE TRIGGER trg_proxies_reactivated AFTER UPDATE OF status ON proxies
  WHEN OLD.status = 'failed' AND NEW.status = 'active' BEGIN
  DELETE FROM proxy_cooldowns WHERE proxy_id = NEW.id AND scope = '' AND source = 'engine';
END;

-- A proxy that was handed out and whose outcome another process may report. Leases of one process are in its memory.
CREATE TABLE proxy_leases (
  id TEXT PRIMARY KEY,
  proxy_id TEXT NOT NULL REFERENCES proxies(id) ON DELETE CASCADE,
  domain TEXT,
  session TEXT,
  acquired_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
);
CREATE INDEX idx_proxy_leases_proxy ON proxy_leases(proxy_id);
CREATE INDEX idx_proxy_leases_expires_at ON proxy_leases(expires_at);

-- Down
DROP TRIGGER trg_proxies_reactivated;
DROP TRIGGER trg_encrypted_credentials_deleted;
DROP TRIGGER trg_encrypted_credentials_replaced;
DROP TRIGGER trg_encrypted_credentials_inserted;
DROP TABLE proxy_leases;
DROP TABLE proxy_cooldowns;
DROP TRIGGER trg_proxies_updated;
ALTER TABLE proxies DROP COLUMN gateway;
CREATE TRIGGER trg_proxies_updated
  AFTER UPDATE OF id, name, host, port, protocol, status, region, geolocation_json, remote_dns, weight ON proxies
  WHEN NEW.revision IS OLD.revision BEGIN
  UPDATE proxies SET revision = (
    SELECT 1 + coalesce(max(revision), 0) FROM (
      SELECT max(revision) AS revision FROM proxies WHERE revision IS NOT NULL
      UNION ALL SELECT max(revision) FROM proxy_tombstones) AS newest)
  WHERE id = NEW.id;
END;
