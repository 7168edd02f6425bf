-- Migration: 002_identity_expiry_and_indexes
-- Description: Add the proxy identity, exact means, sticky expiry, key ids and the indexes of the queries

-- Up
-- NULL: no identity (a plain create). '': an identity without a username. Else a keyed fingerprint.
ALTER TABLE proxies ADD COLUMN username_fingerprint TEXT;
-- The unrounded mean; `latency` is it, rounded.
ALTER TABLE proxies ADD COLUMN latency_ewma REAL;
-- When it was last handed out.
ALTER TABLE proxies ADD COLUMN last_used_at TEXT;
-- Counts up from 1, with holes where proxies were removed: to draw one at random without counting them.
ALTER TABLE proxies ADD COLUMN position INTEGER;
UPDATE proxies SET position = numbered.n
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM proxies) AS numbered
  WHERE numbered.id = proxies.id;
CREATE UNIQUE INDEX idx_proxies_position ON proxies(position);
-- For rows that plain SQL writes; the repository numbers its own.
CREATE TRIGGER trg_proxies_position AFTER INSERT ON proxies WHEN NEW.position IS NULL BEGIN
  UPDATE proxies SET position = (SELECT coalesce(max(position), 0) + 1 FROM proxies) WHERE id = NEW.id;
END;
CREATE UNIQUE INDEX idx_proxies_identity ON proxies(host, port, protocol, username_fingerprint) WHERE username_fingerprint IS NOT NULL;
CREATE INDEX idx_proxies_status_id ON proxies(status, id);
CREATE INDEX idx_proxies_top ON proxies(status, success_rate DESC, (latency IS NULL), latency, id);
CREATE INDEX idx_proxies_fastest ON proxies(status, (latency IS NULL), latency, id);
CREATE INDEX idx_proxies_least_used ON proxies(status, total_requests, last_used_at, id);

-- Which key wrote it; NULL: not known.
ALTER TABLE encrypted_credentials ADD COLUMN key_id TEXT;
CREATE INDEX idx_encrypted_credentials_key ON encrypted_credentials(key_id);

-- Computed, so that it holds for rows that plain SQL wrote too.
ALTER TABLE sticky_sessions ADD COLUMN expires_at TEXT GENERATED ALWAYS AS (
  CASE WHEN ttl_ms IS NOT NULL THEN strftime('%Y-%m-%d %H:%M:%f', last_used, (ttl_ms / 1000.0) || ' seconds') END
) VIRTUAL;
CREATE INDEX idx_sticky_sessions_expiry ON sticky_sessions(expires_at) WHERE expires_at IS NOT NULL;

-- How many of the requests came with a latency, so that a mean can be taken.
ALTER TABLE proxy_usage_stats ADD COLUMN latency_count INTEGER NOT NULL DEFAULT 0;

CREATE INDEX idx_rotation_rules_priority ON rotation_rules(priority DESC, created_at, id);

-- Down
DROP INDEX idx_rotation_rules_priority;
ALTER TABLE proxy_usage_stats DROP COLUMN latency_count;
DROP INDEX idx_sticky_sessions_expiry;
ALTER TABLE sticky_sessions DROP COLUMN expires_at;
DROP INDEX idx_encrypted_credentials_key;
ALTER TABLE encrypted_credentials DROP COLUMN key_id;
DROP INDEX idx_proxies_least_used;
DROP INDEX idx_proxies_fastest;
DROP INDEX idx_proxies_top;
DROP INDEX idx_proxies_status_id;
DROP INDEX idx_proxies_identity;
DROP TRIGGER trg_proxies_position;
DROP INDEX idx_proxies_position;
ALTER TABLE proxies DROP COLUMN position;
ALTER TABLE proxies DROP COLUMN last_used_at;
ALTER TABLE proxies DROP COLUMN latency_ewma;
ALTER TABLE proxies DROP COLUMN username_fingerprint;
