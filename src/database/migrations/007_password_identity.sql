-- Migration: 007_password_identity
-- Description: Add the password to the identity of a proxy, and give proxies without a login an identity

-- Up
-- Of the identity (protocol, host, port, username, password): '' is no password, else a keyed fingerprint. NULL: not known
-- yet. SQL cannot compute one, so the library fills it in when it meets the proxy in an import or an update.
ALTER TABLE proxies ADD COLUMN password_fingerprint TEXT;
DROP INDEX idx_proxies_identity;
UPDATE proxies SET password_fingerprint = ''
  WHERE username_fingerprint = ''
    AND NOT EXISTS (SELECT 1 FROM encrypted_credentials WHERE proxy_id = proxies.id);
-- Of several proxies without a login at one address the oldest gets the identity.
UPDATE proxies SET username_fingerprint = '', password_fingerprint = ''
  WHERE id IN (
    SELECT id FROM (
      SELECT id, host, port, protocol,
        row_number() OVER (PARTITION BY host, port, protocol ORDER BY created_at, id) AS n
      FROM proxies
      WHERE username_fingerprint IS NULL
        AND NOT EXISTS (SELECT 1 FROM encrypted_credentials WHERE proxy_id = proxies.id)
    ) AS bare
    WHERE n = 1 AND NOT EXISTS (
      SELECT 1 FROM proxies AS known
      WHERE known.host = bare.host AND known.port = bare.port AND known.protocol = bare.protocol
        AND known.username_fingerprint = '' AND known.password_fingerprint = ''));
CREATE UNIQUE INDEX idx_proxies_identity ON proxies(host, port, protocol, username_fingerprint, password_fingerprint);
-- Tells an import at once whether there is any proxy whose login it has to look at.
CREATE INDEX idx_proxies_unidentified ON proxies(host, port, protocol) WHERE username_fingerprint IS NULL;

-- Down
DROP INDEX idx_proxies_unidentified;
DROP INDEX idx_proxies_identity;
-- The older identity has no password: of several proxies with one username the oldest keeps it, the others have none.
UPDATE proxies SET username_fingerprint = NULL
  WHERE id IN (
    SELECT id FROM (
      SELECT id, row_number() OVER (
        PARTITION BY host, port, protocol, username_fingerprint ORDER BY created_at, id) AS n
      FROM proxies WHERE username_fingerprint IS NOT NULL
    ) AS numbered
    WHERE n > 1);
ALTER TABLE proxies DROP COLUMN password_fingerprint;
CREATE UNIQUE INDEX idx_proxies_identity ON proxies(host, port, protocol, username_fingerprint) WHERE username_fingerprint IS NOT NULL;
