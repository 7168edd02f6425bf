-- Migration: 008_proxy_names
-- Description: Index the names that are not the address, to find a proxy by its name

-- Up
-- A proxy that nobody has named is called `host:port`, and is found by its address: so an import without names writes no more.
CREATE INDEX idx_proxies_name ON proxies(name) WHERE name <> host || ':' || CAST(port AS TEXT);

-- Down
DROP INDEX idx_proxies_name;
