-- Migration: 003_encryption_keys
-- Description: Add wrapped data keys, what rotation and recovery need, and how each credential is bound

-- Up
-- Down keeps the three tables: without the keys in them the credentials would be lost.

-- The keys that encrypt credentials (data keys), each wrapped by a key-encryption key that is not in this file.
CREATE TABLE IF NOT EXISTS encryption_keys (
  key_id TEXT PRIMARY KEY,
  kek_id TEXT NOT NULL,
  wrapped_key TEXT NOT NULL,
  iv TEXT NOT NULL,
  tag TEXT NOT NULL,
  key_check_value TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('primary', 'decrypt-only')),
  -- Messages that it has encrypted, or that are reserved: never too few.
  message_count INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_encryption_keys_primary ON encryption_keys(state) WHERE state = 'primary';

-- Other keys of this database, wrapped likewise. `fingerprint`: of usernames. `recovery`: what the recovery code stands
-- for. `escrow`: the key-encryption key, wrapped by the recovery key.
CREATE TABLE IF NOT EXISTS encryption_secrets (
  name TEXT PRIMARY KEY CHECK (name IN ('fingerprint', 'recovery', 'escrow')),
  key_id TEXT NOT NULL,
  kek_id TEXT NOT NULL,
  wrapped_key TEXT NOT NULL,
  iv TEXT NOT NULL,
  tag TEXT NOT NULL,
  key_check_value TEXT NOT NULL,
  created_at TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS encryption_config (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  -- Part of what each credential is bound to.
  database_id TEXT NOT NULL,
  -- The kind of source that the key-encryption key comes from.
  key_source TEXT NOT NULL,
  -- While a rotation is under way: the key it goes to, and the proxy that was done last.
  rotation_key_id TEXT,
  rotation_cursor TEXT,
  rotation_started_at TEXT
);

-- `login` and `text` are bound to their row, `unbound` is not; NULL: stored before this column, or not known.
ALTER TABLE encrypted_credentials ADD COLUMN binding TEXT CHECK (binding IN ('login', 'text', 'unbound'));

-- Down
ALTER TABLE encrypted_credentials DROP COLUMN binding;
