-- Migration: 011_logins_bring_back
-- Description: Let a new login bring back a proxy whose status is failed since the old login was rejected

-- Up
-- A new login ends the cooldown of a rejected one (010). With a `failure_threshold` the status shows that cooldown, and ends with it.
CREATE TRIGGER trg_proxy_cooldowns_login_accepted AFTER DELETE ON proxy_cooldowns
  WHEN OLD.kind = 'auth' AND OLD.scope = '' AND OLD.source = 'engine' BEGIN
  UPDATE proxies SET status = 'active' WHERE id = OLD.proxy_id AND status = 'failed';
END;

-- Down
DROP TRIGGER trg_proxy_cooldowns_login_accepted;
