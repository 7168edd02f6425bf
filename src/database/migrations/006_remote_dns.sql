-- Migration: 006_remote_dns
-- Description: Add who resolves host names: a SOCKS proxy, or its client

-- Up
-- 1: the proxy resolves the names of targets (socks5h, socks4a), so that nobody else sees them. 0: the client does, which
-- somebody has asked for by name. HTTP and HTTPS proxies always resolve them: 1.
ALTER TABLE proxies ADD COLUMN remote_dns INTEGER NOT NULL DEFAULT 1 CHECK (remote_dns IN (0, 1));

-- Down
ALTER TABLE proxies DROP COLUMN remote_dns;
