-- Migration: 011_logins_bring_back
-- Description: Let a new login bring back a proxy that is failed, or near it, since the old login was rejected

-- Up
-- A new login ends the cooldown of a rejected one (010), and what was held against the proxy with it: its failures in a row, and its
-- status, which shows that cooldown if there is a `failure_threshold`.
CREATE TRIGGER trg_proxy_cooldowns_login_accepted AFTER DELETE ON proxy_cooldowns
  WHEN OLD.kind = 'auth' AND OLD.scope = '' AND OLD.source = 'engine' BEGIN
  UPDATE proxies SET
    failure_count = 0,
    status = CASE WHEN proxies.status = 'failed' THEN 'active' ELSE proxies.status END
  WHERE id = OLD.proxy_id;
END;

-- Down
DROP TRIGGER trg_proxy_cooldowns_login_accepted;
