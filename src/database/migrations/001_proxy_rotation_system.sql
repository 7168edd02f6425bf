-- Migration: 001_proxy_rotation_system
-- Description: Add tables for proxy rotation system

-- Up
CREATE TABLE IF NOT EXISTS rotation_config (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  strategy TEXT NOT NULL DEFAULT 'round-robin',
  interval_ms INTEGER,
  max_requests_per_proxy INTEGER,
  failure_threshold INTEGER,
  config_json TEXT,
  updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS sticky_sessions (
  domain TEXT PRIMARY KEY,
  proxy_id TEXT NOT NULL,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
  last_used DATETIME DEFAULT CURRENT_TIMESTAMP,
  request_count INTEGER DEFAULT 1,
  ttl_ms INTEGER,
  is_wildcard BOOLEAN DEFAULT FALSE,
  FOREIGN KEY (proxy_id) REFERENCES proxies(id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS rotation_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
  previous_proxy_id TEXT,
  new_proxy_id TEXT,
  reason TEXT CHECK (reason IN ('scheduled', 'failure', 'manual', 'startup'))
);

CREATE TABLE IF NOT EXISTS rotation_rules (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  priority INTEGER NOT NULL DEFAULT 0,
  conditions_json TEXT NOT NULL,
  condition_logic TEXT DEFAULT 'AND' CHECK (condition_logic IN ('AND', 'OR')),
  actions_json TEXT NOT NULL,
  stop_on_match BOOLEAN DEFAULT TRUE,
  enabled BOOLEAN DEFAULT TRUE,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS proxy_usage_stats (
  proxy_id TEXT NOT NULL,
  date TEXT NOT NULL,
  request_count INTEGER DEFAULT 0,
  success_count INTEGER DEFAULT 0,
  failure_count INTEGER DEFAULT 0,
  total_latency_ms INTEGER DEFAULT 0,
  PRIMARY KEY (proxy_id, date),
  FOREIGN KEY (proxy_id) REFERENCES proxies(id) ON DELETE CASCADE
);

CREATE INDEX idx_sticky_sessions_proxy ON sticky_sessions(proxy_id);
CREATE INDEX idx_rotation_events_timestamp ON rotation_events(timestamp);
CREATE INDEX idx_proxy_usage_date ON proxy_usage_stats(date);

-- Down
DROP TABLE IF EXISTS proxy_usage_stats;
DROP TABLE IF EXISTS rotation_rules;
DROP TABLE IF EXISTS rotation_events;
DROP TABLE IF EXISTS sticky_sessions;
DROP TABLE IF EXISTS rotation_config;
